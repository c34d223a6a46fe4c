use super::{Extracted, Extractor, Sort};
use crate::data::{Example, ModelColumns, Schema};
use crate::encode::EncodeError;
use crate::encode::spec::FeatureSpec;
use crate::pictures::Form;

/// Extractor of the pixels of pictures: each is a feature, row by row.
///
/// It takes a picture as the row of its levels, which [`Form::apply`] makes. So a table whose
/// columns are named like the pixels is data of pictures, too.
#[derive(Clone, Debug)]
pub(super) struct Pictures {
    form: Form,
    schema: Schema,
}

impl Pictures {
    /// Creates the extractor of pictures of a form.
    pub(super) fn new(form: Form) -> Self {
        Self {
            schema: Schema::pixels(form),
            form,
        }
    }
}

impl Extractor for Pictures {
    fn takes(&self) -> Sort {
        Sort::Numbers
    }

    fn features(&self) -> usize {
        self.form.pixels()
    }

    fn name(&self, feature: usize) -> Option<String> {
        self.form.name(feature)
    }

    fn noun(&self) -> &'static str {
        "pixel"
    }

    /// Extracts all levels, which must be within those of the form.
    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Numbers(values) = example else {
            return Err(self.takes().mismatch(example));
        };
        let wanted = self.form.pixels();
        if values.len() != wanted {
            return Err(EncodeError::WrongWidth {
                found: values.len(),
                wanted,
                reserved: 0,
                columns: format!(
                    "the {}x{} pixels, row by row",
                    self.form.width(),
                    self.form.height()
                ),
            });
        }
        let last = f64::from(self.form.levels() - 1);
        let outside = |(_, value): &(usize, &f64)| !(0.0..=last).contains(*value);
        if let Some((pixel, &value)) = values.iter().enumerate().find(outside) {
            return Err(EncodeError::Pixel {
                pixel: self.name(pixel).unwrap_or_default(),
                value,
                form: self.form,
            });
        }
        let values = (0..=u16::MAX).zip(values.iter().copied());
        Ok(Extracted::new(values.collect()))
    }

    fn columns(&self) -> Option<ModelColumns<'_>> {
        Some(ModelColumns {
            schema: &self.schema,
            reserved: 0,
        })
    }

    fn pictures(&self) -> Option<Form> {
        Some(self.form)
    }

    fn summary(&self) -> Option<String> {
        Some(self.form.to_string())
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Pictures(self.form))
    }
}

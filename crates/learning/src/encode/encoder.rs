use std::sync::Arc;

use cotrain_protocol::classifier::{Bounds, Kind};
use cotrain_protocol::sample::{Encoding, encode_dense16, encode_dense32, encode_sparse};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::clamp::clamp;
use super::extractor::{Extracted, Extractor, Sort, extract, reserve, spread, whole};
use super::scaling::Scaling;
use super::spec::{Parts, Spec, SpecError};
use super::text::TextRules;
use super::{EncodeError, Layout, Options, Samples, max_features};
use crate::data::{Dataset, Example, ModelColumns, ModelInputs, in_bounds};
use crate::pictures;
use crate::sentences::{SentenceEncoder, SentenceId};
use crate::text::escaped;
use crate::vectors::{Table, TableId};

/// Encoder of examples, the same as for the training data.
///
/// An encoder written by serde and read again encodes everything to the same bytes, if the format
/// keeps numbers to the bit. Reading checks everything that learning guarantees.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Spec")]
pub struct Encoder {
    extractor: Arc<dyn Extractor>,
    /// Number of features, the last ones, that had no examples.
    reserved: usize,
    kind: Kind,
    form: Form,
}

/// Sample of an example, with figures on what it holds of the example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Bytes that a contract takes.
    pub sample: Vec<u8>,
    /// Number of features of the example that the encoder knows: words, indices with a value,
    /// columns. If it is 0, the model's answer is its prior, and the sample teaches the model
    /// nothing about the example.
    pub known: usize,
    /// Number of values that lay outside the range of the encoding and were moved to its bounds.
    pub clamped: usize,
    /// Number of texts of categorical columns that the training data did not have, or of indices with
    /// a value, for which no feature stands.
    pub unseen: usize,
}

/// Encoding with its parameters besides the features.
#[derive(Clone, Debug)]
enum Form {
    Sparse,
    /// Scaling, bounds, and the number that ends every sample if the model learns its intercept.
    Dense16(Scaling, Bounds, Option<u16>),
    Dense32(Scaling, Bounds),
}

impl Serialize for Encoder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let spec = Spec::new(Parts {
            kind: self.kind,
            extractor: Arc::clone(&self.extractor),
            reserved: self.reserved,
            scaling: match &self.form {
                Form::Sparse => None,
                Form::Dense16(scaling, ..) | Form::Dense32(scaling, _) => Some(scaling.clone()),
            },
            bounds: self.bounds(),
            constant: self.constant(),
        });
        let unwritten = || {
            S::Error::custom(
                "cannot write the encoder: its extractor has no form in a card; use one of \
                 cotrain's, or publish the model without an encoder",
            )
        };
        spec.ok_or_else(unwritten)?.serialize(serializer)
    }
}

impl TryFrom<Spec> for Encoder {
    type Error = SpecError;

    fn try_from(spec: Spec) -> Result<Self, SpecError> {
        let Parts {
            kind,
            extractor,
            reserved,
            scaling,
            bounds,
            constant,
        } = spec.check()?;
        let form = match (kind.encoding(), scaling.zip(bounds)) {
            (Encoding::Dense16, Some((scaling, bounds))) => {
                Form::Dense16(scaling, bounds, constant)
            }
            (Encoding::Dense32, Some((scaling, bounds))) => Form::Dense32(scaling, bounds),
            // The other kinds have neither, which the check ensures.
            _ => Form::Sparse,
        };
        Ok(Self {
            extractor,
            reserved,
            kind,
            form,
        })
    }
}

impl Encoder {
    /// Creates an encoder of the extractor's features, with those that the options reserve. It
    /// learns their scaling from the training part.
    pub(super) fn learn(
        dataset: &Dataset,
        kind: Kind,
        mut extractor: Box<dyn Extractor>,
        options: &Options,
    ) -> Result<Self, EncodeError> {
        let learns_intercept = kind == Kind::DensePerceptron && !options.fixed_intercept;
        if options.fixed_intercept && kind != Kind::DensePerceptron {
            return Err(EncodeError::NoLearnedIntercept { kind });
        }
        let given = extractor.features();
        if given == 0 {
            return Err(EncodeError::NoFeatures {
                path: dataset.train.path().to_owned(),
            });
        }
        for name in &options.reserved {
            reserve(extractor.as_mut(), kind, name.trim())?;
        }
        let features = extractor.features();
        let max = max_features(kind) - usize::from(learns_intercept);
        if features > max {
            return Err(EncodeError::TooManyFeatures {
                path: dataset.train.path().to_owned(),
                kind,
                features,
                max,
                learns_intercept,
            });
        }
        let reserved = features - given;
        let scaling = || Scaling::learn(&dataset.train, extractor.as_ref());
        let form = match (kind.encoding(), options.limits.widest(kind, features)?) {
            (Encoding::Dense16, Some(bounds)) => Form::Dense16(scaling()?, bounds, None),
            (Encoding::Dense32, Some(bounds)) => Form::Dense32(scaling()?, bounds),
            // The other kinds have no numbers.
            _ => Form::Sparse,
        };
        Ok(Self {
            extractor: extractor.into(),
            reserved,
            kind,
            form,
        })
    }

    /// Narrows the bounds to those that the options leave, given the bounds `around` the training
    /// samples. Adds the constant of a dense perceptron within them. A sparse encoder has neither.
    ///
    /// The constant is one standard deviation, or the largest number if that is less. With one
    /// standard deviation, its weight moves at the same rate as the intercept in training. The
    /// constant adds to the length of each sample, so the maximum length grows by the same.
    pub(super) fn settle(&mut self, around: Bounds, options: &Options) {
        let (kind, features) = (self.kind, self.extractor.features());
        let narrowed = |bounds| options.limits.narrowed(kind, bounds, around, features);
        match &mut self.form {
            Form::Sparse => {}
            Form::Dense16(_, bounds, constant) => {
                *bounds = narrowed(*bounds);
                if !options.fixed_intercept {
                    let number = u32::from(ONE_16).min(bounds.max_number);
                    bounds.max_squared_length += u128::from(number).pow(2);
                    *constant = u16::try_from(number).ok();
                }
            }
            Form::Dense32(_, bounds) => *bounds = narrowed(*bounds),
        }
    }

    /// Returns `true` if no sample within bounds exceeds those of the samples.
    pub(super) fn admits(&self, bounds: Bounds) -> bool {
        self.bounds().is_none_or(|own| {
            own.max_number >= bounds.max_number
                && own.max_squared_length >= bounds.max_squared_length
        })
    }

    /// Returns the kind of classifiers that the samples are for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the number of an example's features: words, columns or indices, without the constant
    /// of a dense perceptron.
    #[must_use]
    pub fn features(&self) -> usize {
        self.extractor.features()
    }

    /// Returns the number of the model's features: those of examples, and the constant if there is
    /// one.
    #[must_use]
    pub fn model_features(&self) -> usize {
        self.extractor.features() + usize::from(self.constant().is_some())
    }

    /// Returns the number of features, the last ones, that had no examples when the model was
    /// created.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.reserved
    }

    /// Returns the number that ends every sample, through which a dense perceptron learns its
    /// intercept; `None` if there is no such number.
    #[must_use]
    pub fn constant(&self) -> Option<u16> {
        match self.form {
            Form::Dense16(_, _, constant) => constant,
            Form::Sparse | Form::Dense32(..) => None,
        }
    }

    /// Returns the bounds of the samples that the model learns from. The encoder moves numbers to
    /// them. Returns `None` for sparse encodings.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        match self.form {
            Form::Sparse => None,
            Form::Dense16(_, bounds, _) | Form::Dense32(_, bounds) => Some(bounds),
        }
    }

    /// Returns the number that stands for one standard deviation of a feature in a dense sample;
    /// `None` for sparse encodings.
    #[must_use]
    pub fn scale(&self) -> Option<f64> {
        self.bounds().map(|_| scale(self.kind))
    }

    /// Returns mean and standard deviation of a feature in the training data, by which a dense
    /// sample is scaled; `None` for sparse encodings, and if there is no such feature.
    #[must_use]
    pub fn scaling(&self, feature: usize) -> Option<(f64, f64)> {
        let (Form::Dense16(scaling, ..) | Form::Dense32(scaling, _)) = &self.form else {
            return None;
        };
        Some((
            *scaling.mean.get(feature)?,
            *scaling.deviation.get(feature)?,
        ))
    }

    /// Returns the sort of example that it takes.
    #[must_use]
    pub fn takes(&self) -> Sort {
        self.extractor.takes()
    }

    /// Returns the rules by which it reads texts; `None` if it takes none.
    #[must_use]
    pub fn text_rules(&self) -> Option<TextRules> {
        self.extractor.text_rules()
    }

    /// Returns `true` if its features are hashes of words, so that no feature names its words.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.extractor.is_hashed()
    }

    /// Returns a short description of the features for people, such as "hashed words"; `None` if
    /// their number says enough.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        self.extractor.summary()
    }

    /// Returns the table of word vectors that it needs and lacks, as after reading a card; `None` if
    /// it can encode.
    #[must_use]
    pub fn missing_table(&self) -> Option<TableId> {
        self.extractor.missing_table()
    }

    /// Gives the encoder its table of word vectors.
    ///
    /// # Errors
    /// Returns the identity of the table that the encoder needs if it is another one, or `None` if
    /// it needs none.
    pub fn set_table(&mut self, table: &Table) -> Result<(), Option<TableId>> {
        let with = self.extractor.with_table(table);
        self.extractor = with.ok_or_else(|| self.missing_table())?;
        Ok(())
    }

    /// Returns the sentence encoder that it needs and lacks, as after reading a card; `None` if it
    /// can encode.
    #[must_use]
    pub fn missing_sentences(&self) -> Option<&SentenceId> {
        self.extractor.missing_sentences()
    }

    /// Gives the encoder its sentence encoder. One that needs none stays as it is.
    ///
    /// The caller answers for it that this is the one of [`missing_sentences`](Self::missing_sentences).
    pub fn set_sentences(&mut self, encoder: &Arc<dyn SentenceEncoder>) {
        if let Some(with) = self.extractor.with_sentences(encoder) {
            self.extractor = with;
        }
    }

    /// Returns the name of a feature: a word, `#` with the number of a hashed one, the name of a
    /// column, or an index. Returns `None` if there is no such feature.
    #[must_use]
    pub fn name(&self, feature: usize) -> Option<String> {
        self.extractor.name(feature)
    }

    /// Encodes an example as a sample.
    ///
    /// # Errors
    /// Returns an error if the example is of another sort than those that the encoder learned from,
    /// or has a wrong number of values. Returns an error if a number is not a number or is beyond
    /// 1e100 either way. Returns an error if the encoding is sparse and a number is not 0 or 1.
    pub fn encode(&self, example: Example<'_>) -> Result<Vec<u8>, EncodeError> {
        self.encode_counting(example).map(|(sample, _)| sample)
    }

    /// Encodes an example, with figures on what the sample holds of it.
    ///
    /// # Errors
    /// Returns the errors of [`encode`](Self::encode).
    pub fn encode_noting(&self, example: Example<'_>) -> Result<Noted, EncodeError> {
        let extracted = extract(self.extractor.as_ref(), example)?;
        let known = self.known(&extracted);
        let (sample, clamped) = self.encode_extracted(&extracted, &mut Scratch::default())?;
        Ok(Noted {
            sample,
            known,
            clamped,
            unseen: extracted.unseen(),
        })
    }

    /// Returns the columns of the model's tables; `None` if it did not learn from columns.
    #[must_use]
    pub fn columns(&self) -> Option<ModelColumns<'_>> {
        self.extractor.columns()
    }

    /// Returns the form of the pictures that it takes; `None` if it takes none.
    #[must_use]
    pub fn pictures(&self) -> Option<pictures::Form> {
        self.extractor.pictures()
    }

    /// Returns `true` if the libsvm data that the model learned from counted indices from 0.
    #[must_use]
    pub fn is_zero_based(&self) -> bool {
        self.extractor.is_zero_based()
    }

    /// Returns the first index of the libsvm data that the model learned from, as people write it: 0
    /// or 1.
    #[must_use]
    pub fn first_index(&self) -> u32 {
        u32::from(!self.is_zero_based())
    }

    /// Returns what is needed to read further data for the model.
    #[must_use]
    pub fn inputs(&self) -> ModelInputs<'_> {
        ModelInputs {
            columns: self.columns(),
            zero_based: self.is_zero_based(),
            pictures: self.pictures(),
        }
    }

    /// Returns samples that it made, each with its label, of a model with so many classes.
    #[must_use]
    pub fn samples<'a>(
        &self,
        classes: usize,
        samples: impl IntoIterator<Item = (&'a [u8], u16)>,
    ) -> Samples {
        let mut all = Samples::new(self.layout(classes));
        for (sample, label) in samples {
            all.push(sample, label);
        }
        all
    }

    pub(super) fn layout(&self, classes: usize) -> Layout {
        Layout {
            encoding: self.kind.encoding(),
            features: self.model_features(),
            classes,
            scale: scale(self.kind),
            bounds: self.bounds(),
            constant: self.constant(),
        }
    }

    /// Returns the description of a feature in messages.
    fn describe(&self, feature: u16) -> String {
        let name = self.name(usize::from(feature)).unwrap_or_default();
        format!("{} `{}`", self.extractor.noun(), escaped(&name))
    }

    /// Encodes an example, and returns the sample with the number of values that were clamped. A
    /// clamped value was moved to the largest number that the model learns from. If the sample was
    /// still too long, all its values were scaled down, too.
    ///
    /// # Errors
    /// Returns the errors of [`encode`](Self::encode).
    pub fn encode_counting(&self, example: Example<'_>) -> Result<(Vec<u8>, usize), EncodeError> {
        let (sample, counted) = self.encode_with(example, &mut Scratch::default())?;
        Ok((sample, counted.clamped))
    }

    /// Encodes values by the numbers of their features, as an example with these features is
    /// encoded. Features that are not given are 0.
    ///
    /// # Errors
    /// Returns the errors of [`encode`](Self::encode) for numbers. Returns
    /// [`EncodeError::WrongWidth`] if there is no feature with one of the numbers.
    pub fn encode_features(&self, values: Vec<(u16, f64)>) -> Result<Vec<u8>, EncodeError> {
        let extracted = Extracted::new(values);
        let wanted = self.extractor.features();
        let last = extracted.values().last();
        if let Some(found) = last.map(|&(feature, _)| usize::from(feature) + 1)
            && found > wanted
        {
            return Err(EncodeError::WrongWidth {
                found,
                wanted,
                reserved: 0,
                columns: "the features".to_owned(),
            });
        }
        let sample = self.encode_extracted(&extracted, &mut Scratch::default());
        sample.map(|(sample, _)| sample)
    }

    /// Encodes like [`encode_counting`](Self::encode_counting), in memory that is used again.
    pub(super) fn encode_with(
        &self,
        example: Example<'_>,
        scratch: &mut Scratch,
    ) -> Result<(Vec<u8>, Counted), EncodeError> {
        let extractor = self.extractor.as_ref();
        if let Some(values) = whole(extractor, example) {
            let (sample, clamped) = self.encode_values(values, &mut scratch.numbers)?;
            let is_unknown = false;
            return Ok((
                sample,
                Counted {
                    clamped,
                    is_unknown,
                },
            ));
        }
        let extracted = extract(extractor, example)?;
        let is_unknown = self.known(&extracted) == 0;
        let (sample, clamped) = self.encode_extracted(&extracted, scratch)?;
        let counted = Counted {
            clamped,
            is_unknown,
        };
        Ok((sample, counted))
    }

    /// Returns the number of an example's parts that the model knows.
    fn known(&self, extracted: &Extracted) -> usize {
        match self.form {
            Form::Sparse => extracted.present(),
            Form::Dense16(..) | Form::Dense32(..) => extracted.known(),
        }
    }

    fn encode_extracted(
        &self,
        extracted: &Extracted,
        scratch: &mut Scratch,
    ) -> Result<(Vec<u8>, usize), EncodeError> {
        if let Form::Sparse = self.form {
            let sample = self.encode_present(extracted.values().iter().copied())?;
            return Ok((sample, 0));
        }
        spread(extracted, self.extractor.features(), &mut scratch.row);
        self.encode_values(&scratch.row, &mut scratch.numbers)
    }

    /// Encodes features, of which those that are 1 are present.
    fn encode_present(
        &self,
        features: impl Iterator<Item = (u16, f64)> + Clone,
    ) -> Result<Vec<u8>, EncodeError> {
        self.check_bounds(features.clone())?;
        let mut present = Vec::new();
        for (feature, value) in features.filter(|(_, value)| *value != 0.0) {
            if !is_one(value) {
                return Err(EncodeError::NotPresence {
                    kind: self.kind,
                    feature: self.describe(feature),
                    value,
                });
            }
            present.push(feature);
        }
        Ok(encode_sparse(&present))
    }

    /// Encodes the values of all features, by way of `numbers` in a dense sample.
    fn encode_values(
        &self,
        values: &[f64],
        numbers: &mut Vec<i64>,
    ) -> Result<(Vec<u8>, usize), EncodeError> {
        let features = || (0..=u16::MAX).zip(values.iter().copied());
        // Without a branch for each value, this is much faster than the search for a fault.
        if !values.iter().fold(true, |all, it| all & in_bounds(*it)) {
            self.check_bounds(features())?;
        }
        Ok(match &self.form {
            Form::Sparse => (self.encode_present(features())?, 0),
            Form::Dense16(scaling, bounds, constant) => {
                let values = scaling.apply(values).map(|value| value * SCALE_16);
                let constant = constant.and_then(|number| i16::try_from(number).ok());
                // The constant keeps its value, whatever the other numbers are.
                let square = u128::from(constant.unwrap_or(0).unsigned_abs()).pow(2);
                let bounds = Bounds {
                    max_squared_length: bounds.max_squared_length.saturating_sub(square),
                    ..*bounds
                };
                let outside = clamp(values, &bounds, i16::MAX.into(), numbers);
                let narrow = numbers.iter().map(|it| i16::try_from(*it).unwrap_or(0));
                let narrow: Vec<i16> = narrow.chain(constant).collect();
                (encode_dense16(&narrow), outside)
            }
            Form::Dense32(scaling, bounds) => {
                let values = scaling.apply(values).map(|value| value * SCALE_32);
                let outside = clamp(values, bounds, i32::MAX.into(), numbers);
                let narrow = numbers.iter().map(|it| i32::try_from(*it).unwrap_or(0));
                let narrow: Vec<i32> = narrow.collect();
                (encode_dense32(&narrow), outside)
            }
        })
    }

    /// Checks the values of features.
    fn check_bounds(&self, features: impl Iterator<Item = (u16, f64)>) -> Result<(), EncodeError> {
        for (feature, value) in features {
            if !in_bounds(value) {
                return Err(EncodeError::OutOfRange {
                    feature: self.describe(feature),
                    value,
                });
            }
        }
        Ok(())
    }
}

/// Figures on what a sample of a data set holds of its example.
pub(super) struct Counted {
    /// Number of values that were moved to the bounds.
    pub(super) clamped: usize,
    /// `true` if the encoder knows nothing of the example.
    pub(super) is_unknown: bool,
}

/// Memory for encoding that is used again for each example.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Values of all features.
    row: Vec<f64>,
    /// Numbers of a dense sample.
    numbers: Vec<i64>,
}

// Data that contains 1 represents it exactly.
#[allow(clippy::float_cmp)]
fn is_one(value: f64) -> bool {
    value == 1.0
}

/// Returns the number that stands for 1 in samples of a kind; in dense ones, that is a standard
/// deviation.
pub(super) fn scale(kind: Kind) -> f64 {
    match kind.encoding() {
        Encoding::Sparse => 1.0,
        Encoding::Dense16 => SCALE_16,
        Encoding::Dense32 => SCALE_32,
    }
}

/// One standard deviation in 16 bits, whose range covers eight of them.
const ONE_16: u16 = 4_096;
const SCALE_16: f64 = 4_096.0;
/// One standard deviation in 32 bits, whose range covers 32,768 of them.
const SCALE_32: f64 = 65_536.0;

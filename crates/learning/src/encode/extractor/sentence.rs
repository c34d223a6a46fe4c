use std::sync::Arc;

use super::{Extracted, Extractor, Sort};
use crate::data::{Example, Part};
use crate::encode::EncodeError;
use crate::encode::spec::{FeatureSpec, SentenceSpec, SpecError};
use crate::sentences::{Axes, SentenceEncoder, SentenceId, SentenceVector, Sentences};

/// Extractor of the numbers that a sentence encoder gives a text: one feature a dimension.
#[derive(Clone, Debug)]
pub(super) struct Sentence {
    id: SentenceId,
    /// Axes of the dimensions; `None` if these are the numbers of the encoder's vectors.
    axes: Option<Arc<Axes>>,
    /// The encoder, unless this was read from a card and nobody has given it yet.
    sentences: Option<Sentences>,
}

impl Sentence {
    /// Encodes the training part, and chooses the axes on which it varies most.
    pub(super) fn learn(train: &Part, sentences: Sentences) -> Result<Self, EncodeError> {
        let (width, dimensions) = (sentences.id().width(), sentences.dimensions());
        let axes = if dimensions < width {
            let encode = |example| encode(&sentences, example);
            let vectors: Vec<Arc<SentenceVector>> =
                train.examples().map(encode).collect::<Result<_, _>>()?;
            let numbers = || vectors.iter().map(|it| it.numbers.as_slice());
            Some(Arc::new(Axes::learn(numbers, width, dimensions)))
        } else {
            None
        };
        Ok(Self {
            id: sentences.id().clone(),
            axes,
            sentences: Some(sentences),
        })
    }

    /// Checks the encoder that a card names.
    pub(super) fn read(spec: &SentenceSpec) -> Result<Self, SpecError> {
        let id = SentenceId::new(&spec.name, &spec.sha256, spec.width)?;
        let axes = spec.axes.as_ref().map(|axes| Axes::parse(axes, spec.width));
        Ok(Self {
            id,
            axes: axes.transpose()?.map(Arc::new),
            sentences: None,
        })
    }
}

/// Returns the vector of a text.
fn encode(sentences: &Sentences, example: Example<'_>) -> Result<Arc<SentenceVector>, EncodeError> {
    let Example::Text(text) = example else {
        return Err(Sort::Text.mismatch(example));
    };
    sentences.encode(text).map_err(EncodeError::Sentences)
}

impl Extractor for Sentence {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        self.axes.as_ref().map_or(self.id.width(), |it| it.count())
    }

    fn name(&self, feature: usize) -> Option<String> {
        (feature < self.features()).then(|| (feature + 1).to_string())
    }

    fn noun(&self) -> &'static str {
        "dimension"
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let sentences = self.sentences.as_ref();
        let sentences = sentences.ok_or_else(|| EncodeError::NoSentences {
            id: self.id.clone(),
        })?;
        let vector = encode(sentences, example)?;
        let numbers = match &self.axes {
            // Whatever the encoder gives such a text, the model knows nothing of it.
            _ if vector.pieces == 0 => vec![0.0; self.features()],
            Some(axes) => axes.project(&vector.numbers),
            None => vector.numbers.iter().copied().map(f64::from).collect(),
        };
        Ok(Extracted::new((0..=u16::MAX).zip(numbers).collect()).with_known(vector.pieces))
    }

    fn has_one_unit(&self) -> bool {
        true
    }

    fn missing_sentences(&self) -> Option<&SentenceId> {
        self.sentences.is_none().then_some(&self.id)
    }

    fn with_sentences(&self, encoder: &Arc<dyn SentenceEncoder>) -> Option<Arc<dyn Extractor>> {
        // The number of axes was checked before.
        let sentences = Sentences::new(self.id.clone(), self.features(), Arc::clone(encoder));
        Some(Arc::new(Self {
            sentences: Some(sentences.ok()?),
            ..self.clone()
        }))
    }

    fn summary(&self) -> Option<String> {
        Some(format!(
            "dimensions of the sentence encoder {}",
            self.id.name()
        ))
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Sentence(SentenceSpec {
            name: self.id.name().to_owned(),
            sha256: self.id.hexadecimal(),
            width: self.id.width(),
            axes: self.axes.as_ref().map(|axes| axes.digits()),
        }))
    }
}

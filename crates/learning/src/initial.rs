//! Initial model of a deployment: from a data set to a trained classifier.

use std::str::FromStr;

use cotrain_protocol::classifier::Kind;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::{
    data::{self, DataError, Dataset, Doubt, Example, Part, Source},
    encode::{self, EncodeError, Encoded, Encoder, suited_with},
    input::{InputError, encode_labeled},
    text::escaped,
    train::{self, TrainError, Trained},
};

/// Part of the training data that the initial model sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// Share of all examples, above 0 and at most 1.
    Share(f64),
    /// Number of examples.
    Examples(usize),
}

/// A text that names no part of the training data.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is neither a share such as 0.5, above 0 and at most 1.0, nor a number of examples")]
pub struct NoPart(String);

impl FromStr for Initial {
    type Err = NoPart;

    fn from_str(text: &str) -> Result<Self, NoPart> {
        let part = if text.contains('.') {
            let share = text.parse().ok();
            share
                .filter(|share| (f64::MIN_POSITIVE..=1.0).contains(share))
                .map(Self::Share)
        } else {
            let examples = text.parse().ok();
            examples
                .filter(|examples| *examples > 0)
                .map(Self::Examples)
        };
        part.ok_or_else(|| NoPart(text.to_owned()))
    }
}

/// Options for an initial model.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Source of the data.
    pub source: Source,
    /// Part of the training data that the model sees.
    pub initial: Initial,
    /// Seed of everything random.
    pub seed: u64,
    /// Learner of the model; `None` for the one that suits the data.
    pub learner: Option<Kind>,
    /// Names of classes without examples in the data.
    pub reserved_classes: Vec<String>,
    /// Options of the encoding.
    pub encoding: encode::Options,
}

/// Options for an initial model that learns from samples which are encoded already, such as those
/// that others contributed to another model.
#[derive(Clone, Debug)]
pub struct Founding<'a> {
    /// Encoder of the samples, which the new model keeps.
    pub encoder: Encoder,
    /// Name of each class, by its number.
    pub classes: Vec<String>,
    /// Samples with their labels.
    pub samples: Vec<(&'a [u8], u16)>,
    /// Data to measure on; `None` sets a share of the samples aside.
    pub test: Option<Source>,
    /// Part of the samples that the model sees.
    pub initial: Initial,
    /// Seed of everything random.
    pub seed: u64,
}

/// Reason why the data gives no initial model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A reserved class has no name.
    #[error("a reserved class is empty; give it a name")]
    EmptyClass,
    /// The model already has a reserved class.
    #[error(
        "cannot reserve the class `{}`: the model has it already; leave it out",
        escaped(name)
    )]
    KnownClass {
        /// Name of the class.
        name: String,
    },
    /// A reserved feature is the column of the classes.
    #[error(
        "cannot reserve the feature `{}`: that column has the classes; leave it out",
        escaped(name)
    )]
    LabelColumn {
        /// Name of the feature.
        name: String,
    },
    /// There are too few samples to train on some and measure on others.
    #[error("cannot train on {samples} samples: expected at least 2; choose more of them")]
    NoSamples {
        /// Number of samples.
        samples: usize,
    },
    /// The data to measure on cannot be encoded.
    #[error(transparent)]
    Test(#[from] Box<InputError>),
    /// The data has fewer examples than the model should see.
    #[error("the model is to see {wanted} examples, and there are {examples} to train on")]
    TooFew {
        /// Requested number of examples.
        wanted: usize,
        /// Number of examples in the data.
        examples: usize,
    },
}

/// Data for the training of an initial model.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The data set, with the reserved classes; `None` if the samples came encoded.
    pub dataset: Option<Dataset>,
    /// Samples of the data set.
    pub encoded: Encoded,
    /// Number of examples that the model sees.
    pub trained_on: usize,
    learner: Kind,
    seed: u64,
}

impl Prepared {
    /// Reads and encodes data.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn read(options: &Options) -> Result<Self, PrepareError> {
        let mut dataset = data::load(&options.source, data::TEST_SHARE, options.seed)?;
        reserve(&mut dataset.classes, &options.reserved_classes)?;
        check_features(&dataset, &options.source, &options.encoding.reserved)?;
        let suited = || suited_with(&dataset, &options.encoding);
        let learner = options.learner.unwrap_or_else(suited);
        let encoded = encode::encode_with(&dataset, learner, &options.encoding)?;
        Ok(Self {
            trained_on: examples(options.initial, encoded.train.len())?,
            dataset: Some(dataset),
            encoded,
            learner,
            seed: options.seed,
        })
    }

    /// Prepares samples that are encoded already. The seed decides their order.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn found(founding: Founding<'_>) -> Result<Self, PrepareError> {
        let Founding {
            encoder,
            classes,
            mut samples,
            test,
            initial,
            seed,
        } = founding;
        samples.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let few = samples.len();
        let test = if let Some(source) = test {
            let labeled = encode_labeled(&encoder, &source, &classes).map_err(Box::new)?;
            let test = labeled
                .samples
                .iter()
                .map(|(label, it)| (&*it.sample, *label));
            encoder.samples(classes.len(), test)
        } else {
            let aside = data::test_count(few, data::TEST_SHARE);
            let aside = samples.split_off(few - aside.min(few));
            encoder.samples(classes.len(), aside)
        };
        if samples.is_empty() || test.is_empty() {
            return Err(PrepareError::NoSamples { samples: few });
        }
        let train = encoder.samples(classes.len(), samples);
        Ok(Self {
            trained_on: examples(initial, train.len())?,
            dataset: None,
            learner: encoder.kind(),
            encoded: Encoded {
                train,
                test,
                encoder,
                classes,
                clamped: 0,
                unknown: Vec::new(),
            },
            seed,
        })
    }

    /// Returns the names of columns that seem to number the rows of the data.
    #[must_use]
    pub fn row_numbers(&self) -> Vec<String> {
        let dataset = self.dataset.as_ref();
        dataset.map(Dataset::row_numbers).unwrap_or_default()
    }

    /// Returns what the table may mean otherwise than it was read.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        let dataset = self.dataset.as_ref();
        dataset.map(Dataset::doubts).unwrap_or_default()
    }

    /// Returns the number of columns of the table to learn from; 0 for other data.
    #[must_use]
    pub fn columns(&self) -> usize {
        let tables = self.dataset.iter().filter(|it| it.pictures.is_none());
        tables.map(|it| it.schema.columns().len()).sum()
    }

    /// Returns the number of examples of libsvm data with a query, which was left out.
    #[must_use]
    pub fn queries(&self) -> usize {
        let parts = self.dataset.iter().flat_map(|it| [&it.train, &it.test]);
        parts.map(Part::queries).sum()
    }

    /// Trains the model on its part of the training data, and measures it on the test data.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn train(&self) -> Result<Trained, TrainError> {
        let settings = train::Options {
            seed: self.seed,
            ..train::Options::default()
        };
        let samples = self.encoded.train.take(0..self.trained_on);
        train::train(self.learner, &samples, &settings, &self.encoded.test)
            .map_err(|error| error.naming(&self.encoded.classes))
    }

    /// Returns the first example of the test data, with the name of its class; `None` if the
    /// samples came encoded.
    #[must_use]
    pub fn test_example(&self) -> Option<(Example<'_>, &str)> {
        let dataset = self.dataset.as_ref()?;
        let example = dataset.test.examples().next()?;
        let label = *dataset.test.labels().first()?;
        let class = dataset.classes.get(usize::from(label))?;
        Some((example, class))
    }
}

/// Adds classes without examples.
fn reserve(classes: &mut Vec<String>, reserved: &[String]) -> Result<(), PrepareError> {
    for name in reserved {
        let name = name.trim();
        if name.is_empty() {
            return Err(PrepareError::EmptyClass);
        }
        let name = name.to_owned();
        if classes.contains(&name) {
            return Err(PrepareError::KnownClass { name });
        }
        classes.push(name);
    }
    Ok(())
}

/// Checks that no reserved feature is the column of the classes.
fn check_features(
    dataset: &Dataset,
    source: &Source,
    reserved: &[String],
) -> Result<(), PrepareError> {
    match source {
        Source::Table { label, .. } | Source::Content { label, .. }
            if !dataset.columns.is_empty() =>
        {
            match reserved.iter().find(|name| name.trim() == label) {
                Some(_) => Err(PrepareError::LabelColumn {
                    name: label.clone(),
                }),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

// Data sets are far below 2^52 examples, and the share is in [0, 1].
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
fn examples(initial: Initial, examples: usize) -> Result<usize, PrepareError> {
    match initial {
        Initial::Share(share) => Ok(((examples as f64 * share) as usize).max(1)),
        Initial::Examples(wanted) if wanted <= examples => Ok(wanted),
        Initial::Examples(wanted) => Err(PrepareError::TooFew { wanted, examples }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn reserve_adds_classes_after_those_of_the_data_and_refuses_known_ones() {
        let mut classes = names(&["ham", "spam"]);
        reserve(&mut classes, &names(&["scam", " news "])).unwrap();
        assert_eq!(classes, ["ham", "spam", "scam", "news"]);
        let refused =
            |reserved| reserve(&mut names(&["ham"]), &names(reserved)).expect_err("refused");
        for reserved in [&["ham"][..], &["new", "new"]] {
            let PrepareError::KnownClass { name } = refused(reserved) else {
                panic!("not known");
            };
            assert_eq!(name, reserved[0]);
        }
        assert!(matches!(refused(&["new", ""]), PrepareError::EmptyClass));
    }

    #[test]
    fn initial_is_a_share_or_a_number_of_examples() {
        assert_eq!("0.5".parse(), Ok(Initial::Share(0.5)));
        assert_eq!("1.0".parse(), Ok(Initial::Share(1.0)));
        assert_eq!("1".parse(), Ok(Initial::Examples(1)));
        for text in ["0", "0.0", "1.1", "-1", "", "x"] {
            assert_eq!(text.parse::<Initial>(), Err(NoPart(text.to_owned())));
        }
        assert_eq!(examples(Initial::Share(0.001), 80).unwrap(), 1);
        assert_eq!(examples(Initial::Share(0.5), 81).unwrap(), 40);
        assert_eq!(examples(Initial::Examples(80), 80).unwrap(), 80);
        assert!(matches!(
            examples(Initial::Examples(81), 80),
            Err(PrepareError::TooFew {
                wanted: 81,
                examples: 80
            })
        ));
    }

    #[test]
    fn found_trains_on_samples_with_the_encoder_of_another_model() {
        let encoder: Encoder = serde_json::from_str(
            r#"{"classifier":"naive-bayes","features":{"words":["good","bad"]}}"#,
        )
        .expect("an encoder");
        let (good, bad) = ([0, 0], [0, 1]);
        let samples: Vec<(&[u8], u16)> = [(&good[..], 1), (&bad[..], 0)].repeat(10);
        let founding = |samples, initial| Founding {
            encoder: encoder.clone(),
            classes: names(&["negative", "positive"]),
            samples,
            test: None,
            initial,
            seed: 1,
        };
        let prepared =
            Prepared::found(founding(samples.clone(), Initial::Share(1.0))).expect("prepared");
        assert_eq!((prepared.trained_on, prepared.encoded.test.len()), (16, 4));
        assert!(prepared.test_example().is_none() && prepared.row_numbers().is_empty());
        let trained = prepared.train().expect("trained");
        assert_eq!(trained.classifier.kind(), Kind::NaiveBayes);
        assert!(trained.quantization.accuracy_quantized > 0.99);
        assert_eq!(trained.classifier.predict(&good), Ok(1));

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.csv");
        std::fs::write(
            &path,
            "text,label\na good one,positive\nbad,negative\nbad,positive\n",
        )
        .expect("written");
        let mut founding = founding(samples, Initial::Examples(12));
        let test = Source::named(path.to_str().expect("UTF-8"), None, "label", Some("text"));
        founding.test = Some(test.expect("a table"));
        let prepared = Prepared::found(founding).expect("prepared");
        assert_eq!((prepared.trained_on, prepared.encoded.test.len()), (12, 3));
        let accuracy = prepared
            .train()
            .expect("trained")
            .quantization
            .accuracy_quantized;
        assert!((accuracy - 2.0 / 3.0).abs() < 1e-9, "{accuracy}");
    }

    #[test]
    fn found_refuses_a_single_sample() {
        let encoder = r#"{"classifier":"naive-bayes","features":{"words":["good","bad"]}}"#;
        let founded = Prepared::found(Founding {
            encoder: serde_json::from_str(encoder).expect("an encoder"),
            classes: names(&["negative", "positive"]),
            samples: vec![(&[0, 0], 1)],
            test: None,
            initial: Initial::Share(1.0),
            seed: 1,
        });
        assert!(matches!(
            founded,
            Err(PrepareError::NoSamples { samples: 1 })
        ));
    }

    #[test]
    fn prepared_trains_on_its_part_of_the_data() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.csv");
        let rows: String = ["0,1,no\n", "1,0,yes\n"].concat().repeat(25);
        std::fs::write(&path, format!("a,b,kind\n{rows}")).expect("written");
        let mut options = Options {
            source: Source::named(path.to_str().expect("UTF-8"), None, "kind", None)
                .expect("a table"),
            initial: Initial::Examples(30),
            seed: 1,
            learner: None,
            reserved_classes: names(&["maybe"]),
            encoding: encode::Options::default(),
        };
        let prepared = Prepared::read(&options).expect("prepared");
        assert_eq!((prepared.trained_on, prepared.encoded.test.len()), (30, 10));
        assert_eq!(prepared.encoded.classes, ["no", "yes", "maybe"]);
        let trained = prepared.train().expect("trained");
        assert_eq!(trained.classifier.kind(), Kind::NaiveBayes);
        assert!(trained.quantization.accuracy_quantized > 0.99);
        let (example, class) = prepared.test_example().expect("one");
        let Example::Numbers(numbers) = example else {
            panic!("no row");
        };
        assert_eq!(class, if numbers == [0.0, 1.0] { "no" } else { "yes" });
        options.initial = Initial::Examples(1);
        let one = Prepared::read(&options).expect("prepared");
        let (_, label) = one.encoded.train.get(0);
        let told = one.train().expect_err("one class").to_string();
        let class = &one.encoded.classes[usize::from(label)];
        let wanted = format!("all samples to learn from (1) have the class `{class}`, expected");
        assert!(told.starts_with(&wanted), "{told}");
        options.encoding.reserved = names(&[" kind"]);
        assert!(matches!(
            Prepared::read(&options),
            Err(PrepareError::LabelColumn { name }) if name == "kind"
        ));
    }
}

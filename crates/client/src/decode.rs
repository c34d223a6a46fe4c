//! Samples of contributions, turned back into what people gave: words, rows, indices with values.
//!
//! A contract stores no more than the encoder of the model's card kept. A text comes back as the
//! words that the model knows, or as numbers if its features are hashes or word vectors. A number
//! comes back as the shortest one that is encoded to the same integer, so most numbers of a table
//! return as they were written.

use alloy_primitives::hex;
use cotrain_learning::{Encoder, data::Example, encode::Sort};
use cotrain_protocol::sample::Encoding;

/// Form of all decoded samples of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodedForm {
    /// Texts of known words.
    Text,
    /// Rows of numbers with these names: columns, or the dimensions of word vectors.
    /// `Schema::fields` makes rows of a table with types of them.
    Columns(Vec<String>),
    /// Indices with values. Those of hashed words are the numbers of the features, from 0.
    Indexed,
    /// Bytes in hexadecimal digits, as `--sample` takes them. No card says what they mean.
    Bytes,
}

/// Example, as far as a sample holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// Words in the order of the features, separated by spaces.
    Text(String),
    /// Values of a table's columns.
    Numbers(Vec<f64>),
    /// Increasing indices from 0, each with its value.
    Indexed {
        /// Indices from 0.
        indices: Vec<u32>,
        /// Value at each index.
        values: Vec<f64>,
    },
    /// Bytes in hexadecimal digits.
    Bytes(String),
}

impl Decoded {
    /// Returns the example that encodes to the sample; `None` for bytes.
    fn example(&self) -> Option<Example<'_>> {
        Some(match self {
            Self::Text(text) => Example::Text(text),
            Self::Numbers(numbers) => Example::Numbers(numbers),
            Self::Indexed { indices, values } => Example::Indexed {
                indices,
                values: Some(values),
            },
            Self::Bytes(_) => return None,
        })
    }
}

/// Decoder of a model's samples.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    encoding: Encoding,
    known: Option<Known<'a>>,
}

/// Content of a model's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Words of texts.
    Words,
    /// Hashes of the words of texts.
    Hashes,
    /// Numbers of texts: word vectors.
    Vectors,
    /// Values of columns.
    Columns,
    /// Values of indices.
    Indices,
}

impl Content {
    /// Returns the content of samples that have some encoding; `None` if it stays bytes.
    fn of(encoder: &Encoder, encoding: Encoding) -> Option<Self> {
        let sparse = encoding == Encoding::Sparse;
        match encoder.takes() {
            Sort::Numbers => Some(Self::Columns),
            Sort::Indexed => Some(Self::Indices),
            Sort::Text if encoder.is_hashed() => Some(Self::Hashes),
            Sort::Text if encoder.text_rules().is_none() => (!sparse).then_some(Self::Vectors),
            Sort::Text => sparse.then_some(Self::Words),
        }
    }

    fn form(self, names: &[String]) -> DecodedForm {
        match self {
            Self::Words => DecodedForm::Text,
            Self::Columns => DecodedForm::Columns(names.to_vec()),
            Self::Vectors => {
                let name = |name: &String| format!("dimension_{name}");
                DecodedForm::Columns(names.iter().map(name).collect())
            }
            Self::Hashes | Self::Indices => DecodedForm::Indexed,
        }
    }
}

/// Facts of an encoder, by the number of the feature.
#[derive(Debug, Clone)]
struct Known<'a> {
    encoder: &'a Encoder,
    content: Content,
    names: Vec<String>,
    /// Number that stands for one standard deviation.
    scale: f64,
}

impl<'a> Known<'a> {
    fn of(encoder: &'a Encoder, encoding: Encoding) -> Option<Self> {
        let names = (0..encoder.features()).map(|feature| encoder.name(feature));
        Some(Self {
            encoder,
            content: Content::of(encoder, encoding)?,
            names: names.collect::<Option<_>>()?,
            scale: encoder.scale().unwrap_or(1.0),
        })
    }

    /// Returns the value of a feature in a dense sample, as short as it can be.
    fn value(&self, feature: usize, number: i32) -> f64 {
        let Some((mean, deviation)) = self.encoder.scaling(feature) else {
            return 0.0;
        };
        let number = f64::from(number);
        // As the encoder computes it.
        let fits = |value: f64| same(((value - mean) / deviation * self.scale).round(), number);
        let exact = mean + number / self.scale * deviation;
        if fits(0.0) {
            return 0.0;
        }
        // 17 significant digits distinguish all numbers.
        let short = (0..17).find_map(|digits| {
            let value = format!("{exact:.digits$e}").parse().ok()?;
            fits(value).then_some(value)
        });
        short.unwrap_or(exact)
    }

    fn decode(&self, encoding: Encoding, sample: &[u8]) -> Option<Decoded> {
        let present = || {
            let pairs = sample.chunks_exact(2);
            pairs.map(|pair| usize::from(u16::from_be_bytes([pair[0], pair[1]])))
        };
        let numbers = || encoding.numbers(sample).take(self.names.len()).enumerate();
        Some(match (self.content, encoding) {
            (Content::Words, _) => {
                let words = present().map(|feature| self.names.get(feature).map(String::as_str));
                Decoded::Text(words.collect::<Option<Vec<_>>>()?.join(" "))
            }
            (Content::Columns, Encoding::Sparse) => {
                let mut row = vec![0.0; self.names.len()];
                for feature in present() {
                    *row.get_mut(feature)? = 1.0;
                }
                Decoded::Numbers(row)
            }
            (Content::Columns | Content::Vectors, _) => {
                let row = numbers().map(|(feature, number)| self.value(feature, number));
                Decoded::Numbers(row.collect())
            }
            (Content::Indices | Content::Hashes, Encoding::Sparse) => {
                indexed(present().map(|feature| Some((self.index(feature)?, 1.0))))?
            }
            (Content::Indices | Content::Hashes, _) => {
                indexed(numbers().map(|(feature, number)| {
                    Some((self.index(feature)?, self.value(feature, number)))
                }))?
            }
        })
    }

    /// Encodes a decoded sample again; `None` if it is bytes, or the encoder refuses it.
    fn encode(&self, decoded: &Decoded) -> Option<Vec<u8>> {
        let feature = |index: &u32| u16::try_from(*index).ok();
        let encoded = match (self.content, decoded) {
            // The text itself is gone.
            (Content::Vectors, Decoded::Numbers(numbers)) => {
                let values = (0..=u16::MAX).zip(numbers.iter().copied());
                self.encoder.encode_features(values.collect())
            }
            (Content::Hashes, Decoded::Indexed { indices, values }) => {
                let features = indices.iter().map(feature).collect::<Option<Vec<_>>>()?;
                let values = features.into_iter().zip(values.iter().copied());
                self.encoder.encode_features(values.collect())
            }
            (_, decoded) => self.encoder.encode(decoded.example()?),
        };
        encoded.ok()
    }

    /// Returns the index of a feature, from 0.
    fn index(&self, feature: usize) -> Option<u32> {
        if self.content == Content::Hashes {
            return u32::try_from(feature)
                .ok()
                .filter(|_| feature < self.names.len());
        }
        let index: u32 = self.names.get(feature)?.parse().ok()?;
        // The name counts as the model's data did.
        index.checked_sub(self.encoder.first_index())
    }
}

/// Returns a decoded row of indices, in increasing order and without values of 0.
fn indexed(entries: impl Iterator<Item = Option<(u32, f64)>>) -> Option<Decoded> {
    let mut entries = entries.collect::<Option<Vec<_>>>()?;
    entries.retain(|&(_, value)| value != 0.0);
    entries.sort_unstable_by_key(|&(index, _)| index);
    let (indices, values) = entries.into_iter().unzip();
    Some(Decoded::Indexed { indices, values })
}

// Both are whole numbers.
#[allow(clippy::float_cmp)]
fn same(one: f64, other: f64) -> bool {
    one == other
}

impl<'a> Decoder<'a> {
    /// Creates the decoder of a model whose samples have this encoding. Without an encoder, samples
    /// stay bytes.
    #[must_use]
    pub fn new(encoding: Encoding, encoder: Option<&'a Encoder>) -> Self {
        let known = encoder.and_then(|encoder| Known::of(encoder, encoding));
        Self { encoding, known }
    }

    /// Returns the form of all decoded samples.
    #[must_use]
    pub fn form(&self) -> DecodedForm {
        let known = self.known.as_ref();
        known.map_or(DecodedForm::Bytes, |known| known.content.form(&known.names))
    }

    /// Decodes a sample. It also returns `true` if the encoder makes the same bytes of the result.
    ///
    /// Otherwise the author did not use the card's encoder: such as a last number that is not the
    /// constant of a dense perceptron. A sample that the encoder cannot have made at all, such as
    /// one with unknown features, gives an empty example.
    #[must_use]
    pub fn decode(&self, sample: &[u8]) -> (Decoded, bool) {
        let Some(known) = &self.known else {
            return (Decoded::Bytes(hex::encode(sample)), true);
        };
        let decoded = known.decode(self.encoding, sample);
        let decoded = decoded.unwrap_or_else(|| match self.form() {
            DecodedForm::Text => Decoded::Text(String::new()),
            DecodedForm::Columns(names) => Decoded::Numbers(vec![0.0; names.len()]),
            DecodedForm::Indexed | DecodedForm::Bytes => Decoded::Indexed {
                indices: Vec::new(),
                values: Vec::new(),
            },
        });
        let exact = known.encode(&decoded).is_some_and(|bytes| bytes == sample);
        (decoded, exact)
    }
}

#[cfg(test)]
mod tests {
    use cotrain_learning::vectors::embedded;
    use cotrain_protocol::sample::{encode_dense16, encode_dense32, encode_sparse};

    use super::*;

    fn encoder(json: &str) -> Encoder {
        serde_json::from_str(json).expect("an encoder")
    }

    fn decoded(encoder: &Encoder, sample: &[u8]) -> (Decoded, bool) {
        Decoder::new(encoder.kind().encoding(), Some(encoder)).decode(sample)
    }

    #[test]
    fn decode_returns_the_known_words_of_a_text() {
        let films =
            encoder(r#"{"classifier":"naive-bayes","features":{"words":["good","bad","film"]}}"#);
        let sample = films
            .encode(Example::Text("A BAD, bad film"))
            .expect("a sample");
        let text = |text: &str| Decoded::Text(text.to_owned());
        assert_eq!(decoded(&films, &sample), (text("bad film"), true));
        assert_eq!(decoded(&films, &[]), (text(""), true));
        // The model has no such feature, so the contract would have refused it.
        assert_eq!(decoded(&films, &encode_sparse(&[3])), (text(""), false));
        assert_eq!(
            Decoder::new(Encoding::Sparse, Some(&films)).form(),
            DecodedForm::Text
        );
    }

    #[test]
    fn decode_returns_the_columns_of_a_table_of_0_and_1() {
        let table =
            encoder(r#"{"classifier":"sparse-perceptron","features":{"columns":["a","b","c"]}}"#);
        let (row, exact) = decoded(&table, &encode_sparse(&[0, 2]));
        assert_eq!((row, exact), (Decoded::Numbers(vec![1.0, 0.0, 1.0]), true));
    }

    const DENSE: &str = r#"{"classifier":"dense-nearest-centroid",
        "features":{"columns":["x","y","z"]},
        "scaling":{"mean":[5.843333,-1200.25,0],"deviation":[0.825301,333.5,1e-9]},
        "bounds":{"largest-number":1000000,"largest-squared-length":"3000000000000"}}"#;

    #[test]
    fn decode_returns_numbers_as_they_were_written() {
        let table = encoder(DENSE);
        for row in [[5.1, -1000.0, 0.0], [6.3, -1500.5, 2e-9], [5.8, 0.0, -1e-9]] {
            let sample = table.encode(Example::Numbers(&row)).expect("a sample");
            assert_eq!(
                decoded(&table, &sample),
                (Decoded::Numbers(row.to_vec()), true)
            );
        }
    }

    #[test]
    fn decode_keeps_every_sample_of_numbers_to_the_bit() {
        let table = encoder(DENSE);
        let mut state = 1_u64;
        for _ in 0..2_000 {
            let numbers = [(); 3].map(|()| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // All numbers within the bounds.
                (state >> 32).cast_signed().rem_euclid(2_000_001) - 1_000_000
            });
            let numbers = numbers.map(|number| i32::try_from(number).expect("32 bits"));
            let sample = encode_dense32(&numbers);
            let (row, exact) = decoded(&table, &sample);
            assert!(exact, "{numbers:?}: {row:?}");
        }
    }

    #[test]
    fn decode_tells_that_a_constant_is_another_one() {
        let table = encoder(
            r#"{"classifier":"dense-perceptron","features":{"columns":["x"]},
            "scaling":{"mean":[0],"deviation":[1]},"constant":4096,
            "bounds":{"largest-number":8192,"largest-squared-length":"67108864"}}"#,
        );
        let row = Decoded::Numbers(vec![0.5]);
        assert_eq!(
            decoded(&table, &encode_dense16(&[2048, 4096])),
            (row.clone(), true)
        );
        assert_eq!(decoded(&table, &encode_dense16(&[2048, 0])), (row, false));
    }

    #[test]
    fn decode_returns_indices_with_values() {
        let sparse = encoder(r#"{"classifier":"naive-bayes","features":{"indices":[7,1,3]}}"#);
        let (row, exact) = decoded(&sparse, &encode_sparse(&[0, 1]));
        let indices = vec![0, 6];
        let values = vec![1.0, 1.0];
        assert_eq!((row, exact), (Decoded::Indexed { indices, values }, true));
        let dense = encoder(
            r#"{"classifier":"dense-nearest-centroid","features":{"indices":[2,9]},
            "scaling":{"mean":[1,0.25],"deviation":[2,0.5]},
            "bounds":{"largest-number":1000000,"largest-squared-length":"2000000000000"}}"#,
        );
        let example = Example::Indexed {
            indices: &[8],
            values: Some(&[0.75]),
        };
        let sample = dense.encode(example).expect("a sample");
        let (indices, values) = (vec![8], vec![0.75]);
        assert_eq!(
            decoded(&dense, &sample),
            (Decoded::Indexed { indices, values }, true)
        );
    }

    #[test]
    fn decode_returns_indices_that_count_from_0() {
        let sparse = encoder(
            r#"{"classifier":"naive-bayes","features":{"indices-up-to":4},"zero-based":true}"#,
        );
        let (row, exact) = decoded(&sparse, &encode_sparse(&[0, 3]));
        let (indices, values) = (vec![0, 3], vec![1.0, 1.0]);
        assert_eq!((row, exact), (Decoded::Indexed { indices, values }, true));
        let dense = encoder(
            r#"{"classifier":"dense-nearest-centroid","features":{"indices-up-to":2},
            "zero-based":true,"scaling":{"mean":[1,0.25],"deviation":[2,0.5]},
            "bounds":{"largest-number":1000000,"largest-squared-length":"2000000000000"}}"#,
        );
        let example = Example::Indexed {
            indices: &[0, 1],
            values: Some(&[2.5, 0.75]),
        };
        let sample = dense.encode(example).expect("a sample");
        let (indices, values) = (vec![0, 1], vec![2.5, 0.75]);
        assert_eq!(
            decoded(&dense, &sample),
            (Decoded::Indexed { indices, values }, true)
        );
    }

    #[test]
    fn decode_returns_the_numbers_of_hashed_words() {
        let hashed = encoder(r#"{"classifier":"naive-bayes","features":{"hashed":100}}"#);
        let text = Example::Text("a warm and funny film");
        let sample = hashed.encode(text).expect("a sample");
        let decoder = Decoder::new(Encoding::Sparse, Some(&hashed));
        assert_eq!(decoder.form(), DecodedForm::Indexed);
        let (Decoded::Indexed { indices, values }, true) = decoder.decode(&sample) else {
            panic!("{:?}", decoder.decode(&sample));
        };
        assert_eq!(values, [1.0; 4]);
        let features: Vec<u16> = indices
            .iter()
            .map(|index| u16::try_from(*index).expect("a feature"))
            .collect();
        assert_eq!(encode_sparse(&features), sample);
        let nothing = Decoded::Indexed {
            indices: Vec::new(),
            values: Vec::new(),
        };
        let unknown = decoder.decode(&encode_sparse(&[100]));
        assert_eq!(unknown, (nothing, false));
    }

    #[test]
    fn decode_returns_the_numbers_of_word_vectors() {
        let id = embedded().id();
        let numbers = |number: &str| vec![number; id.dimensions].join(",");
        let vectors = encoder(&format!(
            r#"{{"classifier":"dense-nearest-centroid","features":{{"vectors":{{"sha256":"{}",
                "dimensions":{}}}}},"scaling":{{"mean":[{}],"deviation":[{}]}}}}"#,
            id.hexadecimal(),
            id.dimensions,
            numbers("11.5"),
            numbers("2700"),
        ));
        let text = "a warm and funny film";
        let sample = vectors.encode(Example::Text(text)).expect("a sample");
        let decoder = Decoder::new(Encoding::Dense32, Some(&vectors));
        let DecodedForm::Columns(names) = decoder.form() else {
            panic!("{:?}", decoder.form());
        };
        assert_eq!(
            (names.len(), names[0].as_str(), names[127].as_str()),
            (128, "dimension_1", "dimension_128")
        );
        let (row, exact) = decoder.decode(&sample);
        let whole = embedded().encode(text).numbers.into_iter().map(f64::from);
        assert_eq!((row, exact), (Decoded::Numbers(whole.collect()), true));
    }

    #[test]
    fn decode_leaves_bytes_without_a_card() {
        let decoder = Decoder::new(Encoding::Sparse, None);
        assert_eq!(decoder.form(), DecodedForm::Bytes);
        let bytes = Decoded::Bytes("0001000a".to_owned());
        assert_eq!(decoder.decode(&encode_sparse(&[1, 10])), (bytes, true));
    }
}

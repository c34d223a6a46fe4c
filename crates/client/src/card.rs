//! Card of a model: its owner's description of it in the registry.

use std::io::{Read, Write};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_bindings::Revert;
use cotrain_learning::{
    Encoder,
    encode::Sort,
    text::{self, MAX_DESCRIPTION, MAX_NAME, TextError, escaped},
};
use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Parameters},
};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::model::ModelFacts;

/// The first and so far only form of a card.
const FORMAT: &str = "cotrain-card/1";

/// Maximum size of an inflated card, in bytes. Anyone can register a model, so the size of what
/// readers inflate must have a limit.
const MAX_BYTES: u64 = 16 << 20;

/// A model's card, in the registry's event as deflated JSON (zlib, RFC 1950) with
/// `"format": "cotrain-card/1"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Card {
    /// Name for people.
    pub name: String,
    /// Purpose, in one or a few sentences.
    pub description: String,
    /// Names of the classes, by their numbers.
    pub classes: Vec<String>,
    /// Encoder that makes samples of text, rows or numbers; `None`: samples are sent raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Encoder>,
    /// Block in which the model was closed; readers begin with its events.
    pub from_block: u64,
}

/// Returns a rejection as text, in which classes have the names of a model's card.
#[must_use]
pub fn explain(rejection: &ContractError, card: Option<&Card>) -> String {
    let name = |label: u16| card.and_then(|card| card.classes.get(usize::from(label)));
    match rejection {
        ContractError::PredictionDiffers { label, predicted } => {
            match (name(*label), name(*predicted)) {
                (Some(label), Some(predicted)) => {
                    format!(
                        "the model predicts {predicted}, not {label}; a refund needs it to agree"
                    )
                }
                _ => rejection.to_string(),
            }
        }
        ContractError::PredictionAgrees { label } => match name(*label) {
            Some(label) => format!("the model predicts {label} too; a report needs it to disagree"),
            None => rejection.to_string(),
        },
        _ => rejection.to_string(),
    }
}

/// Returns the reason of a reverted call as text, as [`explain`] does.
#[must_use]
pub fn explain_revert(reason: &Revert, card: Option<&Card>) -> String {
    match reason {
        Revert::Contract(rejection) => explain(rejection, card),
        other => other.to_string(),
    }
}

/// A fact of a card that differs from the contract, so that the contract reads the card's samples
/// differently.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the card says {card} and the contract {contract}")]
pub struct Contradiction {
    /// The fact in the card.
    card: String,
    /// The fact in the contract.
    contract: String,
}

impl Contradiction {
    fn new(card: impl Into<String>, contract: impl Into<String>) -> Self {
        Self {
            card: card.into(),
            contract: contract.into(),
        }
    }
}

fn describe_bounds(bounds: Option<Bounds>) -> String {
    bounds.map_or_else(
        || "no bounds".to_owned(),
        |bounds| {
            format!(
                "a largest number of {} and a largest squared length of {}",
                bounds.max_number, bounds.max_squared_length
            )
        },
    )
}

/// Returns `true` if a model is verified. Then both contracts run this release's code, the
/// classifier obeys this trainer alone, and card and contract agree about samples.
#[must_use]
pub fn verified(facts: &ModelFacts, contradiction: Option<&Contradiction>) -> bool {
    facts.own_code && facts.closed && contradiction.is_none()
}

/// Failure to read or write a card.
#[derive(Debug, Error)]
pub enum CardError {
    /// The bytes cannot be inflated.
    #[error("the card cannot be inflated; expected zlib (RFC 1950)")]
    Inflate(#[source] std::io::Error),
    /// The inflated card is too large.
    #[error("the card has more than {MAX_BYTES} bytes when it is inflated; keep fewer features")]
    TooLarge,
    /// The bytes have another format.
    #[error(
        "the card's format is `{}`, expected `{FORMAT}`; is there a newer cotrain?",
        escaped(found)
    )]
    Format {
        /// Format that the bytes name.
        found: String,
    },
    /// A text in the card cannot be registered.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A text in the card is too long.
    #[error("the card's {what} has {length} characters, expected at most {max}")]
    TooLong {
        /// Role of the text.
        what: &'static str,
        /// Length of the text, in characters.
        length: usize,
        /// Maximum length, in characters.
        max: usize,
    },
    /// The JSON has another form.
    #[error("the card is not what its format says")]
    Json(#[from] serde_json::Error),
}

/// Bytes of a readable card, as its owner registered them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedCard {
    registry: Address,
    deflated: Bytes,
    sha256: B256,
}

impl PublishedCard {
    /// Reads a card that anyone may have written to a registry, and keeps its bytes.
    ///
    /// # Errors
    /// Those of [`Card::from_bytes`].
    pub fn read(registry: Address, registered: &Bytes) -> Result<(Card, Self), CardError> {
        let (json, length) = inflate(registered)?;
        let published = Self {
            registry,
            deflated: registered.slice(..length),
            sha256: <[u8; 32]>::from(Sha256::digest(&json)).into(),
        };
        Ok((Card::from_json(&json)?, published))
    }

    /// Returns the registry whose event has the card.
    #[must_use]
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// Returns the card's JSON as registered: deflated (zlib, RFC 1950), without any bytes that
    /// follow it.
    #[must_use]
    pub fn deflated(&self) -> &Bytes {
        &self.deflated
    }

    /// Returns the SHA-256 of the inflated JSON.
    #[must_use]
    pub fn sha256(&self) -> B256 {
        self.sha256
    }

    /// Returns a reader that inflates the JSON, which has at most 16 MiB, piece by piece.
    #[must_use]
    pub fn json(&self) -> impl Read + Send + use<> {
        ZlibDecoder::new(std::io::Cursor::new(self.deflated.clone()))
    }
}

/// Returns the inflated bytes, and the number of deflated bytes that they come from.
fn inflate(bytes: &[u8]) -> Result<(Vec<u8>, usize), CardError> {
    let mut json = Vec::new();
    let mut decoder = ZlibDecoder::new(bytes);
    (&mut decoder)
        .take(MAX_BYTES + 1)
        .read_to_end(&mut json)
        .map_err(CardError::Inflate)?;
    if json.len() as u64 > MAX_BYTES {
        return Err(CardError::TooLarge);
    }
    // The reader has taken no more than there are.
    let length = usize::try_from(decoder.total_in()).unwrap_or(bytes.len());
    Ok((json, length.min(bytes.len())))
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'static str,
    #[serde(flatten)]
    card: &'a Card,
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

impl Card {
    /// Returns the card of a model that was closed in a block.
    #[must_use]
    pub fn closed_in(&self, block: u64) -> Self {
        Self {
            from_block: block,
            ..self.clone()
        }
    }

    /// Checks that the card can be registered: people can see its names, and no text is too long.
    ///
    /// # Errors
    /// [`CardError::Text`].
    pub fn check(&self) -> Result<(), CardError> {
        text::check_name("the model's name", &self.name)?;
        text::check("the description", &self.description, MAX_DESCRIPTION)?;
        for class in &self.classes {
            text::check_name("the name of a class", class)?;
        }
        // Words are what a tokenizer finds and indices are numbers, so only names of columns need a
        // check.
        let encoder = self.encoder.iter();
        let tables = encoder.filter(|encoder| encoder.takes() == Sort::Numbers);
        for name in tables.flat_map(|it| (0..it.features()).filter_map(|column| it.name(column))) {
            text::check("the name of a column", &name, MAX_NAME)?;
        }
        Ok(())
    }

    /// Checks that the card agrees with the contract on learner, number of features and bounds.
    ///
    /// # Errors
    /// [`Contradiction`] with the first fact that differs.
    pub fn check_against(&self, parameters: &Parameters) -> Result<(), Contradiction> {
        let Some(encoder) = &self.encoder else {
            return Ok(());
        };
        let (kind, of) = (encoder.kind(), parameters.kind());
        if kind != of {
            return Err(Contradiction::new(
                format!("the learner is {}", kind.name()),
                of.name(),
            ));
        }
        let (features, of) = (encoder.model_features(), parameters.features());
        if features != of as usize {
            return Err(Contradiction::new(
                format!("{features} features"),
                of.to_string(),
            ));
        }
        let (bounds, of) = (encoder.bounds(), parameters.bounds());
        if bounds != of {
            let message = (describe_bounds(bounds), describe_bounds(of));
            return Err(Contradiction::new(message.0, message.1));
        }
        Ok(())
    }

    /// Checks that no text of the card is longer than the lists of models allow. Their content may
    /// be anything: [`escaped`] makes it safe to show.
    fn bound(&self) -> Result<(), CardError> {
        let name = [("name", &self.name, MAX_NAME)];
        let description = [("description", &self.description, MAX_DESCRIPTION)];
        let classes = self.classes.iter().map(|class| ("class", class, MAX_NAME));
        for (what, text, max) in name.into_iter().chain(description).chain(classes) {
            let length = text.chars().count();
            if length > max {
                return Err(CardError::TooLong { what, length, max });
            }
        }
        Ok(())
    }

    /// Returns the card as JSON, which ends with the block of the closing.
    ///
    /// # Errors
    /// [`CardError::Text`] or [`CardError::TooLarge`].
    pub fn to_json(&self) -> Result<String, CardError> {
        self.check()?;
        let json = serde_json::to_string(&Written {
            format: FORMAT,
            card: self,
        })?;
        if json.len() as u64 > MAX_BYTES {
            return Err(CardError::TooLarge);
        }
        Ok(json)
    }

    /// Returns the card as bytes for the registry: deflated JSON.
    ///
    /// # Errors
    /// Those of [`to_json`](Self::to_json).
    pub fn to_bytes(&self) -> Result<Vec<u8>, CardError> {
        let json = self.to_json()?;
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(json.as_bytes())
            .and_then(|()| encoder.finish())
            .map_err(CardError::Inflate)
    }

    /// Reads a card that anyone may have written.
    ///
    /// # Errors
    /// If the bytes cannot be inflated, are too many when inflated, or are no card of this format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        Self::from_json(&inflate(bytes)?.0)
    }

    fn from_json(json: &[u8]) -> Result<Self, CardError> {
        let Format { format } = serde_json::from_slice(json)?;
        if format != FORMAT {
            return Err(CardError::Format { found: format });
        }
        let card: Self = serde_json::from_slice(json)?;
        card.bound()?;
        Ok(card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        let encoder = r#"{"classifier":"sparse-perceptron","features":{"words":["good","bad"]}}"#;
        Card {
            name: "films".to_owned(),
            description: "The mood of film reviews.".to_owned(),
            classes: vec!["negative".to_owned(), "positive".to_owned()],
            encoder: Some(serde_json::from_str(encoder).unwrap()),
            from_block: 12,
        }
    }

    fn deflated(json: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(json).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn from_bytes_reads_what_to_bytes_wrote() {
        for encoder in [card().encoder, None] {
            let card = Card { encoder, ..card() };
            let read = Card::from_bytes(&card.to_bytes().unwrap()).unwrap();
            let json = |card: &Card| serde_json::to_string(card).unwrap();
            assert_eq!(json(&read), json(&card));
        }
    }

    #[test]
    fn published_card_keeps_the_bytes_and_the_hash_of_their_json() {
        // Spaces and unknown fields stay, as another program may have written them.
        let json = br#"{ "format":"cotrain-card/1", "more": [1], "name":"a","description":"","classes":[],"from_block":7}"#;
        let deflated = deflated(json);
        let mut registered = deflated.clone();
        registered.extend(b"and more");
        let registry = Address::with_last_byte(9);
        let (card, published) = PublishedCard::read(registry, &registered.into()).unwrap();
        assert_eq!(published.registry(), registry);
        assert_eq!((card.name.as_str(), card.from_block), ("a", 7));
        assert_eq!(published.deflated(), &deflated);
        assert_eq!(published.sha256()[..], Sha256::digest(json)[..]);
        let mut read = Vec::new();
        published.json().read_to_end(&mut read).unwrap();
        assert_eq!(read, json);
    }

    #[test]
    fn from_bytes_says_why_bytes_are_no_card() {
        let message = |bytes: &[u8]| Card::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(
            message(b"{}"),
            "the card cannot be inflated; expected zlib (RFC 1950)"
        );
        let whole = card().to_bytes().unwrap();
        Card::from_bytes(&whole[..whole.len() / 2]).unwrap_err();
        assert_eq!(
            message(&deflated(br#"{"format":"cotrain-card/2"}"#)),
            "the card's format is `cotrain-card/2`, expected `cotrain-card/1`; is there a newer cotrain?"
        );
        assert_eq!(
            message(&deflated(br#"{"format":"cotrain-card/1"}"#)),
            "the card is not what its format says"
        );
        assert_eq!(
            message(&deflated(b"[]")),
            "the card is not what its format says"
        );
    }

    #[test]
    fn to_bytes_refuses_names_with_invisible_characters() {
        let columns =
            r#"{"classifier":"sparse-perceptron","features":{"columns":["a","b\u001b[2J"]}}"#;
        for (card, message) in [
            (
                Card {
                    name: "evil\u{1b}]0;pwned\u{7}".to_owned(),
                    ..card()
                },
                "the model's name is `evil\\u{1b}]0;pwned\\u{7}`: character 5 is U+001B",
            ),
            (
                Card {
                    name: String::new(),
                    ..card()
                },
                "the model's name is empty",
            ),
            (
                Card {
                    description: "x\nfoo".to_owned(),
                    ..card()
                },
                "the description is `x\\nfoo`: character 2 is U+000A",
            ),
            (
                Card {
                    classes: vec!["ham".to_owned(), "sp\u{202e}am".to_owned()],
                    ..card()
                },
                "the name of a class is `sp\\u{202e}am`: character 3 is U+202E",
            ),
            (
                Card {
                    encoder: Some(serde_json::from_str(columns).unwrap()),
                    ..card()
                },
                "the name of a column is `b\\u{1b}[2J`",
            ),
            (
                Card {
                    name: "x".repeat(MAX_NAME + 1),
                    ..card()
                },
                "the model's name has 201 characters, expected at most 200",
            ),
        ] {
            let error = card.to_bytes().unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn from_bytes_takes_any_characters_but_no_long_names() {
        let written = |name: &str, class: &str| {
            let json = serde_json::json!({
                "format": FORMAT, "name": name, "description": "", "classes": [class], "from_block": 1
            });
            deflated(json.to_string().as_bytes())
        };
        let read = Card::from_bytes(&written("evil\u{1b}[2J", "a\nb")).unwrap();
        assert_eq!(
            (read.name.as_str(), read.classes[0].as_str()),
            ("evil\u{1b}[2J", "a\nb")
        );
        for (name, class) in [
            ("x".repeat(201), "a".to_owned()),
            ("x".to_owned(), "é".repeat(201)),
        ] {
            let error = Card::from_bytes(&written(&name, &class)).unwrap_err();
            assert!(
                matches!(
                    error,
                    CardError::TooLong {
                        length: 201,
                        max: 200,
                        ..
                    }
                ),
                "{error}"
            );
        }
    }

    #[test]
    fn check_against_compares_learner_features_and_bounds() {
        let bounds = Bounds {
            max_number: 8_192,
            max_squared_length: 67_108_864,
        };
        let dense = |features, bounds| Parameters::DensePerceptron {
            features,
            learning_rate: 1,
            intercept: 0,
            bounds,
        };
        let encoder = r#"{"classifier":"dense-perceptron","features":{"columns":["x","y"]},
            "scaling":{"mean":[0,0],"deviation":[1,1]},"constant":4096,
            "bounds":{"largest-number":8192,"largest-squared-length":"67108864"}}"#;
        let numbers = Card {
            encoder: Some(serde_json::from_str(encoder).unwrap()),
            ..card()
        };
        let message = |card: &Card, parameters| {
            card.check_against(&parameters)
                .map_or_else(|error| error.to_string(), |()| String::new())
        };
        assert_eq!(message(&numbers, dense(3, bounds)), "");
        assert_eq!(
            message(&numbers, dense(2, bounds)),
            "the card says 3 features and the contract 2"
        );
        for (max_number, max_squared_length) in [
            (4_096, 67_108_864),
            (16_384, 67_108_864),
            (8_192, 67_108_863),
            (8_192, 67_108_865),
        ] {
            let other = Bounds {
                max_number,
                max_squared_length,
            };
            assert_eq!(
                message(&numbers, dense(3, other)),
                format!(
                    "the card says a largest number of 8192 and a largest squared length of 67108864 and the contract \
                     a largest number of {max_number} and a largest squared length of {max_squared_length}"
                )
            );
        }
        let sparse = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 2,
        };
        assert_eq!(
            message(&card(), sparse),
            "the card says the learner is sparse-perceptron and the contract sparse-nearest-centroid"
        );
        let raw = Card {
            encoder: None,
            ..card()
        };
        assert_eq!(message(&raw, sparse), "");
    }

    #[test]
    fn explain_names_classes_as_the_card_does() {
        let differs = ContractError::PredictionDiffers {
            label: 1,
            predicted: 0,
        };
        let message = explain(&differs, Some(&card()));
        assert_eq!(
            message,
            "the model predicts negative, not positive; a refund needs it to agree"
        );
        assert_eq!(explain(&differs, None), differs.to_string());
        let agrees = ContractError::PredictionAgrees { label: 1 };
        assert!(explain(&agrees, Some(&card())).contains("predicts positive too"));
        // A card may have fewer names than the model has classes.
        let agrees = ContractError::PredictionAgrees { label: 2 };
        assert_eq!(explain(&agrees, Some(&card())), agrees.to_string());
    }

    #[test]
    fn from_bytes_refuses_a_bomb() {
        let bomb = deflated(&vec![b' '; 17 << 20]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(Card::from_bytes(&bomb), Err(CardError::TooLarge)));
    }
}

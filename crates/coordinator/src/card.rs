//! What a host publishes of a model beside its weights.

use std::io::{Read, Write};

use cotrain_learning::Encoder;
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The first and so far only form of a card.
const FORMAT: &str = "cotrain-card/1";

/// The most bytes that a card may have when it is inflated: whoever registers a model chooses what
/// others have to unpack.
const MOST_BYTES: u64 = 16 << 20;

/// A model's card, in the registry's event as deflated JSON (zlib, RFC 1950) with
/// `"format": "cotrain-card/1"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Card {
    /// What people call the model.
    pub name: String,
    /// What it is for, in a sentence or a few.
    pub description: String,
    /// The name of each class, by its number.
    pub classes: Vec<String>,
    /// How text, rows or numbers become samples; none: samples are sent raw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Encoder>,
    /// The block in which the model was closed: its events are read from there on.
    pub from_block: u64,
}

/// Why bytes are no card, or a card cannot be written.
#[derive(Debug, Error)]
pub enum CardError {
    /// The bytes cannot be unpacked.
    #[error("the card cannot be inflated; zlib is wanted (RFC 1950)")]
    Inflate(#[source] std::io::Error),
    /// More than anyone needs.
    #[error("the card has more than {MOST_BYTES} bytes when it is inflated; keep fewer features")]
    TooLarge,
    /// What is in it is none of ours.
    #[error("the card's format is `{found}`, `{FORMAT}` is wanted; is there a newer cotrain?")]
    Format {
        /// The format that it names.
        found: String,
    },
    /// The JSON has another form.
    #[error("the card is not what its format says")]
    Json(#[from] serde_json::Error),
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
    /// As it goes into the registry.
    ///
    /// # Errors
    /// [`CardError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, CardError> {
        let json = serde_json::to_vec(&Written {
            format: FORMAT,
            card: self,
        })?;
        if json.len() as u64 > MOST_BYTES {
            return Err(CardError::TooLarge);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder
            .write_all(&json)
            .and_then(|()| encoder.finish())
            .map_err(CardError::Inflate)
    }

    /// Reads a card that anyone may have written.
    ///
    /// # Errors
    /// Where the bytes cannot be inflated, are too many then, or are no card of this format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let mut json = Vec::new();
        ZlibDecoder::new(bytes)
            .take(MOST_BYTES + 1)
            .read_to_end(&mut json)
            .map_err(CardError::Inflate)?;
        if json.len() as u64 > MOST_BYTES {
            return Err(CardError::TooLarge);
        }
        let Format { format } = serde_json::from_slice(&json)?;
        if format != FORMAT {
            return Err(CardError::Format { found: format });
        }
        Ok(serde_json::from_slice(&json)?)
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
    fn a_card_comes_back() {
        for encoder in [card().encoder, None] {
            let card = Card { encoder, ..card() };
            let read = Card::from_bytes(&card.to_bytes().unwrap()).unwrap();
            let json = |card: &Card| serde_json::to_string(card).unwrap();
            assert_eq!(json(&read), json(&card));
        }
    }

    #[test]
    fn what_is_no_card_is_told() {
        let told = |bytes: &[u8]| Card::from_bytes(bytes).unwrap_err().to_string();
        assert_eq!(
            told(b"{}"),
            "the card cannot be inflated; zlib is wanted (RFC 1950)"
        );
        let whole = card().to_bytes().unwrap();
        Card::from_bytes(&whole[..whole.len() / 2]).unwrap_err();
        assert_eq!(
            told(&deflated(br#"{"format":"cotrain-card/2"}"#)),
            "the card's format is `cotrain-card/2`, `cotrain-card/1` is wanted; is there a newer cotrain?"
        );
        assert_eq!(
            told(&deflated(br#"{"format":"cotrain-card/1"}"#)),
            "the card is not what its format says"
        );
        assert_eq!(
            told(&deflated(b"[]")),
            "the card is not what its format says"
        );
    }

    #[test]
    fn a_bomb_does_no_harm() {
        let bomb = deflated(&vec![b' '; 17 << 20]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(Card::from_bytes(&bomb), Err(CardError::TooLarge)));
    }
}

//! Cards as strangers may have written them.

use std::io::Write as _;

use cotrain_client::card::Card;
use flate2::{Compression, write::ZlibEncoder};
use proptest::prelude::*;

const CARD: &str = r#"{"format":"cotrain-card/1","name":"films","description":"The mood.","classes":["bad","good"],"encoder":{"classifier":"sparse-perceptron","features":{"words":["good","bad"]}},"from_block":12}"#;

fn deflated(json: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(json).unwrap();
    encoder.finish().unwrap()
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Vec<u8>, usize)]) -> Vec<u8> {
    for (at, with, cut) in changes {
        let at = at.index(bytes.len() + 1);
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with.iter().copied());
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Vec<u8>, usize)>> {
    let with = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        "[0-9a-z\"{}\\[\\]:,.\\\\-]{0,6}".prop_map(String::into_bytes),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), with, 0_usize..8), 0..4)
}

proptest! {
    /// Cards that are read from any bytes come back, if they can be registered.
    #[test]
    fn card_survives_any_bytes(json in changes(), packed in changes(), noise: Vec<u8>) {
        let _ = Card::from_bytes(&noise);
        let bytes = changed(deflated(&changed(CARD.into(), &json)), &packed);
        if let Ok(card) = Card::from_bytes(&bytes)
            && let Ok(written) = card.to_bytes()
        {
            let again = Card::from_bytes(&written).unwrap();
            prop_assert_eq!(again.to_json().unwrap(), card.to_json().unwrap());
        }
    }
}

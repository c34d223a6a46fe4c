//! Macaroons against those that another program made: see `macaroons/vectors.py`.

use alloy_primitives::{B256, hex};
use cotrain_payments::macaroon::{Caveat, Identifier, Macaroon};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    key: String,
    payment_hash: B256,
    token: B256,
    caveats: Vec<String>,
    location: String,
    text: String,
    bytes: String,
    signature: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("macaroons/vectors.json")).expect("vectors")
}

fn key(vector: &Vector) -> [u8; 32] {
    let bytes = hex::decode(&vector.key).expect("hexadecimal");
    bytes.try_into().expect("32 bytes")
}

/// Returns the bytes with a location, which the other program always writes, and ours never does.
fn with_location(macaroon: &Macaroon, location: &str) -> Vec<u8> {
    let bytes = macaroon.to_bytes();
    let length = u8::try_from(location.len()).expect("short");
    [&bytes[..1], &[1, length], location.as_bytes(), &bytes[1..]].concat()
}

#[test]
fn macaroon_reads_and_checks_those_of_another_program() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 4);
    for vector in &vectors {
        let macaroon = Macaroon::from_base64(&vector.text).expect("a macaroon");
        let bytes = hex::decode(&vector.bytes).expect("hexadecimal");
        assert_eq!(Macaroon::from_bytes(&bytes), Ok(macaroon.clone()));
        let expected = Identifier {
            payment_hash: vector.payment_hash,
            token: vector.token,
        };
        assert_eq!(macaroon.identifier(), Ok(expected));
        assert!(macaroon.is_made_by(&key(vector)));
        let mut other = key(vector);
        other[31] ^= 1;
        assert!(!macaroon.is_made_by(&other));
        assert_eq!(with_location(&macaroon, &vector.location), bytes);
        let again = Macaroon::from_base64(&macaroon.to_base64());
        assert_eq!(again, Ok(macaroon.clone()));
        assert!(hex::encode(macaroon.to_bytes()).ends_with(&vector.signature));
    }
}

#[test]
fn macaroon_is_made_as_by_another_program() {
    let vectors = vectors();
    let vector = &vectors[2];
    let label = || "label".to_owned();
    let caveats = [
        Caveat::Service {
            name: label(),
            tier: 0,
        },
        Caveat::Capabilities {
            service: label(),
            names: vec!["train".into(), "decide".into()],
        },
        Caveat::ValidUntil {
            service: label(),
            time: 1_800_000_000,
        },
    ];
    let texts: Vec<_> = caveats.iter().map(ToString::to_string).collect();
    assert_eq!(texts, vector.caveats);
    let identifier = Identifier {
        payment_hash: vector.payment_hash,
        token: vector.token,
    };
    let made = Macaroon::new(&key(vector), &identifier);
    let made = caveats.iter().fold(made, Macaroon::with_caveat);
    let bytes = with_location(&made, &vector.location);
    assert_eq!(hex::encode(bytes), vector.bytes);
}

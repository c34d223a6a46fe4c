//! Parties, offers and states that several tests use.

use std::convert::Infallible;

use alloy_primitives::{Address, B256, address, b256};
use cotrain_payments::x402::{
    Token,
    wire::{PaymentRequired, PaymentRequirements, Resource},
};
use cotrain_protocol::signature::Key;

/// Chain of development nodes.
pub(crate) const CHAIN: u64 = 31337;
/// Time of all tests, in Unix seconds.
pub(crate) const NOW: u64 = 1_800_000_000;
/// First account of development nodes.
pub(crate) const PAYER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Returns the key of the payer.
pub(crate) fn payer() -> Key {
    let secret = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
    Key::new(secret).expect("a key")
}

/// Returns a signer for a key.
pub(crate) fn signer(key: &Key) -> impl FnMut(B256) -> Result<[u8; 65], Infallible> + '_ {
    |hash| Ok(key.sign(hash))
}

/// Returns the token of all offers.
pub(crate) fn token() -> Token {
    Token {
        chain_id: CHAIN,
        address: address!("0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        name: "Test Dollar".to_owned(),
        version: "1".to_owned(),
    }
}

/// Returns the account that is paid.
pub(crate) fn receiver() -> Address {
    address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
}

/// Returns the demand of a payment by one offer.
pub(crate) fn required(offer: PaymentRequirements) -> PaymentRequired {
    PaymentRequired {
        x402_version: 2,
        error: None,
        resource: Some(Resource {
            url: "http://127.0.0.1:8080/v1/label/sessions".to_owned(),
            description: Some("A session".to_owned()),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        }),
        accepts: vec![offer],
        extensions: std::collections::BTreeMap::new(),
    }
}

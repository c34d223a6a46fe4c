//! Parties, offers and states that several tests use.

use std::convert::Infallible;

use alloy_primitives::{Address, B256, U256, address, b256};
use cotrain_payments::x402::{
    Token,
    batch::{
        ChainState, Channel, Deployment, Facts, Limits, PayerChannel, Terms, payload::BatchPayload,
    },
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

/// Returns the terms of a channel, for a request of this price.
pub(crate) fn terms(amount: u128) -> Terms {
    Terms {
        token: token(),
        amount,
        receiver: address!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
        receiver_authorizer: address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        withdraw_delay: 900,
        max_timeout: 60,
        min_deposit: None,
    }
}

/// Returns the deployment at the standard's addresses.
pub(crate) fn deployment() -> Deployment {
    Deployment::standard(CHAIN)
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

/// Returns the state of a channel on the chain.
pub(crate) fn chain(balance: u128, total_claimed: u128, read_at: u64) -> ChainState {
    ChainState {
        balance,
        total_claimed,
        ..ChainState::unused(read_at)
    }
}

/// Returns facts without questions answered.
pub(crate) fn facts(now: u64) -> Facts {
    Facts {
        now,
        chain: None,
        payer_balance: Some(U256::MAX),
        contract: None,
    }
}

/// Returns limits that stop nothing.
pub(crate) fn unlimited() -> Limits {
    Limits {
        request: u128::MAX,
        total: u128::MAX,
        deposits: u128::MAX,
    }
}

/// Returns both sides of a channel with this balance.
pub(crate) fn pair(balance: u128) -> (PayerChannel, Channel) {
    let payer = PayerChannel::open(&deployment(), &terms(1), PAYER, B256::ZERO, balance, 0);
    let state = chain(balance, 0, NOW);
    let channel = Channel::open(&deployment(), payer.config().clone(), state);
    (payer, channel)
}

/// Returns the payer's payment of a request with this price.
pub(crate) fn pay(payer: &mut PayerChannel, amount: u128) -> BatchPayload {
    let offer = terms(amount).offer();
    let key = self::payer();
    let salt = B256::with_last_byte(1);
    let payment = payer.pay(&deployment(), &offer, &unlimited(), salt, NOW, signer(&key));
    payment.expect("a payment")
}

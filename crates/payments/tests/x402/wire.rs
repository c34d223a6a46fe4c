//! Wire types: unknown keys, bounds, and round trips.

use std::collections::BTreeMap;

use cotrain_payments::x402::{
    Decimal, Json, Number, Reason,
    wire::{
        FacilitatorRequest, PaymentPayload, PaymentRequired, PaymentRequirements,
        SettlementResponse, SupportedResponse, VerifyResponse,
    },
};
use proptest::{collection, option, prelude::*};
use serde_json::{Value, json};

/// Returns any JSON value of a small depth.
fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<u64>().prop_map(Json::from),
        (i64::MIN..0).prop_map(|it| Json::Number(Number::Signed(it))),
        (-1e9..1e9).prop_map(|it| Json::Number(Number::Float(it))),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            collection::btree_map(".{0,6}", inner, 0..4).prop_map(Json::Object),
        ]
    })
}

fn extensions() -> impl Strategy<Value = BTreeMap<String, Json>> {
    collection::btree_map("[a-z-]{1,12}", values(), 0..3)
}

fn offers() -> impl Strategy<Value = PaymentRequirements> {
    let amount =
        any::<[u64; 4]>().prop_map(|limbs| Decimal(alloy_primitives::U256::from_limbs(limbs)));
    let others = collection::btree_map("other[A-Z]{1,4}", values(), 0..2);
    let text = (
        "[a-z-]{1,8}",
        "eip155:[1-9][0-9]{0,6}",
        ".{0,42}",
        ".{0,42}",
    );
    (text, amount, any::<u64>(), values(), others).prop_map(
        |((scheme, network, asset, pay_to), amount, max_timeout_seconds, extra, others)| {
            PaymentRequirements {
                scheme,
                network,
                amount,
                asset,
                pay_to,
                max_timeout_seconds,
                extra,
                others,
            }
        },
    )
}

fn round<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_vec(value).expect("JSON");
    serde_json::from_slice(&text).expect("the value")
}

proptest! {
    #[test]
    fn json_keeps_values(value in values()) {
        prop_assert_eq!(&round(&value), &value);
        prop_assert_eq!(&value.read::<Json>().expect("JSON"), &value);
        prop_assert!(value.includes(&value));
    }

    #[test]
    fn payment_required_is_read_as_it_was_written(
        error in option::of(".{1,30}"),
        accepts in collection::vec(offers(), 0..3),
        extensions in extensions(),
    ) {
        let required = PaymentRequired {
            x402_version: 2,
            error: error.map(|it| Reason::of(&it)),
            resource: None,
            accepts,
            extensions,
        };
        prop_assert_eq!(round(&required), required);
    }

    #[test]
    fn payment_payload_is_read_as_it_was_written(
        accepted in offers(),
        payload in values(),
        extensions in extensions(),
    ) {
        prop_assert!(accepted.is_accepted_by(&round(&accepted)));
        let payment = PaymentPayload {
            x402_version: 2,
            resource: None,
            accepted: accepted.clone(),
            payload,
            extensions,
        };
        prop_assert_eq!(&round(&payment), &payment);
        let request = FacilitatorRequest {
            x402_version: 2,
            payment_payload: payment,
            payment_requirements: accepted,
        };
        prop_assert_eq!(&round(&request), &request);
    }

    #[test]
    fn payment_payload_never_panics_on_strange_values(payload in values(), offer in offers()) {
        use cotrain_payments::x402::{batch::Terms, batch::payload::BatchPayload, exact::ExactPayload};
        let _ = payload.read::<BatchPayload>();
        let _ = payload.read::<ExactPayload>();
        let _ = Terms::of(&offer);
        let _ = offer.chain_id();
    }
}

#[test]
fn payment_payload_tolerates_unknown_keys_and_keeps_extensions() {
    let offer = json!({
        "scheme": "exact", "network": "eip155:1", "amount": "1", "asset": "0x", "payTo": "x",
        "maxTimeoutSeconds": 1, "future": {"a": [1, -2, 0.5, null]},
    });
    let text = json!({
        "x402Version": 2, "accepted": offer, "payload": {"anything": 1},
        "extensions": {"strange": {"info": {"deep": [true]}}}, "unknown": 7,
    });
    let payment: PaymentPayload = serde_json::from_value(text.clone()).expect("a payment");
    let mut kept = text;
    kept.as_object_mut().expect("an object").remove("unknown");
    let written: Value = serde_json::to_value(&payment).expect("JSON");
    assert_eq!(written, kept);
}

#[test]
fn payment_requirements_know_evm_chains_and_addresses() {
    let read = |network: &str, asset: &str| {
        let offer = json!({
            "scheme": "exact", "network": network, "amount": "1", "asset": asset, "payTo": asset,
            "maxTimeoutSeconds": 1,
        });
        let offer: PaymentRequirements = serde_json::from_value(offer).expect("an offer");
        (offer.chain_id(), offer.asset().is_some())
    };
    let address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    assert_eq!(read("eip155:8453", address), (Some(8453), true));
    assert_eq!(read("eip155:0x1", &address.to_lowercase()), (None, true));
    assert_eq!(read("eip155:", &address[2..]), (None, false));
    assert_eq!(read("solana:8453", "0x12"), (None, false));
    assert_eq!(read("eip155:18446744073709551616", "USD"), (None, false));
}

#[test]
fn settlement_response_reads_the_specifications_examples() {
    let response: SettlementResponse = serde_json::from_value(json!({
        "success": false, "errorReason": "insufficient_funds", "payer": "0x857b",
        "transaction": "", "network": "eip155:84532", "extensionResponses": {},
    }))
    .expect("a response");
    assert_eq!(response.error_reason, Some(Reason::InsufficientFunds));
    let failure = SettlementResponse::failure("eip155:1", None, Reason::SettlementPending);
    assert_eq!(
        serde_json::to_value(failure).expect("JSON"),
        json!({
            "success": false, "errorReason": "settlement_pending", "transaction": "",
            "network": "eip155:1",
        })
    );
    let verify: VerifyResponse =
        serde_json::from_value(json!({"isValid": true, "payer": "0x857b"})).expect("a response");
    assert!(verify.is_valid);
    let supported: SupportedResponse = serde_json::from_value(json!({
        "kinds": [{"x402Version": 2, "scheme": "exact", "network": "eip155:84532"}],
        "extensions": [], "signers": {"eip155:*": ["0x1234"]},
    }))
    .expect("a response");
    assert_eq!(supported.kinds[0].scheme, "exact");
}

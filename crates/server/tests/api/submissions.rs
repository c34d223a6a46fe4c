//! Signed batches and delegations.

use alloy_primitives::Address;
use axum::{body::Body, http::Request};
use cotrain_protocol::{
    sample::{Item, encode_batch},
    trainer::{SignedBatch, domain},
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fake::{AUTHOR, CHAIN, NO_ROOM, RAW, TEXTS},
};

pub(crate) fn batch(nonce: u64) -> Value {
    let items = encode_batch(&[Item {
        label: 1,
        sample: &[0, 1],
    }])
    .unwrap();
    json!({
        "author": AUTHOR, "maxDeposit": "5000", "fee": "7", "nonce": nonce, "deadline": 2_000,
        "items": alloy_primitives::Bytes::from(items), "signature": "0x01"
    })
}

/// `batch` for one relayer.
fn named(nonce: u64, relayer: &Value) -> Value {
    let mut batch = batch(nonce);
    batch["relayer"] = relayer.clone();
    batch
}

/// `batch` with another value for a key.
fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut batch = batch(20);
    batch[name] = value.into();
    batch
}

fn path() -> String {
    format!("/v1/models/{TEXTS}/submissions")
}

#[tokio::test]
async fn a_batch_is_taken_once_and_followed() {
    let client = Client::new();
    let taken = client.post(&path(), batch(0)).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let submission = taken.json();
    let signed = SignedBatch {
        author: AUTHOR,
        relayer: Address::ZERO,
        max_deposit: 5_000,
        fee: 7,
        nonce: 0,
        deadline: 2_000,
        items: vec![0, 1, 0, 2, 0, 1],
        signature: vec![1],
    };
    let id = signed.signing_hash(&domain(CHAIN, TEXTS));
    assert_eq!(submission["id"], format!("{id:?}"));
    assert_eq!(
        (&submission["status"], &submission["contributions"]),
        (&json!("waiting"), &json!(1))
    );
    let again = client.post(&path(), batch(0)).await;
    assert_eq!(
        (again.status.as_u16(), again.json()),
        (200, submission.clone())
    );
    let location = taken.header("location");
    assert_eq!(location, format!("/v1/submissions/{id:?}"));
    assert_eq!(client.json(location).await, submission);
    let none = client
        .get(&format!("/v1/submissions/0x{}", "00".repeat(32)))
        .await;
    assert_eq!(none.problem(404), "unknown-submission");

    for (nonce, status) in [(10, "refused"), (11, "sent"), (12, "included")] {
        assert_eq!(
            client.post(&path(), batch(nonce)).await.json()["status"],
            status
        );
    }
    let page = client
        .json(&format!("{}?author={AUTHOR}&limit=3", path()))
        .await;
    assert_eq!(page["rows"][1]["reason"], "too late");
    assert_eq!(
        page["next"],
        format!("{}?after=3&limit=3&author={AUTHOR}", path())
    );
    let page = client.json(page["next"].as_str().unwrap()).await;
    let row = &page["rows"][0];
    assert_eq!((&row["position"], &row["block"]), (&json!(4), &json!(11)));
    // Part of the chain, where all of it is public.
    assert_eq!(
        (&row["fee"], &row["items"], &row["deadline"]),
        (&json!("7"), &json!("0x000100020001"), &json!(2_000))
    );
    let others = client.json(&format!("{}?author={RAW}", path())).await;
    assert_eq!(others, json!({"rows": [], "next": null}));
}

/// Until it is part of the chain, a batch could be copied, or sent by somebody else.
#[tokio::test]
async fn submission_tells_nothing_that_was_signed_before_it_is_included() {
    let client = Client::new();
    for nonce in [0, 10, 11, 12] {
        let taken = client.post(&path(), batch(nonce)).await;
        let id = taken.json()["id"].as_str().unwrap().to_owned();
        let one = client.json(&format!("/v1/submissions/{id}")).await;
        let again = client.post(&path(), batch(nonce)).await;
        for answer in [&taken.json(), &one, &again.json()] {
            assert_eq!(answer["id"], id);
            let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
            assert!(
                !keys.iter().any(|key| key.contains("signature")),
                "{keys:?}"
            );
            for secret in ["relayer", "maxDeposit", "fee", "deadline", "items"] {
                assert_eq!(answer[secret].is_null(), nonce != 12, "{nonce} {secret}");
            }
            let items = answer.to_string().contains("000100020001");
            assert_eq!(items, nonce == 12, "{answer}");
        }
    }
    // An id is a hash of the contents: a stranger who lists could find out by guessing what was signed.
    let page = client.json(&path()).await;
    let ids: Vec<_> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].is_null())
        .collect();
    assert_eq!(ids, [true, true, true, false]);
}

#[tokio::test]
async fn a_batch_names_its_relayer() {
    let client = Client::new();
    let relayer = client.json(&format!("/v1/models/{TEXTS}")).await["relayer"].clone();
    let free = client.post(&path(), batch(0)).await;
    let zero = client.post(&path(), named(0, &json!(Address::ZERO))).await;
    assert_eq!(
        (zero.status.as_u16(), zero.json()),
        (200, free.json()),
        "the same"
    );
    let bound = client.post(&path(), named(20, &relayer)).await;
    assert_eq!(bound.status, 202, "{}", bound.text());
    let other = client.post(&path(), named(21, &json!(AUTHOR))).await;
    assert_eq!(other.problem(422), "other-relayer");
    let other = other.json();
    assert_eq!(
        (&other["relayer"], &other["expected"]),
        (&json!(AUTHOR.to_string()), &relayer)
    );
    let wrong = client.post(&path(), named(22, &json!(1))).await;
    assert_eq!(wrong.problem(422), "invalid-request");
}

#[tokio::test]
async fn a_refused_batch_says_why() {
    let client = Client::new();
    // One letter is in the other case.
    let right = AUTHOR.to_string();
    let last = right.as_bytes()[41] ^ 0x20;
    let wrong = format!("{}{}", &right[..41], char::from(last));
    for (body, status, kind) in [
        (batch(1), 409, "nonce-used"),
        (batch(2), 409, "nonce-taken"),
        (batch(3), 404, "not-served"),
        (batch(4), 422, "balance-too-low"),
        (batch(5), 409, "nonce-too-far"),
        (batch(NO_ROOM), 503, "too-many-waiting"),
        (with("deadline", 999), 422, "expired"),
        (with("maxDeposit", "0"), 422, "price-too-high"),
        (with("fee", "0"), 422, "fee-too-low"),
        (with("signature", "0x"), 422, "invalid-signature"),
        (with("items", "0x"), 422, "invalid-request"),
        (with("items", "0x00"), 422, "invalid-request"),
        (
            with("maxDeposit", (1_u128 << 96).to_string()),
            422,
            "invalid-request",
        ),
        (
            with("fee", "340282366920938463463374607431768211456"),
            422,
            "invalid-request",
        ),
        (with("fee", "-1"), 422, "invalid-request"),
        (with("fee", "+1"), 422, "invalid-request"),
        (with("fee", "01"), 422, "invalid-request"),
        (with("fee", ""), 422, "invalid-request"),
        (with("fee", 1), 422, "invalid-request"),
        (with("nonce", 1_u64 << 48), 422, "invalid-request"),
        (with("nonce", -1), 422, "invalid-request"),
        (with("deadline", 1_u64 << 40), 422, "invalid-request"),
        (with("author", "\0"), 422, "invalid-request"),
        // A digit is in the wrong case; and nobody's address.
        (with("author", wrong.as_str()), 422, "invalid-request"),
        (
            with("author", format!("0x{}", "0".repeat(40))),
            422,
            "invalid-request",
        ),
        (
            with("signature", format!("0x{}", "00".repeat(65_536))),
            422,
            "invalid-request",
        ),
        (with("more", 1), 422, "invalid-request"),
    ] {
        let answer = client.post(&path(), &body).await;
        assert_eq!(answer.problem(status), kind, "{}", answer.text());
    }
    let answer = client.post(&path(), batch(4)).await.json();
    assert_eq!(
        (&answer["author"], &answer["required"], &answer["balance"]),
        (&json!(AUTHOR.to_string()), &json!("9"), &json!("8"))
    );
    let told = format!(
        "the account {AUTHOR} has 8 wei prepaid, and this with what waits needs 9 wei: 1 wei is missing; prepay it with \
         `cotrain deposit`"
    );
    assert_eq!(answer["detail"], told);
    for path in [
        format!("/v1/models/{wrong}"),
        format!("{}?author={wrong}", path()),
    ] {
        let told = client.get(&path).await;
        assert_eq!(told.status, 400, "{path}");
        assert!(told.text().contains("checksum"), "{}", told.text());
    }
    let answer = client.post(&path(), batch(2)).await.json();
    assert_eq!(
        (&answer["nonce"], &answer["author"]),
        (&json!(2), &json!(AUTHOR.to_string()))
    );
    assert_eq!(answer["other"], format!("0x{}", "08".repeat(32)));
    let answer = client.post(&path(), batch(4)).await.json();
    assert_eq!(
        (&answer["required"], &answer["balance"]),
        (&json!("9"), &json!("8"))
    );
    assert_eq!(
        client
            .post(&path(), batch(NO_ROOM))
            .await
            .header("retry-after"),
        "30"
    );
}

#[tokio::test]
async fn bodies_have_to_be_json_and_not_too_large() {
    let client = Client::with(|config| config.max_body = 2_000);
    let plain = Request::post(path())
        .body(Body::from(batch(0).to_string()))
        .unwrap();
    assert_eq!(client.ask(plain).await.problem(415), "media-type");
    let large = with("items", format!("0x{}", "00".repeat(2_000)));
    assert_eq!(client.post(&path(), large).await.problem(413), "too-large");
    assert_eq!(
        client.post(&path(), "{]").await.problem(400),
        "invalid-body"
    );
}

#[tokio::test]
async fn delegations_are_taken_and_told() {
    let client = Client::new();
    let path = format!("/v1/models/{TEXTS}/delegations");
    let body = |keeper: &str, until: u64| json!({"reporter": AUTHOR, "keeper": keeper, "until": until, "signature": "0x01"});
    let keeper = client.json(&format!("/v1/models/{TEXTS}")).await["keeper"].clone();
    let keeper = keeper.as_str().unwrap();
    let taken = client.post(&path, body(keeper, 5_000)).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        taken.json(),
        json!({"account": AUTHOR.to_string(), "until": 5_000, "received": 1_000})
    );
    assert_eq!(
        client.json(&format!("{path}/{AUTHOR}")).await["until"],
        5_000
    );
    assert_eq!(
        client.get(&format!("{path}/{RAW}")).await.problem(404),
        "unknown-delegation"
    );
    let other = client.post(&path, body(&AUTHOR.to_string(), 5_000)).await;
    assert_eq!(other.problem(404), "not-served");
    let late = client.post(&path, body(keeper, 1 << 40)).await;
    assert_eq!(late.problem(422), "invalid-request");
}

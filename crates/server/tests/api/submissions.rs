//! Signed batches and delegations.

use alloy_primitives::{Address, B256};
use axum::{body::Body, http::Request};
use cotrain_protocol::Amount;
use cotrain_relayer::RelayTerms;
use serde_json::{Value, json};

use crate::{
    client::{Client, KEEPER, RELAYER},
    world::USED,
};

/// Returns a batch with one value changed after signing.
fn with(client: &Client, name: &str, value: impl Into<Value>) -> Value {
    let mut batch = client.batch(20);
    batch[name] = value.into();
    batch
}

fn path(client: &Client) -> String {
    format!("/v1/models/{}/submissions", client.world.texts)
}

/// Submits batches with the nonces 0 and 10 to 12. Then refuses, sends and includes the last three,
/// in this order. Returns all ids.
async fn in_every_state(client: &Client) -> Vec<B256> {
    let mut ids = Vec::new();
    for nonce in [0, 10, 11, 12] {
        let (body, id) = client.signed(nonce, |_| {});
        let taken = client.post(&path(client), body).await;
        assert_eq!(taken.status, 202, "{}", taken.text());
        ids.push(id);
    }
    for change in [
        "UPDATE submissions SET state = 3, reason = 'too late' WHERE nonce = 10",
        "UPDATE submissions SET state = 1 WHERE nonce = 11",
        "UPDATE submissions SET state = 2, transaction_hash = zeroblob(32), block = 11, position = 4 WHERE nonce = 12",
    ] {
        client.change(change).await;
    }
    ids
}

#[tokio::test]
async fn submit_takes_a_batch_once_and_its_state_is_shown() {
    let client = Client::new().await;
    let author = client.world.author.address();
    let (body, id) = client.signed(0, |_| {});
    let taken = client.post(&path(&client), &body).await;
    assert_eq!(taken.status, 202, "{}", taken.text());
    let submission = taken.json();
    assert_eq!(submission["id"], format!("{id:?}"));
    assert_eq!(
        (&submission["status"], &submission["contributions"]),
        (&json!("waiting"), &json!(1))
    );
    let again = client.post(&path(&client), &body).await;
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

    let client = Client::new().await;
    let path = path(&client);
    let ids = in_every_state(&client).await;
    for (id, status) in ids.iter().zip(["waiting", "refused", "sent", "included"]) {
        let one = client.json(&format!("/v1/submissions/{id:?}")).await;
        assert_eq!(one["status"], status);
    }
    let page = client
        .json(&format!("{path}?author={author}&limit=3"))
        .await;
    assert_eq!(page["rows"][1]["reason"], "too late");
    assert_eq!(
        page["next"],
        format!("{path}?after=3&limit=3&author={author}")
    );
    let page = client.json(page["next"].as_str().unwrap()).await;
    let row = &page["rows"][0];
    assert_eq!((&row["position"], &row["block"]), (&json!(4), &json!(11)));
    // Everything in an included batch is public on the chain.
    assert_eq!(
        (&row["fee"], &row["items"], &row["deadline"]),
        (
            &json!("7"),
            &json!("0x000100020001"),
            &json!((1_u64 << 40) - 1)
        )
    );
    let others = client
        .json(&format!("{path}?author={}", client.world.raw))
        .await;
    assert_eq!(others, json!({"rows": [], "next": null}));
}

/// Before its inclusion, another account could copy a batch or send it.
#[tokio::test]
async fn submission_view_hides_what_was_signed_until_it_is_included() {
    let client = Client::new().await;
    let ids = in_every_state(&client).await;
    for (nonce, id) in [0, 10, 11, 12].into_iter().zip(ids) {
        let one = client.json(&format!("/v1/submissions/{id:?}")).await;
        let again = client.post(&path(&client), client.batch(nonce)).await;
        for answer in [&one, &again.json()] {
            assert_eq!(answer["id"], format!("{id:?}"));
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
    // An id is a hash of the contents, so a list with ids would let strangers confirm guesses.
    let page = client.json(&path(&client)).await;
    let ids: Vec<_> = page["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].is_null())
        .collect();
    assert_eq!(ids, [true, true, true, false]);
}

#[tokio::test]
async fn submit_takes_only_batches_for_this_relayer_or_any() {
    let client = Client::new().await;
    let path = path(&client);
    let model = format!("/v1/models/{}", client.world.texts);
    assert_eq!(
        client.json(&model).await["relayer"],
        json!(RELAYER.to_string())
    );
    let free = client.post(&path, client.batch(0)).await;
    let mut zero = client.batch(0);
    zero["relayer"] = json!(Address::ZERO);
    let zero = client.post(&path, zero).await;
    assert_eq!(
        (zero.status.as_u16(), zero.json()),
        (200, free.json()),
        "the same"
    );
    let bound = client.batch_with(20, |batch| batch.relayer = RELAYER);
    let bound = client.post(&path, bound).await;
    assert_eq!(bound.status, 202, "{}", bound.text());
    let author = client.world.author.address();
    let other = client.batch_with(21, |batch| batch.relayer = author);
    let other = client.post(&path, other).await;
    assert_eq!(other.problem(422), "other-relayer");
    let other = other.json();
    assert_eq!(
        (&other["relayer"], &other["expected"]),
        (&json!(author.to_string()), &json!(RELAYER.to_string()))
    );
    let wrong = client.post(&path, with(&client, "relayer", 1)).await;
    assert_eq!(wrong.problem(422), "invalid-request");
}

#[tokio::test]
async fn submit_says_why_it_refuses_a_batch() {
    let client = Client::new().await;
    let path = path(&client);
    let author = client.world.author.address();
    let (first, first_id) = client.signed(2, |_| {});
    assert_eq!(client.post(&path, first).await.status, 202);
    let dear = 1_u128 << 95;
    let with = |name, value: Value| with(&client, name, value);
    for (body, status, kind) in [
        (client.batch(USED), 409, "nonce-used"),
        (
            client.batch_with(2, |batch| batch.fee += 1),
            409,
            "nonce-taken",
        ),
        (
            client.batch_with(4, |batch| batch.max_deposit = dear),
            422,
            "balance-too-low",
        ),
        // The window has 64 nonces, and this nonce is just above it.
        (client.batch(2 + 64), 409, "nonce-too-far"),
        (
            client.batch_with(20, |batch| batch.deadline = 999),
            422,
            "expired",
        ),
        (
            client.batch_with(20, |batch| batch.fee = 1),
            422,
            "fee-too-low",
        ),
        (with("signature", json!("0x")), 422, "invalid-signature"),
        // The deposit differs from the signed one.
        (with("maxDeposit", json!("1")), 422, "invalid-signature"),
        // The model has three features.
        (
            with("items", json!("0x000100020003")),
            422,
            "sample-rejected",
        ),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.problem(status), kind, "{}", answer.text());
        if kind == "nonce-too-far" {
            let problem = answer.json();
            // `most` is the deprecated name.
            assert_eq!(
                (&problem["max"], &problem["most"]),
                (&json!(65), &json!(65))
            );
        }
    }
    // The pending batch needs 5007.
    let required = 5_007 + dear + 7;
    let balance = client.world.balance;
    let body = client.batch_with(4, |batch| batch.max_deposit = dear);
    let answer = client.post(&path, body).await.json();
    assert_eq!(
        (&answer["author"], &answer["required"], &answer["balance"]),
        (
            &json!(author.to_string()),
            &json!(required.to_string()),
            &json!(balance.to_string())
        )
    );
    let told = format!(
        "the account {author} has {} prepaid, and this with what is pending needs {}: {} is missing; prepay it with \
         `cotrain deposit`",
        Amount(balance),
        Amount(required),
        Amount(required - balance)
    );
    assert_eq!(answer["detail"], told);
    let body = client.batch_with(2, |batch| batch.fee += 1);
    let answer = client.post(&path, body).await.json();
    assert_eq!(
        (&answer["nonce"], &answer["author"]),
        (&json!(2), &json!(author.to_string()))
    );
    assert_eq!(answer["other"], format!("{first_id:?}"));
    assert_eq!(answer["nextNonce"], 3);
}

#[tokio::test]
async fn submit_refuses_a_malformed_batch() {
    let client = Client::new().await;
    let path = path(&client);
    // One letter gets the wrong case.
    let right = client.world.author.address().to_string();
    let last = right.rfind(|it: char| it.is_ascii_alphabetic()).unwrap();
    let mut wrong = right.clone().into_bytes();
    wrong[last] ^= 0x20;
    let wrong = String::from_utf8(wrong).unwrap();
    let with = |name, value: Value| with(&client, name, value);
    for body in [
        with("items", json!("0x")),
        with("items", json!("0x00")),
        with("maxDeposit", json!((1_u128 << 96).to_string())),
        with("fee", json!("340282366920938463463374607431768211456")),
        with("fee", json!("-1")),
        with("fee", json!("+1")),
        with("fee", json!("01")),
        with("fee", json!("")),
        with("fee", json!(1)),
        with("nonce", json!(1_u64 << 48)),
        with("nonce", json!(-1)),
        with("deadline", json!(1_u64 << 40)),
        with("author", json!("\0")),
        // The first address has a letter in the wrong case. The second one is the zero address.
        with("author", json!(wrong)),
        with("author", json!(format!("0x{}", "0".repeat(40)))),
        with("signature", json!(format!("0x{}", "00".repeat(65_536)))),
        with("more", json!(1)),
    ] {
        let answer = client.post(&path, &body).await;
        assert_eq!(answer.problem(422), "invalid-request", "{}", answer.text());
    }
    for path in [
        format!("/v1/models/{wrong}"),
        format!("{path}?author={wrong}"),
    ] {
        let told = client.get(&path).await;
        assert_eq!(told.status, 400, "{path}");
        assert!(told.text().contains("checksum"), "{}", told.text());
    }
}

#[tokio::test]
async fn submit_says_if_nothing_is_relayed_or_too_much_waits() {
    let client = Client::set_up(|setup| setup.terms = None).await;
    let answer = client.post(&path(&client), client.batch(3)).await;
    assert_eq!(answer.problem(404), "not-served");
    let client = Client::set_up(|setup| {
        setup.terms = Some(RelayTerms {
            relayer: RELAYER,
            min_fee: 0,
            max_waiting: 1,
        });
    })
    .await;
    let free = client.batch_with(2, |batch| batch.fee = 0);
    assert_eq!(client.post(&path(&client), free).await.status, 202);
    let answer = client.post(&path(&client), client.batch(3)).await;
    assert_eq!(answer.problem(503), "too-many-waiting");
    assert_eq!(answer.header("retry-after"), "30");
}

#[tokio::test]
async fn submit_refuses_bodies_that_are_not_json_or_too_large() {
    let client = Client::with(|config| config.max_body = 2_000).await;
    let path = path(&client);
    let plain = Request::post(&path)
        .body(Body::from(client.batch(0).to_string()))
        .unwrap();
    assert_eq!(client.ask(plain).await.problem(415), "media-type");
    let large = with(&client, "items", format!("0x{}", "00".repeat(2_000)));
    assert_eq!(client.post(&path, large).await.problem(413), "too-large");
    assert_eq!(client.post(&path, "{]").await.problem(400), "invalid-body");
}

#[tokio::test]
async fn delegate_takes_a_delegation_that_is_then_shown() {
    let client = Client::new().await;
    let (texts, author) = (client.world.texts, client.world.author.address());
    let path = format!("/v1/models/{texts}/delegations");
    let keeper = client.json(&format!("/v1/models/{texts}")).await["keeper"].clone();
    assert_eq!(keeper, json!(KEEPER.to_string()));
    let now = client.index().now();
    let until = now + 5_000;
    let taken = client.post(&path, client.delegation(KEEPER, until)).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(
        taken.json(),
        json!({"account": author.to_string(), "until": until, "received": now})
    );
    assert_eq!(
        client.json(&format!("{path}/{author}")).await["until"],
        until
    );
    assert_eq!(
        client.get(&format!("{path}/{texts}")).await.problem(404),
        "unknown-delegation"
    );
    let other = client.post(&path, client.delegation(author, until)).await;
    assert_eq!(other.problem(422), "invalid-signature");
    let past = client.post(&path, client.delegation(KEEPER, now - 1)).await;
    assert_eq!(past.problem(422), "expired");
    let late = client.post(&path, client.delegation(KEEPER, 1 << 40)).await;
    assert_eq!(late.problem(422), "invalid-request");
    let client = Client::set_up(|setup| setup.keeper = None).await;
    let none = client.post(&path, client.delegation(KEEPER, until)).await;
    assert_eq!(none.problem(404), "not-served");
}

//! Predictions of texts, rows, features and samples.

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::client::Client;

thread_local! {
    /// API for tests of random bodies, with the runtime that it runs in.
    static SERVED: (Runtime, Client) = {
        let runtime = Runtime::new().unwrap();
        let client = runtime.block_on(Client::new());
        (runtime, client)
    };
}

/// Bodies that some of the models take.
const BODIES: [&str; 6] = [
    r#"{"row":{"height":1,"width":0}}"#,
    r#"{"row":[0,9.5]}"#,
    r#"{"row":{"1":2,"7":0.5}}"#,
    r#"[{"text":"A DULL one"},{"features":[0,5]}]"#,
    r#"{"sample":"0x0001"}"#,
    r#"{"picture":"0x89504e470d0a1a0a"}"#,
];

proptest! {
    /// Each body is predicted whole, or refused with a reason.
    #[test]
    fn row_survives_any_json(
        body in prop::sample::select(BODIES.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[0-9a-zE\"{}\\[\\]:,.é-]{0,6}", 0_usize..8), 0..4),
    ) {
        let mut bytes = body.as_bytes().to_vec();
        for (at, with, cut) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, with.bytes());
        }
        let body = String::from_utf8_lossy(&bytes).into_owned();
        SERVED.with(|(runtime, client)| {
            let world = &client.world;
            for trainer in [world.texts, world.table, world.raw] {
                let answer = runtime.block_on(client.post(&path(trainer), &body));
                let told = answer.text();
                if answer.status == 200 {
                    let asked: Value = serde_json::from_str(&body).unwrap();
                    let asked = asked.as_array().map_or(1, Vec::len);
                    let predictions = answer.json()["predictions"].as_array().map(Vec::len);
                    prop_assert_eq!(predictions, Some(asked), "{}", told);
                } else {
                    prop_assert!([400, 422].contains(&answer.status.as_u16()), "{}: {}", body, told);
                    prop_assert!(answer.json()["detail"].is_string(), "{}", told);
                }
            }
            Ok(())
        })?;
    }
}

fn path(trainer: impl std::fmt::Display) -> String {
    format!("/v1/models/{trainer}/predict")
}

#[tokio::test]
async fn predict_takes_every_sort_of_input() {
    let client = Client::new().await;
    let (texts, table, raw) = (client.world.texts, client.world.table, client.world.raw);
    for (trainer, input, label, class, known, clipped) in [
        // Words are ordered by falling frequency, then alphabetically: film, dull, great. The
        // second one has weight 1.
        (
            texts,
            json!({"text": "A DULL one"}),
            1,
            Some("good"),
            Some(1),
            0,
        ),
        (texts, json!({"text": ""}), 0, Some("bad"), Some(0), 0),
        (texts, json!({"text": "xyzzy"}), 0, Some("bad"), Some(0), 0),
        (texts, json!({"features": [1]}), 1, Some("good"), Some(1), 0),
        (
            texts,
            json!({"sample": "0x0001"}),
            1,
            Some("good"),
            Some(1),
            0,
        ),
        // The second column has weight 1 and mean 3.
        // The values are 2 deviations below and 6.5 above their means; the model's limit is 1.
        (
            table,
            json!({"row": [0, 9.5]}),
            1,
            Some("small"),
            Some(2),
            2,
        ),
        (
            table,
            json!({"row": {"height": 1, "width": 0}}),
            0,
            Some("large"),
            Some(2),
            2,
        ),
        (
            table,
            json!({"features": [0, 5]}),
            1,
            Some("small"),
            None,
            0,
        ),
        // The features are in the contract's encoding, including the constant.
        (
            table,
            json!({"features": [0, 5, 4096]}),
            1,
            Some("small"),
            None,
            0,
        ),
        (raw, json!({"features": [99, 1, 1]}), 1, None, Some(2), 0),
        (raw, json!({"sample": "0x"}), 0, None, Some(0), 0),
    ] {
        let answer = client.post(&path(trainer), &input).await;
        assert_eq!(answer.status, 200, "{input}: {}", answer.text());
        let score = answer.json()["predictions"][0]["score"].clone();
        // These models have no intercept, so without a feature there is no evidence.
        let sure = score.as_f64().is_some_and(|it| (0.5..=1.0).contains(&it));
        assert!(
            sure || known == Some(0) && score.is_null(),
            "{input}: {score}"
        );
        let wanted = json!([{
            "label": label, "class": class, "score": score, "known": known, "clipped": clipped,
            "unseen": 0,
        }]);
        assert_eq!(answer.json()["predictions"], wanted, "{input}");
        assert_eq!(answer.json()["block"], client.world.head);
    }
}

#[tokio::test]
async fn predict_takes_many_inputs_at_once() {
    let client = Client::new().await;
    let raw = client.world.raw;
    let inputs = json!([{"sample": "0x0001"}, {"features": []}]);
    let answer = client.post(&path(raw), inputs).await.json();
    let labels: Vec<_> = answer["predictions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|prediction| prediction["label"].as_u64().unwrap())
        .collect();
    assert_eq!(labels, [1, 0]);
    let inputs = Value::from(vec![json!({"features": []}); 1_000]);
    assert_eq!(client.post(&path(raw), &inputs).await.status, 200);
    for count in [0, 1_001] {
        let inputs = Value::from(vec![json!({"features": []}); count]);
        assert_eq!(
            client.post(&path(raw), &inputs).await.problem(422),
            "invalid-request"
        );
    }
}

#[tokio::test]
async fn predict_says_why_an_input_cannot_be_predicted() {
    let client = Client::new().await;
    let (texts, table, raw) = (client.world.texts, client.world.table, client.world.raw);
    for (trainer, input, kind, detail) in [
        (
            raw,
            json!({"text": "good"}),
            "no-encoder",
            "send `features` or a `sample`",
        ),
        (texts, json!({"row": [1]}), "not-encodable", "expected text"),
        (
            texts,
            json!({"row": {"a": 1}}),
            "not-encodable",
            "expected text",
        ),
        (
            table,
            json!({"text": "good"}),
            "not-encodable",
            "expected a row of numbers",
        ),
        (table, json!({"row": [1]}), "not-encodable", "expected 2"),
        (
            table,
            json!({"row": {"width": 1}}),
            "not-encodable",
            "the row has no `height`",
        ),
        (
            table,
            json!({"row": {"width": 1, "height": 2, "depth": 3}}),
            "not-encodable",
            "the row has `depth`",
        ),
        (
            table,
            json!({"features": [0, 32768]}),
            "not-encodable",
            "-32768 to 32767",
        ),
        (
            table,
            json!({"sample": "0x00"}),
            "sample-rejected",
            "1 bytes",
        ),
        (
            raw,
            json!({"features": [-1]}),
            "not-encodable",
            "`features[0]` is -1, expected the number of a feature of this model, 0 to 99",
        ),
        (
            raw,
            json!({"features": [100]}),
            "not-encodable",
            "`features[0]` is 100, expected the number of a feature of this model, 0 to 99",
        ),
        (
            raw,
            json!({"sample": "0x00020001"}),
            "sample-rejected",
            "comes after",
        ),
    ] {
        let inputs = json!([{"features": vec![0; if trainer == table { 2 } else { 1 }]}, input]);
        let answer = client.post(&path(trainer), inputs).await;
        assert_eq!(answer.problem(422), kind, "{}", answer.text());
        assert_eq!(answer.json()["input"], 1);
        assert!(answer.text().contains(detail), "{input}: {}", answer.text());
    }
    let unknown = client
        .post(&path(client.world.author.address()), json!({"text": ""}))
        .await;
    assert_eq!(unknown.problem(404), "unknown-model");
}

#[tokio::test]
async fn predict_refuses_what_is_no_input() {
    let client = Client::new().await;
    let raw = client.world.raw;
    for body in [
        r#"{"text": "a", "sample": "0x"}"#,
        r#"{"texts": "a"}"#,
        r#"{"sample": "0x0"}"#,
        r#"{"sample": "01"}"#,
        r#"{"sample": 1}"#,
        r#"{"features": [1.5]}"#,
        r#"{"row": [{}]}"#,
        r"{}",
        r#""text""#,
        "5",
        "null",
    ] {
        assert_eq!(
            client.post(&path(raw), body).await.problem(422),
            "invalid-request",
            "{body}"
        );
    }
    for (body, detail) in [
        (
            r#"{"text": 5}"#,
            "`text`: this is the number 5, expected text in quotation marks (line 1, column 10)",
        ),
        (
            r#"{"texts": "a"}"#,
            "the body: `texts` is unknown, expected `text`, `row`, `picture`, `features`, `sample`",
        ),
        (
            r#"[{"features": [1, 1.5]}]"#,
            "`[0].features[1]`: this is the number 1.5, expected a whole number from",
        ),
        (
            r"{}",
            "the body: the number of entries is 0, expected an object with one of `text`",
        ),
        (
            "5",
            "the body: this is the number 5, expected an input such as",
        ),
    ] {
        let answer = client.post(&path(raw), body).await;
        let told = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(told.starts_with(detail), "{body}: {told}");
        assert!(told.contains("/docs has the form and an example"), "{told}");
    }
    for body in ["", "{", r#"{"row": [1e999]}"#] {
        assert_eq!(
            client.post(&path(raw), body).await.problem(400),
            "invalid-body",
            "{body}"
        );
    }
}

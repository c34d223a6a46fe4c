//! Labeling sessions.

use std::time::Duration;

use axum::{body::Body, http::Request};
use cotrain_active::Export;
use ndarray::Array2;
use serde_json::{Value, json};

use crate::client::{Answer, Api, Client};

pub(crate) const SESSIONS: &str = "/v1/label/sessions";

/// Open session of a client.
pub(crate) struct Session {
    pub(crate) path: String,
    pub(crate) token: String,
    /// Answer to the opening.
    pub(crate) opened: Value,
}

pub(crate) async fn enabled() -> Client {
    Client::set_up(|setup| setup.labels.enabled = true).await
}

pub(crate) async fn open(client: &Client, body: &Value) -> Session {
    let answer = client.post(SESSIONS, body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let opened = answer.json();
    let path = answer.header("location").to_owned();
    assert_eq!(
        path,
        format!("{SESSIONS}/{}", opened["session"].as_str().unwrap())
    );
    let token = opened["token"].as_str().unwrap().to_owned();
    assert_eq!((path.len(), token.len()), (SESSIONS.len() + 65, 64));
    Session {
        path,
        token,
        opened,
    }
}

impl Session {
    pub(crate) async fn send(
        &self,
        client: &Api,
        call: &str,
        key: Option<&str>,
        body: &Value,
    ) -> Answer {
        let path = format!("{}/{call}", self.path);
        let mut request = Request::post(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        client
            .ask(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// Returns the body of an answer with status 200.
    pub(crate) async fn call(&self, client: &Api, call: &str, body: &Value) -> Value {
        let answer = self.send(client, call, None, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.json()
    }

    pub(crate) async fn state(&self, client: &Api) -> Answer {
        let token = format!("Bearer {}", self.token);
        client.get_with(&self.path, "authorization", &token).await
    }

    pub(crate) async fn close(&self, client: &Api) -> Answer {
        let request = Request::post(format!("{}/close", self.path));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        client.ask(request.body(Body::empty()).unwrap()).await
    }
}

/// Returns a row of class 0 on the left, or of class 1 on the right.
pub(crate) fn row(class: usize, index: usize) -> Value {
    let side = if class == 0 { -1.0 } else { 1.0 };
    let index = u32::try_from(index).unwrap();
    json!([
        side * (1.0 + f64::from(index % 7) / 10.0),
        f64::from(index % 5) / 5.0
    ])
}

pub(crate) fn examples(count: usize) -> Value {
    let example = |index: usize| json!({"x": row(index % 2, index), "y": index % 2});
    json!({"rows": (0..count).map(example).collect::<Vec<_>>()})
}

#[tokio::test]
async fn session_learns_asks_predicts_and_ends() {
    let client = enabled().await;
    let body = json!({"features": 2, "classes": 2, "threshold": {"measure": "margin", "uncertainty": 0.5}});
    let session = open(&client, &body).await;
    assert_eq!(
        session.opened["units"],
        json!({"charged": 10, "spent": 10, "left": 999_990})
    );
    let pool: Vec<Value> = (0..20).map(|index| row(index % 2, index)).collect();
    let asked = session
        .call(&client, "queries", &json!({"rows": pool, "count": 3}))
        .await;
    assert_eq!(asked["rows"].as_array().unwrap().len(), 3);
    // 20 rows are looked at for 0.12 of a unit each.
    assert_eq!(
        asked["units"],
        json!({"charged": 3, "spent": 13, "left": 999_987})
    );
    let trained = session.call(&client, "examples", &examples(10)).await;
    assert_eq!(
        trained,
        json!({"rows": 10, "classes": 2, "stop": null, "units": {"charged": 20, "spent": 33, "left": 999_967}})
    );
    let rows = json!({"rows": [row(0, 3), row(1, 3), [0.0, 0.5]]});
    let decided = session.call(&client, "decisions", &rows).await;
    let of = |key: &str| -> Vec<Value> {
        let rows = decided["rows"].as_array().unwrap().iter();
        rows.map(|row| row[key].clone()).collect()
    };
    assert_eq!(of("ask"), [json!(false), json!(false), json!(true)]);
    assert_eq!(of("label")[..2], [json!(0), json!(1)]);
    let predicted = session.call(&client, "predictions", &rows).await;
    assert_eq!(
        predicted["rows"][1]["probabilities"],
        of("probabilities")[1]
    );
    let state = session.state(&client).await.json();
    for (key, expected) in [
        ("rows", json!(10)),
        ("iterations", json!(1)),
        ("seen", json!(3)),
        ("asked", json!(1)),
        ("queries", json!(1)),
        ("learner", json!("logistic")),
        ("strategy", json!("margin")),
        ("units", json!({"charged": 0, "spent": 39, "left": 999_961})),
    ] {
        assert_eq!(state[key], expected, "{key}");
    }
    let closed = session.close(&client).await;
    assert_eq!(closed.json()["rows"], 10);
    assert_eq!(session.state(&client).await.problem(404), "unknown-session");
    assert_eq!(session.close(&client).await.problem(404), "unknown-session");
    assert_eq!(client.coordinator.labels().count(), 0);
}

#[tokio::test]
async fn quote_prices_what_calls_cost() {
    let client = enabled().await;
    let body = json!({"features": 2, "train": 10, "decide": 3, "pool": 20, "count": 3});
    let quote = client.post("/v1/label/quotes", body).await.json();
    assert_eq!(
        quote["units"],
        json!({"train": 20, "decide": 3, "query": 3})
    );
    assert_eq!(quote["prices"]["opening"], 10);
    assert_eq!(quote["prices"]["learners"]["logistic"]["decide"], 1_000);
    assert_eq!(quote["rails"], json!(["none"]));
    assert_eq!(quote["bounds"]["timeToLive"], 3_600);
    // A row of 65 numbers has two blocks.
    let wide = json!({"features": 65, "strategy": "k-center", "pool": 1_000, "count": 10});
    let quote = client.post("/v1/label/quotes", wide).await.json();
    assert_eq!(
        quote["units"],
        json!({"train": 0, "decide": 0, "query": 320})
    );
    for wrong in [
        json!({"count": 0}),
        json!({"train": 1_000_001}),
        json!({"features": 65_537}),
    ] {
        let refused = client.post("/v1/label/quotes", &wrong).await;
        assert_eq!(refused.problem(422), "invalid-request", "{wrong}");
    }
}

#[tokio::test]
async fn session_refuses_everyone_without_its_token() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 2})).await;
    let other = open(&client, &json!({"features": 2})).await;
    for token in [&other.token, &session.token[1..], "", "0x"] {
        let stranger = Session {
            path: session.path.clone(),
            token: token.to_owned(),
            opened: Value::Null,
        };
        let refused = stranger.state(&client).await;
        assert_eq!(refused.problem(401), "wrong-token");
        assert_eq!(refused.header("www-authenticate"), "Bearer");
        let refused = stranger.send(&client, "examples", None, &examples(2)).await;
        assert_eq!(refused.problem(401), "wrong-token");
        assert_eq!(stranger.close(&client).await.problem(401), "wrong-token");
    }
    assert_eq!(client.get(&session.path).await.problem(401), "wrong-token");
    let unknown = format!("{SESSIONS}/{}", "0".repeat(64));
    assert_eq!(client.get(&unknown).await.problem(404), "unknown-session");
    assert_eq!(session.state(&client).await.json()["rows"], 0);
}

#[tokio::test]
async fn session_works_once_for_a_key() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 2, "classes": 2})).await;
    let key = Some("0123456789abcdef");
    let first = session.send(&client, "examples", key, &examples(4)).await;
    let again = session.send(&client, "examples", key, &examples(4)).await;
    assert_eq!((first.status.as_u16(), &first.body), (200, &again.body));
    assert_eq!(session.state(&client).await.json()["rows"], 4);
    let other = session.send(&client, "examples", key, &examples(5)).await;
    assert_eq!(other.problem(409), "other-request");
    let rows = json!({"rows": [[0.0, 0.0]]});
    let elsewhere = session.send(&client, "predictions", key, &rows).await;
    assert_eq!(elsewhere.problem(409), "other-request");
    let malformed = session
        .send(&client, "examples", Some("short"), &examples(4))
        .await;
    assert_eq!(malformed.problem(400), "invalid-header");
    // A failed call leaves its key free.
    let key = Some("fedcba9876543210");
    let failed = json!({"rows": [{"x": [0.0, 0.0], "y": 2}]});
    let failed = session.send(&client, "examples", key, &failed).await;
    assert_eq!(failed.problem(422), "labeling-rejected");
    let taken = session.send(&client, "examples", key, &examples(1)).await;
    assert_eq!(taken.json()["rows"], 5);
}

#[tokio::test]
async fn session_spends_no_more_than_its_units_and_nothing_for_failed_work() {
    let client = enabled().await;
    let body = json!({"features": 2, "classes": 2, "units": 20});
    let session = open(&client, &body).await;
    let refused = session.send(&client, "examples", None, &examples(6)).await;
    assert_eq!(refused.problem(402), "out-of-units");
    let problem = refused.json();
    assert_eq!(
        (&problem["price"], &problem["left"]),
        (&json!(12), &json!(10))
    );
    for body in [
        json!({"rows": [{"x": [0.0], "y": 0}]}),
        json!({"rows": [{"x": [0.0, 0.0], "y": 2}]}),
        json!({"rows": [{"x": [0.0, 1e200], "y": 1}]}),
        json!({"rows": [], "opinions": []}),
        json!({"opinions": [{"row": 0, "y": 0, "annotator": 1}]}),
        json!({"rows": [{"x": [0.0, 0.0], "y": 0}], "fixed": [[0.5, 0.5]]}),
    ] {
        let refused = session.send(&client, "examples", None, &body).await;
        assert_eq!(refused.problem(422), "labeling-rejected", "{body}");
    }
    let decisions = json!({"rows": [[0.0, 0.0]]});
    let refused = session.send(&client, "decisions", None, &decisions).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
    assert!(
        refused.text().contains("threshold or budget"),
        "{}",
        refused.text()
    );
    let state = session.state(&client).await.json();
    assert_eq!(
        (&state["units"]["spent"], &state["rows"]),
        (&json!(10), &json!(0))
    );
    session.call(&client, "examples", &examples(5)).await;
    let state = session.state(&client).await.json();
    assert_eq!(
        state["units"],
        json!({"charged": 0, "spent": 20, "left": 0})
    );
    let refused = client
        .post(SESSIONS, json!({"features": 2, "units": 9}))
        .await;
    assert_eq!(refused.problem(402), "out-of-units");
}

#[tokio::test]
async fn open_refuses_bodies_that_do_not_fit() {
    let client = enabled().await;
    for body in [
        json!({}),
        json!({"features": -1}),
        json!({"features": 2, "feature": 3}),
        json!({"features": 2, "learner": "oracle"}),
        json!({"features": 2, "budget": {"share": 0.1}, "threshold": {"measure": "margin", "uncertainty": 0.5}}),
        json!({"features": 2, "stopping": [{"kind": "iterations", "bound": 1.5}]}),
        json!({"features": 2, "stopping": [{"kind": "iterations", "bound": 3, "window": 3}]}),
        json!({"features": 2, "seed": 1_u64 << 60}),
    ] {
        let answer = client.post(SESSIONS, &body).await;
        assert_eq!(answer.problem(422), "invalid-request", "{body}");
    }
    for body in [
        json!({"features": 0}),
        json!({"features": 0, "units": 0}),
        json!({"features": 5_000}),
        json!({"features": 2, "classes": 1}),
        json!({"features": 2, "classes": 101}),
        json!({"features": 2, "budget": {"share": 0}}),
        json!({"features": 2, "threshold": {"measure": "entropy", "uncertainty": 1.1}}),
        json!({"features": 2, "fixed": [[1.0]]}),
        json!({"features": 2, "fixed": [[1.0, 2.0], [1.0]]}),
        json!({"features": 2, "stopping": [{"kind": "classification-change", "bound": 0}]}),
        json!({"features": 0, "learner": "own"}),
        json!({"features": 0, "learner": "own", "classes": 2, "strategy": "k-center"}),
    ] {
        let answer = client.post(SESSIONS, &body).await;
        assert_eq!(answer.problem(422), "labeling-rejected", "{body}");
    }
    assert_eq!(client.coordinator.labels().count(), 0);
    let disabled = Client::new().await;
    let answer = disabled.post(SESSIONS, json!({"features": 2})).await;
    assert_eq!(answer.problem(404), "not-served");
    let answer = disabled.post("/v1/label/quotes", json!({})).await;
    assert_eq!(answer.problem(404), "not-served");
}

#[tokio::test]
async fn open_refuses_too_many_sessions() {
    let client = Client::set_up(|setup| {
        setup.labels.enabled = true;
        setup.labels.max_client_sessions = 1;
    })
    .await;
    let body = json!({"features": 2});
    let first = open(&client, &body).await;
    let refused = client.post(SESSIONS, &body).await;
    assert_eq!(refused.problem(429), "too-many-own-sessions");
    assert_eq!(refused.header("retry-after"), "60");
    first.close(&client).await;
    open(&client, &body).await;
    let client = Client::set_up(|setup| {
        setup.labels.enabled = true;
        setup.labels.max_sessions = 1;
    })
    .await;
    open(&client, &body).await;
    let refused = client.post(SESSIONS, &body).await;
    assert_eq!(refused.problem(503), "too-many-sessions");
    assert_eq!(refused.header("retry-after"), "60");
}

#[tokio::test]
async fn session_takes_the_probabilities_of_a_model_of_ones_own() {
    let client = enabled().await;
    let body = json!({
        "learner": "own", "features": 0, "classes": 3, "budget": {"share": 0.5},
        "stopping": [{"kind": "overall-uncertainty", "bound": 0.3}],
    });
    let session = open(&client, &body).await;
    let rows = json!([[0.9, 0.05, 0.05], [0.4, 0.35, 0.25], [0.1, 0.8, 0.1]]);
    let asked = json!({"probabilities": rows, "count": 2});
    let asked = session.call(&client, "queries", &asked).await;
    assert_eq!(asked["rows"], json!([1, 2]));
    let decided = session
        .call(&client, "decisions", &json!({"probabilities": rows}))
        .await;
    assert_eq!(decided["rows"][2]["label"], 1);
    let taught = json!({"rows": [{"y": 0}, {"y": 2}], "fixed": [[0.99, 0.005, 0.005]]});
    let trained = session.call(&client, "examples", &taught).await;
    let reason = trained["stop"]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("the mean uncertainty is 0.0"),
        "{reason}"
    );
    for (call, body) in [
        ("predictions", json!({"rows": [[]]})),
        ("decisions", json!({"probabilities": [[0.5, 0.5]]})),
        ("decisions", json!({"probabilities": [[0.5, 0.5, 0.5]]})),
        ("queries", json!({"rows": [[]], "count": 1})),
        ("queries", json!({"probabilities": [], "count": 1})),
    ] {
        let refused = session.send(&client, call, None, &body).await;
        assert_eq!(refused.problem(422), "labeling-rejected", "{call} {body}");
    }
}

#[tokio::test]
async fn session_weighs_annotators_and_says_when_to_stop() {
    let client = enabled().await;
    let fixed: Vec<Value> = (0..10).map(|index| row(index % 2, index + 3)).collect();
    let body = json!({
        "features": 2, "classes": 2, "fixed": fixed,
        "stopping": [{"kind": "kappa-average", "bound": 0.99, "window": 2}],
    });
    let session = open(&client, &body).await;
    // The third annotator always says 0.
    let opinions = (0..20).flat_map(|row| {
        let opinion = move |annotator, y| json!({"row": row, "y": y, "annotator": annotator});
        [opinion(1, row % 2), opinion(2, 0)]
    });
    let mut taught = examples(20);
    taught["opinions"] = opinions.collect();
    let trained = session.call(&client, "examples", &taught).await;
    // 60 opinions to learn from, and 10 rows to look at.
    assert_eq!(trained["units"]["charged"], 122);
    assert_eq!(trained["stop"], json!(null));
    let state = session.state(&client).await.json();
    assert_eq!(
        (&state["rows"], &state["opinions"]),
        (&json!(20), &json!(60))
    );
    let quality = |index: usize| state["annotators"][index]["quality"].as_f64().unwrap();
    assert!(
        quality(0) > 0.9 && quality(1) > 0.9 && quality(2) < 0.7,
        "{state}"
    );
    assert!(state["doubtful"].is_u64());
    let mut stop = json!(null);
    for _ in 0..3 {
        stop = session.call(&client, "examples", &examples(2)).await["stop"].clone();
    }
    assert_eq!(stop["seen"], 1.0);
}

#[tokio::test]
async fn session_works_in_sequence() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 2, "classes": 2})).await;
    let body = examples(3);
    let calls = (0..8).map(|_| session.send(&client, "examples", None, &body));
    let answers = futures_util::future::join_all(calls).await;
    let mut rows: Vec<u64> = answers
        .iter()
        .map(|answer| answer.json()["rows"].as_u64().unwrap())
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, [3, 6, 9, 12, 15, 18, 21, 24]);
    let state = session.state(&client).await.json();
    // Each training learns from all rows so far.
    assert_eq!(state["units"]["spent"], 10 + 2 * rows.iter().sum::<u64>());
}

#[tokio::test]
async fn session_leaves_nothing_in_database_and_metrics() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 1})).await;
    let canary = 918_273_645.5_f64;
    let body = json!({"rows": [{"x": [canary], "y": 0}, {"x": [0.0], "y": 1}]});
    let key = "canary-canary-canary";
    let answer = session.send(&client, "examples", Some(key), &body).await;
    assert_eq!(answer.status, 200);
    let id = session.opened["session"].as_str().unwrap();
    let metrics = client.get("/metrics").await.text();
    assert!(metrics.contains("/v1/label/sessions/{session}/examples"));
    let stored = client.stored();
    assert!(stored.len() > 4_096);
    for secret in [id, &session.token, "918273645", key] {
        let bytes = secret.as_bytes();
        let is_stored = stored.windows(bytes.len()).any(|it| it == bytes);
        assert!(!is_stored && !metrics.contains(secret), "{secret}");
    }
    let bytes = canary.to_le_bytes();
    assert!(!stored.windows(8).any(|it| it == bytes));
}

#[tokio::test]
async fn session_expires_without_calls() {
    let client = Client::set_up(|setup| {
        setup.labels.enabled = true;
        setup.labels.time_to_live = Duration::from_millis(300);
    })
    .await;
    let session = open(&client, &json!({"features": 2})).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(session.state(&client).await.status, 200);
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(session.state(&client).await.problem(404), "unknown-session");
}

#[tokio::test]
async fn model_is_taken_along_in_both_forms() {
    let client = enabled().await;
    let learners = ["logistic", "forest", "boosted"];
    let all = learners
        .into_iter()
        .flat_map(|it| [(it, false), (it, true)]);
    for (learner, calibrated) in all {
        let body =
            json!({"features": 2, "classes": 2, "learner": learner, "calibrated": calibrated});
        let session = open(&client, &body).await;
        let model = |form: &str| {
            let request = Request::get(format!("{}/model{form}", session.path));
            let request = request.header("authorization", format!("Bearer {}", session.token));
            client.ask(request.body(Body::empty()).unwrap())
        };
        let refused = model("?form=onnx").await;
        assert_eq!(refused.problem(422), "labeling-rejected");
        session.call(&client, "examples", &examples(60)).await;
        let state = session.state(&client).await.json();
        assert_eq!(state["temperature"] != 1.0, calibrated);
        let rows = [row(0, 3), row(1, 4), json!([0.1, 0.2])];
        let predicted = session
            .call(&client, "predictions", &json!({"rows": rows}))
            .await;
        let answer = model("").await;
        assert_eq!(answer.header("content-type"), "application/json");
        let taken: Export = serde_json::from_slice(&answer.body).unwrap();
        let numbers = rows.iter().flat_map(|row| [&row[0], &row[1]]);
        let numbers = numbers.map(|number| number.as_f64().unwrap()).collect();
        let rows = Array2::from_shape_vec((3, 2), numbers).unwrap();
        let probabilities = taken.probabilities(rows.view()).unwrap();
        for (index, row) in probabilities.rows().into_iter().enumerate() {
            let of_service = &predicted["rows"][index]["probabilities"];
            assert_eq!(json!(row.to_vec()), *of_service, "{learner}");
        }
        let onnx = model("?form=onnx").await;
        assert_eq!(onnx.header("content-type"), "application/octet-stream");
        assert_eq!(onnx.body, taken.to_onnx().unwrap());
        assert_eq!(model("?form=pickle").await.problem(400), "invalid-query");
        assert_eq!(
            client.get(&format!("{}/model", session.path)).await.status,
            401
        );
    }
    let own = json!({"features": 0, "classes": 2, "learner": "own"});
    let own = open(&client, &own).await;
    let token = format!("Bearer {}", own.token);
    let path = format!("{}/model", own.path);
    let refused = client.get_with(&path, "authorization", &token).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
}

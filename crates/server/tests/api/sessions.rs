//! Labeling sessions beyond their first calls: pools, snapshots, learners of contracts, publishing.

use alloy_primitives::{U256, hex, keccak256};
use axum::{body::Body, http::Request};
use cotrain_bindings as bindings;
use cotrain_chain::anvil::AnvilConfig;
use cotrain_test_support::Stage;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Api, Client, Setup},
    labels::{SESSIONS, Session, enabled, examples, open, row},
    plans,
};

/// Secret of an owner of snapshots.
const SECRET: &str = "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f";

impl Session {
    async fn give(&self, client: &Api, content: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(format!("{}/pools", self.path))
            .header("content-type", content)
            .header("authorization", format!("Bearer {}", self.token));
        client.ask(request.body(Body::from(body)).unwrap()).await
    }

    async fn seal(&self, client: &Api, secret: &str) -> Answer {
        let request = Request::post(format!("{}/snapshots", self.path))
            .header("authorization", format!("Bearer {}", self.token))
            .header("snapshot-secret", secret);
        client.ask(request.body(Body::empty()).unwrap()).await
    }

    fn id(&self) -> &str {
        self.opened["session"].as_str().unwrap()
    }
}

async fn restore(
    client: &Api,
    id: &str,
    token: Option<&str>,
    secret: &str,
    sealed: &[u8],
) -> Answer {
    let mut request = Request::post(format!("{SESSIONS}/restore?session={id}"))
        .header("content-type", "application/octet-stream")
        .header("snapshot-secret", secret);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    client
        .ask(request.body(Body::from(sealed.to_vec())).unwrap())
        .await
}

#[tokio::test]
async fn pool_is_sent_once_in_any_form_and_asked_by_its_id() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 2, "classes": 2})).await;
    // All numbers are 32-bit floats, so that all forms have the same content.
    let rows: Vec<[f32; 2]> = (0..100_u16)
        .map(|index| [f32::from(index % 10) - 4.5, f32::from(index / 10) / 8.0])
        .collect();
    let json = json!({"rows": rows}).to_string();
    let csv: Vec<String> = rows.iter().map(|[a, b]| format!("{a},{b}")).collect();
    let floats: Vec<u8> = rows
        .iter()
        .flatten()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    let mut ids = Vec::new();
    for (content, body) in [
        ("application/json", json.into_bytes()),
        ("text/csv; charset=utf-8", csv.join("\n").into_bytes()),
        ("application/octet-stream", floats),
    ] {
        let answer = session.give(&client, content, body).await;
        assert_eq!(answer.status, 200, "{content}: {}", answer.text());
        assert_eq!(answer.json()["rows"], 100);
        ids.push(answer.json()["pool"].clone());
    }
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let state = session.state(&client).await.json();
    assert_eq!(state["pools"], json!([{"pool": ids[0], "rows": 100}]));
    // The second and the third form cost nothing, as the pool was there.
    assert_eq!(state["units"]["spent"], 10 + 6);

    let query = json!({"pool": ids[0], "count": 3});
    let first = session.call(&client, "queries", &query).await;
    assert_eq!(first["units"]["charged"], 12);
    let chosen: Vec<u64> = serde_json::from_value(first["rows"].clone()).unwrap();
    assert_eq!(chosen.len(), 3);
    let taught = chosen.iter().enumerate();
    let taught: Vec<Value> = taught
        .map(|(y, row)| json!({"row": row, "y": y % 2}))
        .collect();
    let taught = json!({"pool": ids[0], "rows": taught});
    assert_eq!(session.call(&client, "examples", &taught).await["rows"], 3);
    // All rows but the labeled ones are asked in the end.
    let all = session
        .call(&client, "queries", &json!({"pool": ids[0], "count": 100}))
        .await;
    let all: Vec<u64> = serde_json::from_value(all["rows"].clone()).unwrap();
    assert_eq!(all.len(), 97);
    assert!(!all.iter().any(|row| chosen.contains(row)));

    let path = format!("{}/pools/{}", session.path, ids[0].as_str().unwrap());
    let delete = || {
        let request = Request::delete(&path);
        let request = request.header("authorization", format!("Bearer {}", session.token));
        client.ask(request.body(Body::empty()).unwrap())
    };
    assert_eq!(delete().await.status, 204);
    assert_eq!(delete().await.problem(422), "labeling-rejected");
    let refused = session.send(&client, "queries", None, &query).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
    assert_eq!(session.state(&client).await.json()["pools"], json!([]));
}

#[tokio::test]
async fn pool_of_100_000_rows_is_taken_and_searched() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 64, "classes": 10})).await;
    let floats: Vec<u8> = (0..100_000_u32 * 64)
        .map(|index| f32::from(u16::try_from(index.wrapping_mul(2_654_435_761) >> 16).unwrap()))
        .flat_map(f32::to_le_bytes)
        .collect();
    let answer = session
        .give(&client, "application/octet-stream", floats.clone())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let query = json!({"pool": answer.json()["pool"], "count": 5});
    let asked = session.call(&client, "queries", &query).await;
    assert_eq!(asked["rows"].as_array().unwrap().len(), 5);
    let more = [&floats[..], &[0; 256]].concat();
    let refused = session
        .give(&client, "application/octet-stream", more)
        .await;
    assert_eq!(refused.problem(422), "labeling-rejected");
}

#[tokio::test]
async fn pool_is_received_within_bounds_from_the_owner_alone() {
    let client = Client::set_up(|setup| {
        setup.labels.enabled = true;
        setup.labels.max_upload = 4_096;
        setup.labels.max_pools = 1;
    })
    .await;
    let session = open(&client, &json!({"features": 1})).await;
    let floats = "application/octet-stream";
    let large = session.give(&client, floats, vec![0; 4_100]).await;
    assert_eq!(large.problem(413), "too-large");
    let stranger = Session {
        path: session.path.clone(),
        token: "0".repeat(64),
        opened: Value::Null,
    };
    let refused = stranger.give(&client, floats, vec![0; 4_100]).await;
    assert_eq!(refused.problem(401), "wrong-token");
    let other = session.give(&client, "image/png", vec![0; 4]).await;
    assert_eq!(other.problem(415), "media-type");
    for body in [vec![], vec![0; 5], f32::NAN.to_le_bytes().to_vec()] {
        let refused = session.give(&client, floats, body).await;
        assert!(refused.status.is_client_error(), "{}", refused.text());
    }
    assert_eq!(session.give(&client, floats, vec![0; 4]).await.status, 200);
    let second = session.give(&client, floats, vec![0; 8]).await;
    assert_eq!(second.problem(422), "labeling-rejected");
    for body in [
        json!({"rows": [{"row": 0, "y": 0}]}),
        json!({"rows": [{"row": 0, "x": [1.0], "y": 0}], "pool": "0".repeat(64)}),
        json!({"rows": [{"row": 0, "y": 0}], "pool": "0"}),
    ] {
        let refused = session.send(&client, "examples", None, &body).await;
        assert_eq!(refused.problem(422), "invalid-request", "{body}");
    }
    assert_eq!(session.state(&client).await.json()["units"]["spent"], 11);
}

#[tokio::test]
async fn snapshot_takes_an_open_session_back_and_wins_no_units() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 2, "classes": 2, "units": 100})).await;
    session.call(&client, "examples", &examples(6)).await;
    let rows = json!({"rows": [row(0, 3), row(1, 3), [0.0, 0.5]]});
    let before = session.call(&client, "predictions", &rows).await;
    let sealed = session.seal(&client, SECRET).await;
    assert_eq!(sealed.status, 200, "{}", sealed.text());
    assert_eq!(sealed.header("content-type"), "application/octet-stream");
    session.call(&client, "examples", &examples(2)).await;
    let spent = session.state(&client).await.json()["units"]["spent"]
        .as_u64()
        .unwrap();

    let token = Some(&*session.token);
    for (token, secret, status, kind) in [
        (None, SECRET, 401, "wrong-token"),
        (token, &"a".repeat(64), 422, "labeling-rejected"),
        (token, "short", 400, "invalid-header"),
    ] {
        let refused = restore(&client, session.id(), token, secret, &sealed.body).await;
        assert_eq!(refused.problem(status), kind);
    }
    let restored = restore(&client, session.id(), token, SECRET, &sealed.body).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    let restored = restored.json();
    assert_eq!(
        (&restored["token"], &restored["rows"]),
        (&Value::Null, &json!(6))
    );
    assert_eq!(restored["units"]["spent"], spent + 10);
    let after = session.call(&client, "predictions", &rows).await;
    assert_eq!(after["rows"], before["rows"]);
    // Another session's snapshot opens nothing here.
    let other = open(&client, &json!({"features": 2, "classes": 2})).await;
    let token = Some(&*other.token);
    let refused = restore(&client, other.id(), token, SECRET, &sealed.body).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
}

#[tokio::test]
async fn snapshot_opens_a_session_that_is_gone() {
    let client = enabled().await;
    let body =
        json!({"features": 2, "classes": 2, "learner": "dense-perceptron", "calibrated": true});
    let session = open(&client, &body).await;
    session.call(&client, "examples", &examples(60)).await;
    let rows = json!({"rows": [row(0, 3), row(1, 3), [0.0, 0.5]]});
    let before = session.call(&client, "predictions", &rows).await;
    let sealed = session.seal(&client, SECRET).await;
    let state = session.state(&client).await.json();
    session.close(&client).await;
    // A coordinator that has started again knows nothing of the session.
    let again = enabled().await;
    let restored = restore(&again, session.id(), None, SECRET, &sealed.body).await;
    assert_eq!(restored.status, 200, "{}", restored.text());
    assert_eq!(restored.header("location"), session.path);
    let opened = restored.json();
    let spent = state["units"]["spent"].as_u64().unwrap();
    assert_eq!(
        opened["units"],
        json!({"charged": 10, "spent": spent + 10, "left": 1_000_000 - spent - 10})
    );
    let token = opened["token"].as_str().unwrap().to_owned();
    assert_ne!(token, session.token);
    let restored = Session {
        path: session.path.clone(),
        token,
        opened,
    };
    let after = restored.call(&again, "predictions", &rows).await;
    assert_eq!(after["rows"], before["rows"]);
    let now = restored.state(&again).await.json();
    for key in ["rows", "iterations", "learner", "temperature", "classes"] {
        assert_eq!(now[key], state[key], "{key}");
    }
    assert_ne!(state["temperature"], 1.0);
}

#[tokio::test]
async fn session_offers_the_learners_of_contracts() {
    let client = enabled().await;
    for learner in [
        "sparse-perceptron",
        "dense-perceptron",
        "naive-bayes",
        "sparse-nearest-centroid",
        "dense-nearest-centroid",
    ] {
        let body = json!({"features": 2, "learner": learner, "strategy": "committee"});
        let session = open(&client, &body).await;
        // Sparse samples have the numbers 0 and 1.
        let rows: Vec<Value> = (0..20)
            .map(|index| json!({"x": [index % 2, 1 - index % 2], "y": index % 2}))
            .collect();
        session
            .call(&client, "examples", &json!({"rows": rows}))
            .await;
        let rows = json!({"rows": [[1, 0], [0, 1]]});
        let predicted = session.call(&client, "predictions", &rows).await;
        assert_eq!(predicted["rows"][0]["label"], 1, "{learner}");
        assert_eq!(predicted["rows"][1]["label"], 0, "{learner}");
        let pool = json!({"rows": [[0, 0], [1, 1], [0, 1]], "count": 3});
        let asked = session.call(&client, "queries", &pool).await;
        // The third row is labeled. Five members learn from 20 rows.
        assert_eq!(asked["rows"].as_array().unwrap().len(), 2, "{learner}");
        let token = format!("Bearer {}", session.token);
        let model = format!("{}/model", session.path);
        let refused = client.get_with(&model, "authorization", &token).await;
        assert_eq!(refused.problem(422), "labeling-rejected");
    }
    let three = json!({"features": 2, "learner": "dense-perceptron", "classes": 3});
    let refused = client.post(SESSIONS, &three).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
    let own = json!({"features": 0, "classes": 2, "learner": "own", "calibrated": true});
    let refused = client.post(SESSIONS, &own).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
}

#[tokio::test]
async fn session_publishes_its_own_model_by_a_plan_that_deploys_it() {
    let stage = Stage::with(AnvilConfig::default()).await;
    let node = stage.node.clone();
    let mut setup = Setup::new();
    setup.labels.enabled = true;
    let api = Api::over(node.clone(), None, &[], setup).await;
    let body = json!({"features": 2, "classes": 2, "learner": "dense-nearest-centroid"});
    let opened = api.post(SESSIONS, body).await;
    assert_eq!(opened.status, 201, "{}", opened.text());
    let session = Session {
        path: opened.header("location").to_owned(),
        token: opened.json()["token"].as_str().unwrap().to_owned(),
        opened: opened.json(),
    };
    let owner = stage.owner.address();
    let body = json!({"name": "sides", "classes": ["left", "right"], "owner": owner});
    let early = session.send(&api, "publish", None, &body).await;
    assert_eq!(early.problem(422), "labeling-rejected");
    session.call(&api, "examples", &examples(20)).await;
    let plan = session.call(&api, "publish", &body).await;
    assert_eq!(plan["trainedOn"], 20);
    assert_eq!(plan["classes"], json!(["left", "right"]));
    let known = plans::send(&stage, &plan).await;
    // The contract predicts as the session does.
    let count = plan["weights"]["words"].as_u64().unwrap();
    let read = bindings::words(0, usize::try_from(count).unwrap());
    let found = node.call(known["classifier"], read, None).await.unwrap();
    let words = bindings::read_words(&found).unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    assert_eq!(plan["weights"]["keccak256"], keccak256(bytes).to_string());

    let wrong = json!({"name": "sides", "classes": ["left"]});
    let refused = session.send(&api, "publish", None, &wrong).await;
    assert_eq!(refused.problem(422), "invalid-request");
    let table = format!("{}/examples", session.path);
    let token = format!("Bearer {}", session.token);
    let table = api.get_with(&table, "authorization", &token).await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let text = table.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines.len(), lines[0], lines[1]),
        (21, "0,1,label", "-1,0,0")
    );
    let forest = api
        .post(SESSIONS, json!({"features": 2, "learner": "forest"}))
        .await;
    let forest = Session {
        path: forest.header("location").to_owned(),
        token: forest.json()["token"].as_str().unwrap().to_owned(),
        opened: Value::Null,
    };
    let refused = forest.send(&api, "publish", None, &body).await;
    assert_eq!(refused.problem(422), "labeling-rejected");
    assert!(
        refused.text().contains("cotrain deploy"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn session_leaves_no_row_of_a_pool_or_snapshot_behind() {
    let client = enabled().await;
    let session = open(&client, &json!({"features": 1})).await;
    let canary = 918_273_645.5_f64;
    let rows = json!({"rows": [[canary], [1.0]]}).to_string();
    let given = session
        .give(&client, "application/json", rows.into_bytes())
        .await;
    assert_eq!(given.status, 200);
    let taught = json!({"rows": [{"x": [canary], "y": 0}, {"x": [0.0], "y": 1}]});
    session.call(&client, "examples", &taught).await;
    let sealed = session.seal(&client, SECRET).await.body;
    let refused = session
        .send(
            &client,
            "predictions",
            None,
            &json!({"rows": [[canary, 0.0]]}),
        )
        .await;
    assert_eq!(refused.problem(422), "labeling-rejected");
    session.close(&client).await;
    let stored = client.stored();
    let in_32_bits = hex::decode(SECRET).unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the canary as a pool may have it"
    )]
    let short = (canary as f32).to_le_bytes();
    for secret in [
        b"918273645".as_slice(),
        &canary.to_le_bytes(),
        &short,
        &in_32_bits,
        SECRET.as_bytes(),
    ] {
        let is_in = |bytes: &[u8]| bytes.windows(secret.len()).any(|it| it == secret);
        assert!(!is_in(&stored) && !is_in(&sealed), "{secret:?}");
    }
}

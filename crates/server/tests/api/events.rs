//! What happened, in pages and as it happens.

use axum::{body::Body, http::Request};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    client::Client,
    fake::{RAW, TEXTS},
};

/// Reads events off a stream, as they come.
struct Reader {
    body: axum::body::BodyDataStream,
    read: String,
}

impl Reader {
    async fn open(client: &Client, query: &str, last_seen: Option<i64>) -> Self {
        let mut request = Request::get(format!("/v1/events/stream{query}"));
        if let Some(id) = last_seen {
            request = request.header("last-event-id", id);
        }
        let response = client.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            read: String::new(),
        }
    }

    /// The next event: kind, id and data.
    async fn next(&mut self) -> (String, i64, Value) {
        while !self.read.contains("\n\n") {
            let bytes = self.body.next().await.unwrap().unwrap();
            self.read.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        let read = std::mem::take(&mut self.read);
        let (event, rest) = read.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let prefix = format!("{name}: ");
            let mut lines = event.lines();
            lines
                .find_map(|line| line.strip_prefix(&prefix))
                .unwrap()
                .to_owned()
        };
        let event = (
            field("event"),
            field("id").parse().unwrap(),
            serde_json::from_str(&field("data")).unwrap(),
        );
        self.read.push_str(rest);
        event
    }
}

#[tokio::test]
async fn events_come_in_pages() {
    let client = Client::new();
    for kind in ["contributed", "refunded", "rolled-back"] {
        client.fake.happen(TEXTS, kind);
        client.fake.happen(RAW, "accuracy");
    }
    let page = client
        .json(&format!("/v1/events?trainer={TEXTS}&after=1&limit=1"))
        .await;
    assert_eq!(
        (&page["rows"][0]["id"], &page["rows"][0]["kind"]),
        (&json!(3), &json!("refunded"))
    );
    assert_eq!(page["rows"][0]["detail"], json!({"deposit": "5"}));
    let next = page["next"].as_str().unwrap();
    assert_eq!(next, format!("/v1/events?after=3&limit=1&trainer={TEXTS}"));
    assert_eq!(client.json(next).await["rows"][0]["id"], 5);
}

#[tokio::test]
async fn a_stream_tells_what_happens_from_now_on() {
    let client = Client::new();
    client.fake.happen(TEXTS, "contributed");
    let mut all = Reader::open(&client, "", None).await;
    let mut raw = Reader::open(&client, &format!("?trainer={RAW}"), None).await;
    client.fake.happen(TEXTS, "refunded");
    client.fake.happen(RAW, "reported");
    let (kind, id, data) = all.next().await;
    assert_eq!((kind.as_str(), id), ("refunded", 2));
    assert_eq!(
        (&data["kind"], &data["trainer"]),
        (&json!("refunded"), &json!(TEXTS.to_string()))
    );
    assert_eq!(all.next().await.0, "reported");
    assert_eq!(raw.next().await.1, 3);
    client.fake.happen(RAW, "accuracy");
    assert_eq!(raw.next().await.1, 4);
}

#[tokio::test]
async fn a_stream_goes_on_where_it_ended() {
    let client = Client::new();
    // More than are read at a time.
    for _ in 0..250 {
        client.fake.happen(TEXTS, "contributed");
    }
    let mut stream = Reader::open(&client, "?after=0", None).await;
    for id in 1..=250 {
        assert_eq!(stream.next().await.1, id);
    }
    let mut resumed = Reader::open(&client, "?after=3", Some(248)).await;
    assert_eq!(resumed.next().await.1, 249);
    assert_eq!(resumed.next().await.1, 250);
    let wrong = client
        .get_with("/v1/events/stream", "last-event-id", "x")
        .await;
    assert_eq!(wrong.problem(400), "invalid-header");
}

#[tokio::test]
async fn only_so_many_streams_are_open() {
    let client = Client::with(|config| config.max_streams = 1);
    let open = Reader::open(&client, "", None).await;
    let refused = client.get("/v1/events/stream").await;
    assert_eq!(refused.problem(503), "overloaded");
    assert_eq!(refused.header("retry-after"), "30");
    drop(open);
    Reader::open(&client, "", None).await;
}

#[tokio::test]
async fn streams_end_when_the_coordinator_stops() {
    let client = Client::new();
    let mut stream = Reader::open(&client, "?after=0", None).await;
    client.fake.happen(TEXTS, "contributed");
    client.stop.cancel();
    // What is there is still told.
    assert_eq!(stream.next().await.1, 1);
    assert!(stream.body.next().await.is_none());
}

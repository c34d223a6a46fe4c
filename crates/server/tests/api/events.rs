//! Events, in pages and as a stream.

use axum::{body::Body, http::Request};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::client::Client;

/// Reader of a stream's events.
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

    /// Returns the next event: kind, id and data.
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
    let client = Client::new().await;
    let (texts, raw) = (client.world.texts, client.world.raw);
    let first = client.last_event().await + 1;
    for kind in ["contributed", "refunded", "rolled-back"] {
        client.happen(texts, kind).await;
        client.happen(raw, "accuracy").await;
    }
    let page = client
        .json(&format!("/v1/events?trainer={texts}&after={first}&limit=1"))
        .await;
    assert_eq!(
        (&page["rows"][0]["id"], &page["rows"][0]["kind"]),
        (&json!(first + 2), &json!("refunded"))
    );
    assert_eq!(page["rows"][0]["detail"], json!({"deposit": "5"}));
    let next = page["next"].as_str().unwrap();
    let after = first + 2;
    assert_eq!(
        next,
        format!("/v1/events?after={after}&limit=1&trainer={texts}")
    );
    assert_eq!(client.json(next).await["rows"][0]["id"], first + 4);
    // Events of the chain are in the order of its logs.
    let page = client.json(&format!("/v1/events?trainer={texts}")).await;
    let kinds: Vec<_> = page["rows"].as_array().unwrap()[..8]
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "deposited",
            "contributed",
            "contributed",
            "contributed",
            "contributed",
            "relayed",
            "refunded",
            "announced"
        ]
    );
    let author = client.world.author.address();
    let unknown = client.json(&format!("/v1/events?trainer={author}")).await;
    assert_eq!(unknown["rows"], json!([]));
}

#[tokio::test]
async fn stream_sends_what_happens_from_now_on() {
    let client = Client::new().await;
    let (texts, raw) = (client.world.texts, client.world.raw);
    let before = client.happen(texts, "contributed").await;
    let mut all = Reader::open(&client, "", None).await;
    let mut of_raw = Reader::open(&client, &format!("?trainer={raw}"), None).await;
    client.happen(texts, "refunded").await;
    client.happen(raw, "reported").await;
    let (kind, id, data) = all.next().await;
    assert_eq!((kind.as_str(), id), ("refunded", before + 1));
    assert_eq!(
        (&data["kind"], &data["trainer"]),
        (&json!("refunded"), &json!(texts.to_string()))
    );
    assert_eq!(all.next().await.0, "reported");
    assert_eq!(of_raw.next().await.1, before + 2);
    client.happen(raw, "accuracy").await;
    assert_eq!(of_raw.next().await.1, before + 3);
}

#[tokio::test]
async fn stream_goes_on_after_the_last_event_seen() {
    let client = Client::new().await;
    let before = client.last_event().await;
    // This is more than the stream reads at a time.
    client
        .happen_often(client.world.texts, "contributed", 250)
        .await;
    let mut stream = Reader::open(&client, &format!("?after={before}"), None).await;
    for id in 1..=250 {
        assert_eq!(stream.next().await.1, before + id);
    }
    let mut resumed = Reader::open(&client, "?after=3", Some(before + 248)).await;
    assert_eq!(resumed.next().await.1, before + 249);
    assert_eq!(resumed.next().await.1, before + 250);
    let wrong = client
        .get_with("/v1/events/stream", "last-event-id", "x")
        .await;
    assert_eq!(wrong.problem(400), "invalid-header");
}

#[tokio::test]
async fn stream_is_refused_above_the_maximum_number() {
    let client = Client::with(|config| config.max_streams = 1).await;
    let open = Reader::open(&client, "", None).await;
    let refused = client.get("/v1/events/stream").await;
    assert_eq!(refused.problem(503), "overloaded");
    assert_eq!(refused.header("retry-after"), "30");
    drop(open);
    Reader::open(&client, "", None).await;
}

#[tokio::test]
async fn stream_ends_when_the_coordinator_stops() {
    let client = Client::new().await;
    let before = client.last_event().await;
    let mut stream = Reader::open(&client, &format!("?after={before}"), None).await;
    client.happen(client.world.texts, "contributed").await;
    client.stop.cancel();
    // The stream still delivers the events that exist.
    assert_eq!(stream.next().await.1, before + 1);
    assert!(stream.body.next().await.is_none());
}

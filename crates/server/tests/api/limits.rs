//! Limits, cross-origin requests, request ids and metrics.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, request::Builder},
};

use crate::{client::Client, world::USED};

fn from(address: &str) -> Builder {
    let address: SocketAddr = address.parse().unwrap();
    Request::get("/v1/models").extension(ConnectInfo(address))
}

#[tokio::test]
async fn per_client_limits_the_rate_of_each_client() {
    let client = Client::with(|config| {
        config.rate = 1;
        config.burst = 2;
    })
    .await;
    let ask = |request: Builder| client.ask(request.body(Body::empty()).unwrap());
    for _ in 0..2 {
        assert_eq!(ask(from("1.1.1.1:1")).await.status, 200);
    }
    let refused = ask(from("1.1.1.1:2")).await;
    assert_eq!(refused.problem(429), "rate-limited");
    assert!((1..=2).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
    // The server ignores a client's claim to be another one, and does not refuse other clients.
    let spoofed = ask(from("1.1.1.1:1").header("x-forwarded-for", "9.9.9.9")).await;
    assert_eq!(spoofed.status, 429);
    assert_eq!(ask(from("2.2.2.2:1")).await.status, 200);
    for _ in 0..5 {
        assert_eq!(client.get("/health/ready").await.status, 200);
        assert_eq!(client.get("/metrics").await.status, 200);
    }
}

#[tokio::test]
async fn per_client_takes_the_client_that_a_trusted_proxy_names() {
    let client = Client::with(|config| {
        config.rate = 1;
        config.burst = 1;
        config.trust_forwarded_for = true;
    })
    .await;
    let ask = |forwarded: &str| {
        let request = from("1.1.1.1:1").header("x-forwarded-for", forwarded);
        client.ask(request.body(Body::empty()).unwrap())
    };
    assert_eq!(ask("5.5.5.5, 9.9.9.9").await.status, 200);
    assert_eq!(ask("6.6.6.6, 9.9.9.9").await.status, 429);
    assert_eq!(ask("9.9.9.9, 5.5.5.5").await.status, 200);
}

#[tokio::test]
async fn at_a_time_limits_the_number_and_the_duration_of_requests() {
    let client = Client::with(|config| {
        config.timeout = Duration::from_millis(500);
        config.concurrency = 1;
    })
    .await;
    // Holding all connections makes other requests wait.
    let pool = client.index().store().pool();
    let mut all = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        all.push(pool.acquire().await.unwrap());
    }
    let (slow, refused) = tokio::join!(client.get("/v1/transactions"), client.get("/v1/events"));
    assert_eq!(slow.problem(504), "timed-out");
    assert_eq!(refused.problem(503), "overloaded");
    drop(all);
    assert_eq!(client.get("/v1/events").await.status, 200);
}

#[tokio::test]
async fn cors_admits_pages_of_the_origins_that_are_named() {
    let origin = "https://example.org";
    let closed = Client::new()
        .await
        .get_with("/v1/models", "origin", origin)
        .await;
    assert!(!closed.headers.contains_key("access-control-allow-origin"));
    let client = Client::with(|config| config.cors = vec![origin.to_owned()]).await;
    let allowed = client.get_with("/v1/models", "origin", origin).await;
    assert_eq!(allowed.header("access-control-allow-origin"), origin);
    // Problems need the header too, or a page could not read them.
    let problem = client.get_with("/nowhere", "origin", origin).await;
    assert_eq!(problem.header("access-control-allow-origin"), origin);
    let other = client
        .get_with("/v1/models", "origin", "https://evil.example")
        .await;
    assert!(!other.headers.contains_key("access-control-allow-origin"));
    let preflight = Request::options(format!("/v1/models/{}/submissions", client.world.raw))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let preflight = client.ask(preflight.body(Body::empty()).unwrap()).await;
    assert_eq!(preflight.status, 200);
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("POST")
    );
    let any = Client::with(|config| config.cors = vec!["*".to_owned()]).await;
    let any = any.get_with("/v1/models", "origin", origin).await;
    assert_eq!(any.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn router_gives_each_request_an_id() {
    let client = Client::new().await;
    assert_eq!(
        client.get("/v1/models").await.header("x-request-id").len(),
        36
    );
    let given = client.get_with("/nowhere", "x-request-id", "mine").await;
    assert_eq!(given.header("x-request-id"), "mine");
}

#[tokio::test]
async fn metrics_count_requests_and_submissions() {
    let client = Client::new().await;
    let texts = client.world.texts;
    client.get(&format!("/v1/models/{texts}/price")).await;
    client
        .post(
            &format!("/v1/models/{texts}/submissions"),
            client.batch(USED),
        )
        .await
        .problem(409);
    let metrics = client.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain"));
    let text = metrics.text();
    for wanted in [
        r#"cotrain_http_request_seconds_bucket{method="GET",route="/v1/models/{trainer}/price",status="200",le="#,
        r#"cotrain_submissions_total{outcome="nonce-used"}"#,
        "cotrain_model_blocks_behind{trainer=",
        &format!("cotrain_head_block {}", client.world.head),
    ] {
        assert!(text.contains(wanted), "no {wanted} in\n{text}");
    }
    let off = Client::with(|config| config.metrics = false).await;
    assert_eq!(off.get("/metrics").await.problem(404), "not-served");
}

//! The web page's files, and cards of models.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use alloy_primitives::B256;
use axum::{body::Body, http::Request};
use cotrain_client::card::Card;
use sha2::{Digest, Sha256};

use crate::client::{Answer, Client};

const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";

/// Returns the names of the files below a folder of the page's built files, each with its path.
fn built(folder: &str) -> Vec<(String, PathBuf)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist/");
    let Ok(entries) = std::fs::read_dir(format!("{root}{folder}")) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files
        .map(|path| (format!("/{folder}{}", name(&path)), path))
        .collect()
}

#[track_caller]
fn is_index(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let index = built("")
        .into_iter()
        .find(|(name, _)| name == "/index.html");
    assert_eq!(answer.body, std::fs::read(index.unwrap().1).unwrap());
}

/// Returns the first parts of all paths that the page's script knows.
fn known() -> Vec<String> {
    let routes = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/src/shell/routes.ts");
    let routes = std::fs::read_to_string(routes).expect("the page's routes");
    let names = routes.split("first === \"").skip(1);
    let mut names: Vec<String> = names
        .map(|rest| rest[..rest.find('"').expect("a text")].to_owned())
        .collect();
    names.dedup();
    names
}

#[tokio::test]
async fn router_serves_the_page_at_its_paths_to_browsers_alone() {
    let client = Client::new().await;
    is_index(&client.get("/").await);
    let known = known();
    assert!(known.len() >= 7, "{known:?}");
    let deeper = ["m/0x5FbDB2315678afecb367f032d93F642f64180aa3/history"];
    let names = known
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "m")
        .chain(["help/deposit"])
        .chain(deeper);
    for path in names.map(|name| format!("/{name}")) {
        let path = path.as_str();
        let page = client.get_with(path, "accept", HTML).await;
        is_index(&page);
        assert!(page.headers.get_all("vary").iter().any(|it| it == "Accept"));
        // A program is not to take the page for an answer.
        assert_eq!(client.get(path).await.problem(404), "not-found");
        let json = client.get_with(path, "accept", "application/json").await;
        assert_eq!(json.problem(404), "not-found");
    }
    for path in [
        "/v1",
        "/v1/nothing",
        "/health/nothing",
        "/problems/nothing",
        "/rpc/nothing",
        "/docs/nothing",
        "/assets/nothing-0123.js",
        "/nothing",
    ] {
        let answer = client.get_with(path, "accept", HTML).await;
        assert_eq!(answer.problem(404), "not-found", "{path}");
    }
    let post = Request::post("/").body(Body::empty()).unwrap();
    assert_eq!(client.ask(post).await.problem(405), "method-not-allowed");
}

#[tokio::test]
async fn router_serves_every_built_file_with_its_age_and_policy() {
    let client = Client::new().await;
    let root = built("");
    assert!(root.iter().any(|(name, _)| name == "/index.html"));
    for (name, path) in root.into_iter().chain(built("assets/")) {
        let url = if name == "/index.html" { "/" } else { &name };
        let answer = client.get(url).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.body, std::fs::read(&path).unwrap(), "{name}");
        let hashed = name.starts_with("/assets/");
        assert_eq!(
            answer.header("cache-control"),
            if hashed {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            }
        );
        let policy = answer.header("content-security-policy");
        for part in [
            "default-src 'self'",
            "script-src 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        let again = client
            .get_with(url, "if-none-match", answer.header("etag"))
            .await;
        assert_eq!(
            (again.status.as_u16(), again.body.len()),
            (304, 0),
            "{name}"
        );
        assert_eq!(again.header("etag"), answer.header("etag"));
        let packed = client.get_with(url, "accept-encoding", "gzip, br").await;
        if packed.headers.contains_key("content-encoding") {
            assert!(packed.body.len() < answer.body.len());
            assert_ne!(packed.header("etag"), answer.header("etag"));
            let mut read = Vec::new();
            let mut gzip = flate2::read::GzDecoder::new(packed.body.as_slice());
            gzip.read_to_end(&mut read).unwrap();
            assert_eq!(read, answer.body, "{name}");
        } else {
            assert_eq!(packed.body, answer.body, "{name}");
        }
    }
}

#[tokio::test]
async fn router_does_not_count_files_against_the_rate() {
    let client = Client::with(|config| {
        config.rate = 1;
        config.burst = 1;
    })
    .await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.status, 200);
        assert_eq!(client.get("/openapi.json").await.status, 200);
    }
    assert_eq!(client.get("/v1/models").await.status, 200);
    assert_eq!(client.get("/v1/models").await.problem(429), "rate-limited");
}

#[tokio::test]
async fn card_is_the_registered_json_with_its_hash() {
    let client = Client::new().await;
    let path = format!("/v1/models/{}/card", client.world.texts);
    let plain = client.get(&path).await;
    assert_eq!(plain.status, 200, "{}", plain.text());
    assert_eq!(plain.header("content-type"), "application/json");
    let card = plain.json();
    assert_eq!(
        (&card["format"], &card["name"]),
        (&"cotrain-card/1".into(), &"Reviews".into())
    );
    assert!(card["encoder"].is_object(), "{card}");
    // The hash is that of the body.
    let hash: [u8; 32] = Sha256::digest(&plain.body).into();
    let hash = format!("{:x}", B256::from(hash));
    assert_eq!(plain.header("etag"), format!("\"{hash}\""));
    // A client that inflates gets the bytes that the registry's event has.
    let packed = client
        .get_with(&path, "accept-encoding", "gzip, deflate")
        .await;
    assert_eq!(packed.header("content-encoding"), "deflate");
    assert_eq!(packed.header("etag"), format!("\"{hash}-deflate\""));
    assert_eq!(Card::from_bytes(&packed.body).unwrap().name, "Reviews");
    let mut read = Vec::new();
    let mut zlib = flate2::read::ZlibDecoder::new(packed.body.as_slice());
    zlib.read_to_end(&mut read).unwrap();
    assert_eq!(read, plain.body);
    // To inflate it and to compress it again would take long.
    let inflated = client.get_with(&path, "accept-encoding", "gzip").await;
    assert_eq!(inflated.body, plain.body);
    assert_eq!(inflated.header("etag"), format!("\"{hash}\""));
    for (answer, coding) in [(&plain, "identity"), (&packed, "deflate")] {
        let request = Request::get(&path)
            .header("if-none-match", answer.header("etag"))
            .header("accept-encoding", coding);
        let again = client.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    }
}

#[tokio::test]
async fn card_says_why_there_is_none() {
    let client = Client::new().await;
    let answer = client
        .get(&format!("/v1/models/{}/card", client.world.raw))
        .await;
    assert_eq!(answer.problem(404), "no-card");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("is not in the registry"), "{detail}");
    let unknown = client
        .get("/v1/models/0x0000000000000000000000000000000000000001/card")
        .await;
    assert_eq!(unknown.problem(404), "unknown-model");
}

#[tokio::test]
async fn router_compresses_answers_in_json_and_no_streams() {
    let client = Client::new().await;
    let path = format!("/v1/models/{}/weights", client.world.raw);
    let plain = client.get(&path).await;
    assert!(!plain.headers.contains_key("content-encoding"));
    let packed = client.get_with(&path, "accept-encoding", "gzip").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let vary: Vec<_> = packed.headers.get_all("vary").iter().collect();
    assert!(vary.iter().any(|it| *it == "accept-encoding"), "{vary:?}");
    assert!(packed.body.len() < plain.body.len());
    let mut read = Vec::new();
    let mut gzip = flate2::read::GzDecoder::new(packed.body.as_slice());
    gzip.read_to_end(&mut read).unwrap();
    assert_eq!(read, plain.body);
    // One tag stands for both forms, so it is weak.
    assert_eq!(packed.header("etag"), format!("W/{}", plain.header("etag")));
    let again = client
        .get_with(&path, "if-none-match", packed.header("etag"))
        .await;
    assert_eq!(again.status, 304);
    let stream = Request::get("/v1/events/stream").header("accept-encoding", "gzip");
    let stream = client.send(stream.body(Body::empty()).unwrap()).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert!(!stream.headers().contains_key("content-encoding"));
}

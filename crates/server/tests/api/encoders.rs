//! Tables of word vectors that the API serves.

use cotrain_learning::vectors::{Making, Table, WordVectors, embedded};
use cotrain_server::Encoders;

use crate::client::Client;

/// Returns a table of two dimensions.
fn small() -> Table {
    let words = "good 1 0\nbad -1 0\nfilm 0 1\n".as_bytes();
    let making = Making {
        dimensions: 2,
        width: 1,
        half: 0.0,
        notice: "by us".to_owned(),
    };
    let words = WordVectors::read(words, 3).unwrap();
    Table::make(&words, &making).unwrap().0
}

async fn client() -> Client {
    Client::set_up(|setup| setup.encoders = Encoders::new(vec![small(), small()])).await
}

#[tokio::test]
async fn list_has_every_table_once_in_pages() {
    let client = client().await;
    let all = client.json("/v1/encoders").await;
    let rows = all["rows"].as_array().unwrap();
    let hashes: Vec<_> = rows
        .iter()
        .map(|row| row["sha256"].as_str().unwrap())
        .collect();
    let mut expected = [small(), embedded().clone()].map(|table| table.id().hexadecimal());
    expected.sort();
    assert_eq!(
        (hashes.as_slice(), &all["next"]),
        (&expected.each_ref().map(String::as_str)[..], &().into())
    );
    let own = rows.iter().find(|row| row["dimensions"] == 2).unwrap();
    assert_eq!(own["pieces"], 3);
    assert_eq!(own["bytes"], small().to_bytes().len());
    assert_eq!(own["notice"], "by us");

    let first = client.json("/v1/encoders?limit=1").await;
    assert_eq!(first["rows"].as_array().unwrap(), &rows[..1]);
    let second = client.json(first["next"].as_str().unwrap()).await;
    assert_eq!(second["rows"].as_array().unwrap(), &rows[1..]);
    let wrong = client.get("/v1/encoders?after=AB").await;
    assert_eq!(wrong.problem(400), "invalid-query");
}

#[tokio::test]
async fn encoder_is_the_file_and_may_be_kept_forever() {
    let client = client().await;
    for table in [small(), embedded().clone()] {
        let sha256 = table.id().hexadecimal();
        let path = format!("/v1/encoders/{sha256}");
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert_eq!(
            answer.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(answer.header("etag"), format!("\"{sha256}\""));
        assert_eq!(Table::read_named(&answer.body, table.id()).unwrap(), table);
        let same = client.get_with(&path, "accept-encoding", "gzip").await;
        assert_eq!(same.body, answer.body, "it is compressed already");
        let tag = answer.header("etag");
        let again = client.get_with(&path, "if-none-match", tag).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), tag);
        let other = client.get_with(&path, "if-none-match", "\"0\"").await;
        assert_eq!(other.status, 200);
    }
}

#[tokio::test]
async fn encoder_is_refused_for_unknown_and_malformed_hashes() {
    let client = client().await;
    let unknown = "ab".repeat(32);
    let answer = client.get(&format!("/v1/encoders/{unknown}")).await;
    assert_eq!(answer.problem(404), "unknown-encoder");
    assert_eq!(answer.json()["sha256"], unknown.as_str());
    for malformed in [
        unknown.to_uppercase(),
        "ab".to_owned(),
        format!("{unknown}0"),
    ] {
        let answer = client.get(&format!("/v1/encoders/{malformed}")).await;
        assert_eq!(answer.problem(400), "invalid-path", "{malformed}");
    }
}

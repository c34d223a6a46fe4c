//! Reads of the chain that are forwarded to the node.

use cotrain_bindings::state;
use cotrain_chain::anvil::AnvilConfig;
use cotrain_test_support::Stage;
use serde_json::{Value, json};

use crate::client::{Api, Client, Setup};

/// Returns a request of JSON-RPC.
fn request(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

async fn ask(client: &Client, body: &Value) -> Value {
    let answer = client.post("/rpc", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

/// Returns the code and the message of an error.
fn error(answer: &Value) -> (i64, &str) {
    assert_eq!(answer["result"], Value::Null, "{answer}");
    let error = &answer["error"];
    (
        error["code"].as_i64().unwrap(),
        error["message"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn rpc_forwards_reads() {
    let client = Client::new().await;
    let texts = client.world.texts;
    let chain = ask(&client, &request("eth_chainId", &json!([]))).await;
    assert_eq!(
        chain,
        json!({"jsonrpc": "2.0", "id": 7, "result": "0x7a69"})
    );
    let call = json!({"to": texts, "data": alloy_primitives::Bytes::from(state::owner())});
    let owner = ask(&client, &request("eth_call", &json!([call, "latest"]))).await;
    let owner = owner["result"].as_str().unwrap().to_owned();
    let known = client.json(&format!("/v1/models/{texts}")).await;
    let known = known["owner"].as_str().unwrap().to_lowercase();
    assert_eq!(&owner[26..], &known[2..]);
    // Of an unknown transaction there is no receipt.
    let hash = format!("0x{}", "5".repeat(64));
    let none = ask(
        &client,
        &request("eth_getTransactionReceipt", &json!([hash])),
    )
    .await;
    assert_eq!(none, json!({"jsonrpc": "2.0", "id": 7, "result": null}));
    let head = client.world.head;
    let filter =
        json!({"address": texts, "fromBlock": "earliest", "toBlock": format!("{head:#x}")});
    let logs = ask(&client, &request("eth_getLogs", &json!([filter]))).await;
    assert!(logs["result"].as_array().unwrap().len() > 4, "{logs}");
    let slot = format!("0x{}", "0".repeat(64));
    let proof = request("eth_getProof", &json!([texts, [slot], "latest"]));
    let proof = ask(&client, &proof).await;
    let slots = proof["result"]["storageProof"].as_array();
    assert_eq!(slots.map(Vec::len), Some(1), "{proof}");
    for (method, params) in [
        ("eth_gasPrice", json!([])),
        ("eth_maxPriorityFeePerGas", json!([])),
        ("eth_feeHistory", json!(["0x4", "latest", [50]])),
        ("eth_getTransactionCount", json!([texts, "latest"])),
        (
            "eth_estimateGas",
            json!([{"to": texts, "data": alloy_primitives::Bytes::from(state::owner())}]),
        ),
    ] {
        let answer = ask(&client, &request(method, &params)).await;
        assert!(!answer["result"].is_null(), "{method}: {answer}");
    }
    let batch = json!([
        request("eth_blockNumber", &json!([])),
        {"jsonrpc": "2.0", "id": "two", "method": "eth_mining"},
    ]);
    let answers = ask(&client, &batch).await;
    assert_eq!(answers[0]["result"], format!("{head:#x}"));
    assert_eq!(
        (&answers[1]["id"], error(&answers[1]).0),
        (&json!("two"), -32_601)
    );
}

#[tokio::test]
async fn rpc_passes_on_reverts_with_their_data() {
    let client = Client::new().await;
    // The other account is not the owner, and the model is closed.
    let call = json!({"to": client.world.texts, "data": "0xffffffff"});
    let answer = ask(&client, &request("eth_call", &json!([call, "latest"]))).await;
    let (code, message) = error(&answer);
    assert_eq!(code, 3, "{answer}");
    assert!(message.contains("revert"), "{message}");
    assert!(answer["error"]["data"].is_string(), "{answer}");
}

#[tokio::test]
async fn rpc_forwards_nothing_that_writes_or_is_malformed() {
    let client = Client::new().await;
    for method in [
        "eth_sendRawTransaction",
        "eth_sendTransaction",
        "anvil_setBalance",
        "evm_mine",
        "debug_traceCall",
        "\u{1b}[2J",
    ] {
        let answer = ask(&client, &request(method, &json!([]))).await;
        let (code, message) = error(&answer);
        assert_eq!(code, -32_601);
        assert!(
            message.contains("only reads are: eth_blockNumber, eth_call,"),
            "{message}"
        );
        assert!(!message.contains('\u{1b}'), "{message:?}");
    }
    for (body, code, reason) in [
        (json!(5), -32_600, "malformed"),
        (json!({}), -32_600, "malformed"),
        (json!({"id": 1}), -32_600, "malformed"),
        // A notification wants no answer, and nothing is done for it.
        (json!({"method": "eth_chainId"}), -32_600, "as id"),
        (json!({"id": {}, "method": "eth_chainId"}), -32_600, "as id"),
        (json!([]), -32_600, "0 requests, expected 1 to 20"),
        (
            json!(vec![request("eth_chainId", &json!([])); 21]),
            -32_600,
            "21 requests",
        ),
        (request("eth_chainId", &json!({})), -32_602, "no list"),
        (request("eth_getLogs", &json!([{}])), -32_602, "no address"),
    ] {
        let answer = ask(&client, &body).await;
        let (found, message) = error(&answer);
        assert_eq!(found, code, "{answer}");
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(
        client.index().node().head().await.unwrap().number,
        client.world.head
    );
    assert_eq!(client.post("/rpc", "{").await.problem(400), "invalid-body");
    let long = request("eth_call", &json!([{"data": "0".repeat(257 << 10)}]));
    assert_eq!(client.post("/rpc", long).await.problem(413), "too-large");
    assert_eq!(client.get("/rpc").await.problem(405), "method-not-allowed");
}

#[tokio::test]
async fn rpc_is_off_limited_and_counted_as_configured() {
    let off = Client::with(|config| config.rpc = false).await;
    let chain = request("eth_chainId", &json!([]));
    let answer = off.post("/rpc", &chain).await;
    assert_eq!(answer.problem(404), "not-served");
    assert!(answer.text().contains("api.rpc"), "{}", answer.text());
    let client = Client::with(|config| {
        config.rate = 1;
        config.burst = 3;
    })
    .await;
    // Each request of a batch counts; one that is refused costs no more than itself.
    let batch = |requests| json!(vec![&chain; requests]);
    let refused = client.post("/rpc", batch(4)).await;
    assert_eq!(refused.problem(429), "rate-limited");
    ask(&client, &request("eth_x", &json!([]))).await;
    ask(&client, &chain).await;
    assert_eq!(
        client.post("/rpc", &chain).await.problem(429),
        "rate-limited"
    );
    let metrics = client.get("/metrics").await.text();
    for wanted in [
        r#"cotrain_rpc_calls_total{method="eth_chainId",outcome="answered"}"#,
        r#"cotrain_rpc_calls_total{method="other",outcome="refused"}"#,
    ] {
        assert!(metrics.contains(wanted), "no {wanted} in\n{metrics}");
    }
}

#[tokio::test]
async fn rpc_says_that_the_node_is_away_and_not_where_it_was() {
    let stage = Stage::with(AnvilConfig::default()).await;
    let url = stage.anvil.url().to_string();
    let api = Api::over(stage.node.clone(), None, &[], Setup::new()).await;
    drop(stage);
    let answer = api.post("/rpc", request("eth_chainId", &json!([]))).await;
    let answer = answer.json();
    let (code, message) = error(&answer);
    assert_eq!(
        (code, message),
        (-32_603, "the node does not answer; try again later")
    );
    assert!(!answer.to_string().contains(url.trim_end_matches('/')));
}

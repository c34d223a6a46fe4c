//! The OpenAPI document, and the pages that show it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::client::Client;

/// Returns every operation as `GET /path`, with its part of the document.
async fn operations(client: &Client) -> Vec<(String, Value)> {
    let document = client.json("/openapi.json").await;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((
                format!("{} {path}", method.to_uppercase()),
                operation.clone(),
            ));
        }
    }
    operations
}

#[tokio::test]
#[allow(
    clippy::too_many_lines,
    reason = "the list has a line for each operation"
)]
async fn complete_documents_every_path_with_its_problems() {
    let operations = operations(&Client::new().await).await;
    let paths: Vec<_> = operations.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "GET /health/live",
            "GET /health/ready",
            "GET /metrics",
            "GET /problems/{kind}",
            "POST /rpc",
            "GET /v1/encoders",
            "GET /v1/encoders/{sha256}",
            "GET /v1/events",
            "GET /v1/events/stream",
            "POST /v1/label/quotes",
            "GET /v1/label/refund",
            "POST /v1/label/sessions",
            "POST /v1/label/sessions/restore",
            "GET /v1/label/sessions/{session}",
            "POST /v1/label/sessions/{session}/close",
            "POST /v1/label/sessions/{session}/decisions",
            "GET /v1/label/sessions/{session}/examples",
            "POST /v1/label/sessions/{session}/examples",
            "GET /v1/label/sessions/{session}/model",
            "POST /v1/label/sessions/{session}/pools",
            "DELETE /v1/label/sessions/{session}/pools/{pool}",
            "POST /v1/label/sessions/{session}/predictions",
            "POST /v1/label/sessions/{session}/publish",
            "POST /v1/label/sessions/{session}/queries",
            "POST /v1/label/sessions/{session}/snapshots",
            "POST /v1/label/sessions/{session}/units",
            "GET /v1/markets",
            "GET /v1/markets/{market}",
            "GET /v1/markets/{market}/card",
            "GET /v1/markets/{market}/contributions",
            "GET /v1/markets/{market}/participants",
            "GET /v1/models",
            "GET /v1/models/{trainer}",
            "GET /v1/models/{trainer}/accounts/{address}",
            "GET /v1/models/{trainer}/accounts/{address}/claimable",
            "GET /v1/models/{trainer}/accounts/{address}/late-claims",
            "GET /v1/models/{trainer}/accuracy",
            "GET /v1/models/{trainer}/card",
            "GET /v1/models/{trainer}/contributions",
            "GET /v1/models/{trainer}/contributions/{position}",
            "GET /v1/models/{trainer}/contributions/{position}/claims",
            "GET /v1/models/{trainer}/contributions/{position}/proof",
            "POST /v1/models/{trainer}/delegations",
            "GET /v1/models/{trainer}/delegations/{account}",
            "POST /v1/models/{trainer}/predict",
            "GET /v1/models/{trainer}/price",
            "GET /v1/models/{trainer}/submissions",
            "POST /v1/models/{trainer}/submissions",
            "GET /v1/models/{trainer}/totals",
            "GET /v1/models/{trainer}/weights",
            "POST /v1/plans",
            "POST /v1/plans/look",
            "GET /v1/scenarios",
            "POST /v1/simulations",
            "DELETE /v1/simulations/{id}",
            "GET /v1/simulations/{id}",
            "GET /v1/simulations/{id}/page",
            "GET /v1/submissions/{id}",
            "GET /v1/sweeps",
            "GET /v1/sweeps/{name}/page",
            "GET /v1/transactions",
            "POST /x402/settle",
            "GET /x402/supported",
            "POST /x402/verify",
        ]
    );
    let mut ids = BTreeSet::new();
    for (path, operation) in operations {
        let responses = operation["responses"].as_object().unwrap();
        let success = match path.as_str() {
            "POST /v1/simulations" => "202",
            "DELETE /v1/simulations/{id}" | "DELETE /v1/label/sessions/{session}/pools/{pool}" => {
                "204"
            }
            "POST /v1/label/sessions" => "201",
            _ => "200",
        };
        let mut wanted = vec![success, "400", "500"];
        if path.contains("/v1/") || path.contains("/rpc") {
            wanted.extend(["429", "503"]);
        }
        if path.contains("{trainer}") || path.contains("{market}") {
            wanted.extend(["404", "504"]);
        }
        if path.contains("{session}") {
            wanted.extend(["401", "404"]);
        }
        let has_body = !path.ends_with("/close") && !path.ends_with("/snapshots");
        if path.starts_with("POST") && has_body {
            wanted.extend(["413", "415", "422"]);
        }
        for status in wanted {
            assert!(
                responses.contains_key(status),
                "{path} says nothing of {status}"
            );
        }
        for (status, response) in responses {
            if status.starts_with(['4', '5']) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(*schema, "#/components/schemas/Problem", "{path} {status}");
            }
        }
        assert!(operation["summary"].is_string(), "{path} has no summary");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id), "{path} has the id of another");
    }
}

#[tokio::test]
async fn complete_puts_bounds_into_the_document_and_leaves_no_loose_ends() {
    let client = Client::with(|config| config.max_page = 77).await;
    let document = client.json("/openapi.json").await;
    let limit = document["paths"]["/v1/events"]["get"]["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .find(|parameter| parameter["name"] == "limit")
        .unwrap();
    assert_eq!(
        (&limit["schema"]["maximum"], &limit["schema"]["default"]),
        (&77.into(), &77.into())
    );
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is nowhere");
    }
    for body in ["SignedBatchBody", "DelegationBody", "PlanBody", "LookBody"] {
        assert_eq!(schemas[body]["additionalProperties"], false);
    }
}

#[tokio::test]
async fn router_serves_the_page_of_the_document_without_other_hosts() {
    let client = Client::new().await;
    let page = client.get("/docs/").await;
    assert!(page.header("content-type").starts_with("text/html"));
    let script = client.get("/docs/page.js").await;
    assert!(script.text().contains("/openapi.json"), "{}", script.text());
    for text in [page.text(), script.text()] {
        assert!(!text.contains("https://"), "{text}");
    }
    for from in ["/docs", "/docs/index.html"] {
        let answer = client.get(from).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/docs/")
        );
    }
    let page = page.text();
    assert!(page.contains("<title>cotrain API</title>"), "{page}");
    assert!(page.contains(r#"<meta name="viewport""#), "{page}");
    // Every file that the page names exists.
    for file in ["swagger-ui.css", "swagger-ui-bundle.js", "page.js"] {
        assert!(page.contains(file), "{page}");
        assert_eq!(
            client.get(&format!("/docs/{file}")).await.status,
            200,
            "{file}"
        );
    }
    // The page loads all that its script uses.
    assert!(!script.text().contains("Standalone"), "{}", script.text());
    // The layout lacks the bar for the address of another API.
    assert!(script.text().contains("BaseLayout"), "{}", script.text());
    let document = client.json("/openapi.json").await;
    let summaries: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["summary"].to_string())
        .collect();
    assert!(
        summaries.len() > 20 && summaries.iter().all(|it| !it.contains('`')),
        "{summaries:?}"
    );
    let predict = &document["paths"]["/v1/models/{trainer}/predict"]["post"]["requestBody"];
    let example = predict["content"]["application/json"]["example"].clone();
    assert_eq!(
        example,
        serde_json::json!({"text": "a warm and funny film"})
    );
}

#[tokio::test]
async fn problem_has_a_page_and_a_documented_line_for_every_kind() {
    let client = Client::new().await;
    let listed = include_str!("../../../../docs/api.md");
    let kinds: Vec<_> = listed
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter_map(|(kind, rest)| Some((kind, rest.split_once(" | ")?.0)))
        .filter(|(_, status)| status.parse::<u16>().is_ok())
        .collect();
    assert!(kinds.len() > 25, "docs/api.md lists {kinds:?}");
    for (kind, status) in kinds {
        let page = client.get(&format!("/problems/{kind}")).await;
        assert_eq!(page.status, 200, "{kind}");
        assert!(
            page.text().contains(&format!("({status})")),
            "{kind}: {}",
            page.text()
        );
    }
}

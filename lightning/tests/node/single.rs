//! One node without channels: rights, errors, certificate.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    shape::check,
    support::{Lines, Node, Place, hex_of, number},
};

#[tokio::test(flavor = "multi_thread")]
async fn lnnode_answers_as_lnd_without_channels() {
    let place = Place::new("");
    let node = place.start();
    rights(&node).await;
    errors(&node).await;
    certificate(&place, &node).await;
    messages(&node).await;
    invoices(&node).await;
}

/// Returns status and body of a call with another macaroon.
async fn with(node: &Node, macaroon: &str, method: Method, path: &str) -> (u16, Value) {
    let response = node.raw(macaroon, method, path, None).await.expect(path);
    let status = response.status().as_u16();
    (status, response.json().await.expect(path))
}

async fn rights(node: &Node) {
    let calls = [
        (Method::GET, "/v1/getinfo", true),
        (Method::GET, "/v1/balance/channels", true),
        (Method::GET, "/v1/balance/blockchain", true),
        (Method::GET, "/v1/channels", true),
        (Method::POST, "/v1/channels", true),
        (Method::POST, "/v1/peers", true),
        (Method::GET, "/v1/payments", true),
        (Method::POST, "/v2/router/send", true),
        (Method::POST, "/v1/invoices", false),
        (Method::GET, "/v1/invoice/00", false),
        (Method::GET, "/v2/invoices/lookup", false),
        (Method::GET, "/v1/invoices/subscribe?add_index=x", false),
        (Method::POST, "/v2/invoices/cancel", false),
        (Method::GET, "/v1/newaddress", false),
    ];
    let mut forged = node.admin.clone();
    forged.replace_range(
        forged.len() - 1..,
        if forged.ends_with('0') { "1" } else { "0" },
    );
    for (method, path, admin_only) in calls {
        for macaroon in ["", "zz", &forged, &node.admin[..40]] {
            let (status, body) = with(node, macaroon, method.clone(), path).await;
            assert_eq!(
                (status, &body["code"]),
                (401, &json!(16)),
                "{path} {macaroon}"
            );
            assert_eq!(body["details"], json!([]));
            assert!(body["message"].is_string() && body.as_object().is_some_and(|b| b.len() == 3));
        }
        let (status, body) = with(node, &node.invoice, method.clone(), path).await;
        if admin_only {
            let denied = json!({ "code": 7, "message": "permission denied", "details": [] });
            assert_eq!((status, body), (403, denied), "{path}");
        } else {
            assert!(![401, 403].contains(&status), "{path}");
        }
        let (status, _) = with(node, &node.admin, method, path).await;
        assert!(![401, 403].contains(&status), "{path}");
    }
}

async fn errors(node: &Node) {
    let zeros = "0".repeat(64);
    let gets = [
        ("/", 404, 5),
        ("/v1/nothing", 404, 5),
        (&format!("/v1/invoice/{zeros}"), 404, 5),
        ("/v1/invoice/12", 400, 3),
        ("/v2/invoices/lookup", 400, 3),
        ("/v2/invoices/lookup?payment_hash=AAAA", 400, 3),
        ("/v2/invoices/lookup?payment_addr=AAAA", 400, 3),
        ("/v1/invoices/subscribe?settle_index=-1", 400, 3),
        ("/v1/newaddress?type=4", 400, 3),
        ("/v1/payments?include_incomplete=2", 400, 3),
        ("/v1/getinfo?x=1", 400, 3),
    ];
    for (path, status, code) in gets {
        let (found, body) = node.fails(Method::GET, path, None).await;
        assert_eq!(
            (found, &body["code"]),
            (status, &json!(code)),
            "{path}: {body}"
        );
    }
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    let posts = [
        (
            "/v1/invoices",
            json!({ "value": "1", "value_msat": "1000" }),
            400,
            3,
        ),
        ("/v1/invoices", json!({ "value": "-1" }), 400, 3),
        ("/v1/invoices", json!({ "expiry": "31536001" }), 400, 3),
        ("/v1/invoices", json!({ "expiry": "-1" }), 400, 3),
        ("/v1/invoices", json!({ "memo": "m".repeat(640) }), 400, 3),
        ("/v1/invoices", json!({ "r_preimage": "AAAA" }), 400, 3),
        ("/v1/invoices", json!({ "is_amp": true }), 400, 3),
        ("/v1/invoices", json!([1]), 400, 3),
        ("/v1/getinfo", json!({}), 404, 5),
        ("/v2/invoices/cancel", json!({ "payment_hash": "" }), 400, 3),
        ("/v2/router/send", json!({}), 400, 3),
        (
            "/v2/router/send",
            json!({ "payment_request": "lnbc1" }),
            400,
            3,
        ),
        ("/v2/router/send", json!({ "timeout_seconds": 5 }), 400, 3),
        ("/v1/peers", json!({}), 400, 3),
        (
            "/v1/peers",
            json!({ "addr": { "pubkey": key, "host": "nowhere" } }),
            400,
            3,
        ),
        (
            "/v1/peers",
            json!({ "addr": { "pubkey": key, "host": "127.0.0.1:1" } }),
            503,
            14,
        ),
        ("/v1/channels", json!({ "node_pubkey_string": key }), 400, 3),
        (
            "/v1/channels",
            json!({ "node_pubkey_string": key, "local_funding_amount": 9 }),
            500,
            2,
        ),
    ];
    for (path, request, status, code) in posts {
        let (found, body) = node.fails(Method::POST, path, Some(request.clone())).await;
        assert_eq!(
            (found, &body["code"]),
            (status, &json!(code)),
            "{path} {request}: {body}"
        );
    }
    let long = json!({ "memo": "m".repeat(1 << 18) });
    let response = node
        .raw(&node.admin, Method::POST, "/v1/invoices", Some(&long))
        .await;
    assert_eq!(response.expect("answer").status(), 413);
}

/// Holds that the certificate has LND's form: an authority, which rustls refuses as a server's own.
async fn certificate(place: &Place, node: &Node) {
    let pem = std::fs::read(place.dir.join("tls.cert")).expect("certificate");
    let root = reqwest::Certificate::from_pem(&pem).expect("PEM");
    let by_root = Client::builder()
        .add_root_certificate(root)
        .no_proxy()
        .build()
        .expect("client");
    let error = by_root
        .get(format!("{}/v1/getinfo", node.rest))
        .send()
        .await
        .expect_err("refused");
    assert!(
        format!("{error:?}").contains("CaUsedAsEndEntity"),
        "{error:?}"
    );
    let nobody = Client::builder().no_proxy().build().expect("client");
    assert!(nobody.get(&node.rest).send().await.is_err());
}

async fn messages(node: &Node) {
    for (path, message) in [
        ("/v1/getinfo", "GetInfoResponse"),
        ("/v1/balance/channels", "ChannelBalanceResponse"),
        ("/v1/balance/blockchain", "WalletBalanceResponse"),
        ("/v1/channels", "ListChannelsResponse"),
        (
            "/v1/payments?include_incomplete=true",
            "ListPaymentsResponse",
        ),
        ("/v1/newaddress", "NewAddressResponse"),
        (
            "/v1/newaddress?type=WITNESS_PUBKEY_HASH",
            "NewAddressResponse",
        ),
    ] {
        check(message, &node.get(path).await);
    }
}

async fn invoices(node: &Node) {
    let mut lines = Lines::open(node, 0, 0).await;
    let preimage = json!("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
    let request = json!({ "r_preimage": preimage, "value": "3", "memo": "né", "expiry": 600 });
    let added = node.add(request.clone()).await;
    check("AddInvoiceResponse", &added);
    let (status, _) = node
        .fails(Method::POST, "/v1/invoices", Some(request))
        .await;
    assert_eq!(status, 500, "one invoice a hash");

    let hash = &added["r_hash"];
    let found = node.look_up(hash).await;
    check("Invoice", &found);
    let url = hash
        .as_str()
        .expect("text")
        .replace('+', "-")
        .replace('/', "_");
    let by_query = node
        .get(&format!("/v2/invoices/lookup?payment_hash={url}"))
        .await;
    assert_eq!(found, by_query);
    assert_eq!(
        lines.next().await,
        Some(found.clone()),
        "a new invoice is told"
    );
    assert_eq!(
        (&found["state"], &found["settled"]),
        (&json!("OPEN"), &json!(false))
    );
    assert_eq!(
        (&found["memo"], &found["r_preimage"]),
        (&json!("né"), &preimage)
    );
    assert_eq!(
        (&found["value"], &found["value_msat"]),
        (&json!("3"), &json!("3000"))
    );
    assert_eq!(
        (&found["expiry"], &found["settle_index"]),
        (&json!("600"), &json!("0"))
    );
    assert_eq!(found["payment_request"], added["payment_request"]);
    assert_eq!(found["payment_addr"], added["payment_addr"]);

    check(
        "CancelInvoiceResp",
        &node
            .post("/v2/invoices/cancel", json!({ "payment_hash": hash }))
            .await,
    );
    assert_eq!(node.look_up(hash).await["state"], "CANCELED");

    let index = number(&added["add_index"]);
    let open = node.add(json!({})).await;
    assert_eq!(node.look_up(&open["r_hash"]).await["expiry"], "86400");
    let mut again = Lines::open(node, index, 0).await;
    let told = again.next().await.expect("the invoice after the index");
    assert_eq!(hex_of(&told["r_hash"]), hex_of(&open["r_hash"]));
    assert_eq!(again.next().await, None);
}

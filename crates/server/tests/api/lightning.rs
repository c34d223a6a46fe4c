//! Labeling sessions that are paid for over Lightning.

use std::time::Duration;

use axum::{body::Body, http::Request};
use cotrain_payments::{
    l402::{Challenge, Credential},
    price::UnitPrice,
};
use cotrain_server::config::LightningSection;
use cotrain_test_support::{LndDouble, LndFault};
use serde_json::{Value, json};

use crate::client::{Answer, Client};

const SESSIONS: &str = "/v1/label/sessions";

/// Shop with a node, and the client of its API.
struct Shop {
    lnd: LndDouble,
    client: Client,
}

impl Shop {
    async fn open() -> Self {
        let lnd = LndDouble::start().await;
        let section = LightningSection {
            url: lnd.url().parse().unwrap(),
            certificate: lnd.file("tls.cert"),
            macaroon: lnd.file("invoice.macaroon"),
            // 1 sat for 10 units.
            price: UnitPrice {
                amount: 1_000.try_into().unwrap(),
                units: 10.try_into().unwrap(),
            },
            min_purchase: 2_000,
            expiry: Duration::from_mins(10),
            max_client_invoices: 4,
            max_invoices: 100,
            timeout: Duration::from_secs(5),
        };
        let client = Client::set_up(|setup| {
            setup.labels.enabled = true;
            setup.lightning = Some(section);
        });
        Self {
            client: client.await,
            lnd,
        }
    }

    async fn post(&self, path: &str, body: &Value, proof: Option<&str>) -> Answer {
        let mut request =
            Request::post(format!("{SESSIONS}{path}")).header("content-type", "application/json");
        if let Some(proof) = proof {
            request = request.header("authorization", proof);
        }
        let request = request.body(Body::from(body.to_string()));
        self.client.ask(request.unwrap()).await
    }

    /// Pays the offer of an answer, and returns the header that proves it.
    fn pay(&self, answer: &Answer) -> String {
        assert_eq!(answer.problem(402), "payment-required", "{}", answer.text());
        let offer = answer.header("www-authenticate");
        let challenge = Challenge::read(offer).unwrap().unwrap();
        let preimage = self.lnd.pay(&challenge.invoice);
        Credential::new(challenge.macaroon, preimage).header()
    }

    /// Opens a session of 30 units, and returns its path with the proof of its owner.
    async fn buy(&self) -> (String, String) {
        let body = json!({"features": 2, "classes": 2, "units": 30});
        let proof = self.pay(&self.post("", &body, None).await);
        let opened = self.post("", &body, Some(&proof)).await;
        assert_eq!(opened.status, 201, "{}", opened.text());
        assert_eq!(opened.header("x-units-charged"), "10");
        let opened = opened.json();
        assert_eq!(
            opened.get("token").cloned().unwrap_or_default(),
            Value::Null
        );
        let path = format!("/{}", opened["session"].as_str().unwrap());
        (path, proof)
    }
}

#[tokio::test]
async fn lightning_pays_for_a_session_and_for_more_units() {
    let shop = Shop::open().await;
    let (path, proof) = shop.buy().await;
    let rows = json!({"rows": [{"x": [0, 0], "y": 0}, {"x": [1, 1], "y": 1}]});
    let call = format!("{path}/examples");
    let trained = shop.post(&call, &rows, Some(&proof)).await;
    assert_eq!(trained.status, 200, "{}", trained.text());
    let left: u64 = trained.header("x-units-left").parse().unwrap();
    assert_eq!(left, 16);
    // More than is left is offered, and the call is sent again with the proof of that payment.
    let call = format!("{path}/predictions");
    let many = json!({"rows": vec![[0.5, 0.5]; 17]});
    let poor = shop.post(&call, &many, Some(&proof)).await;
    assert_eq!(
        (&poor.json()["price"], &poor.json()["left"]),
        (&json!(17), &json!(16))
    );
    let topped = shop.pay(&poor);
    assert_eq!(
        shop.post(&call, &many, Some(&proof)).await.status,
        402,
        "the node says nothing yet"
    );
    let decided = shop.post(&call, &many, Some(&topped)).await;
    assert_eq!(decided.status, 200, "{}", decided.text());
    assert_eq!(decided.header("x-units-left"), "999");
    // Both spend from the same account.
    let few = json!({"rows": [[0.5, 0.5]]});
    let decided = shop.post(&call, &few, Some(&proof)).await;
    assert_eq!(decided.header("x-units-left"), "998");
    let (call, units) = (format!("{path}/units"), json!({"units": 20}));
    let gift = shop.pay(&shop.post(&call, &units, None).await);
    let bought = shop.post(&call, &units, Some(&gift)).await;
    assert_eq!(
        (bought.status.as_u16(), bought.header("x-units-left")),
        (200, "1018")
    );
    let call = format!("{path}/predictions");
    assert_eq!(shop.post(&call, &few, Some(&gift)).await.status, 401);
    assert_eq!(
        shop.post(&format!("{path}/close"), &json!({}), Some(&proof))
            .await
            .status,
        200
    );
    let body = json!({"features": 2, "classes": 2});
    let again = shop.post("", &body, Some(&proof)).await;
    assert_eq!(
        (again.status.as_u16(), again.header("x-units-left")),
        (201, "1008")
    );
    assert_eq!(shop.lnd.received(), 3_000 + 100_000 + 2_000);
}

#[tokio::test]
async fn lightning_refuses_other_sessions_and_bounds_offers() {
    let shop = Shop::open().await;
    let (own, proof) = shop.buy().await;
    let (other, other_proof) = shop.buy().await;
    let few = json!({"rows": [[0.5, 0.5]]});
    let (token, preimage) = (
        proof.split(':').next().unwrap(),
        other_proof.split(':').nth(1),
    );
    let mixed = format!("{token}:{}", preimage.unwrap());
    let bearer = format!("Bearer {}", "0".repeat(64));
    for (path, wrong) in [
        (&own, &other_proof),
        (&other, &proof),
        (&own, &mixed),
        (&own, &bearer),
    ] {
        let refused = shop
            .post(&format!("{path}/predictions"), &few, Some(wrong))
            .await;
        assert_eq!(refused.problem(401), "wrong-token", "{}", refused.text());
        // Clients pay whatever invoice they see.
        assert!(!refused.header("www-authenticate").contains("L402"));
    }
    let body = json!({"features": 2, "classes": 2});
    shop.lnd.fail([LndFault::Error(500, 2, "starting up")]);
    let away = shop.post("", &body, None).await;
    assert_eq!(away.status, 503, "{}", away.text());
    assert!(!away.header("retry-after").is_empty());
    for _ in 0..4 {
        assert_eq!(shop.post("", &body, None).await.status, 402);
    }
    let bounded = shop.post("", &body, None).await;
    assert_eq!(bounded.status, 429, "{}", bounded.text());
    assert!(bounded.headers.get("www-authenticate").is_none());
}

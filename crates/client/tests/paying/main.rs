//! Payments for labeling sessions, at doubles of a coordinator and of a Lightning node.

mod double;

use std::{fs, path::Path, time::Duration};

use alloy_primitives::Address;
use cotrain_chain::keys::Key;
use cotrain_client::{
    api::Client,
    label::{
        Approve, Invoices, LabelError, LightningNode, NewSession, PayError, Purse, Service, Tokens,
    },
};
use cotrain_payments::x402::{
    Reason, Token, exact, header,
    wire::{PaymentRequired, Resource, SettlementResponse},
};
use tempfile::TempDir;

use self::double::{Answer, Double, INVOICE_MSAT, PREIMAGE, invoice};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const OPEN: &str = "POST /v1/label/sessions";
const SEND: &str = "POST /v2/router/send";
const PAYMENTS: &str = "GET /v1/payments";
const OPENED: &str =
    r#"{"session":"ab","token":null,"units":{"charged":10,"spent":10,"left":5},"expires":9}"#;
const STATE: &str = r#"{"rows":0,"stop":null,"units":{"charged":0,"spent":10,"left":5}}"#;

fn session() -> NewSession {
    NewSession {
        learner: "logistic".to_owned(),
        classes: 2,
        features: 1,
        strategy: "margin".to_owned(),
        stopping: Vec::new(),
        fixed: None,
        seed: 0,
        units: None,
    }
}

fn always() -> Approve {
    Box::new(|_| true)
}

/// Returns a service whose payer has a Lightning node.
fn over_lightning(double: &Double, folder: &TempDir, limit: u128) -> Service {
    let path = |name: &str| folder.path().join(name);
    fs::write(path("tls.cert"), CERTIFICATE).expect("written");
    fs::write(path("pay.macaroon"), b"\x02\x01").expect("written");
    let node = LightningNode::new(&double.url(), &path("tls.cert"), &path("pay.macaroon"));
    let purse = Invoices::open(node.expect("a node"), limit, &path("wallet"), always());
    service(double, Purse::Invoices(Box::new(purse.expect("a record"))))
}

/// Returns a service whose payer has an account with tokens.
fn by_tokens(double: &Double, path: &Path, limit: u128) -> Service {
    let (key, token) = (Key::development(1), Address::repeat_byte(5));
    let tokens = Tokens::open(key, 31_337, token, limit, path, always());
    service(double, Purse::Tokens(Box::new(tokens.expect("a record"))))
}

fn service(double: &Double, purse: Purse) -> Service {
    let client = Client::new(&double.url()).expect("a client");
    Service::new(client, purse).with_patience(Duration::from_secs(5))
}

fn challenge() -> Answer {
    let challenge = format!(
        "L402 version=\"0\", token=\"{}\", invoice=\"{}\"",
        double::macaroon(),
        invoice()
    );
    Answer::new(402, "").with("WWW-Authenticate", &challenge)
}

fn offer() -> Answer {
    let token = Token {
        chain_id: 31_337,
        address: Address::repeat_byte(5),
        name: "Test".to_owned(),
        version: "1".to_owned(),
    };
    let required = PaymentRequired {
        x402_version: 2,
        error: None,
        resource: Some(Resource::default()),
        accepts: vec![exact::offer(&token, 700, Address::repeat_byte(7), 60)],
        extensions: std::collections::BTreeMap::default(),
    };
    let json = serde_json::to_vec(&required).expect("JSON");
    Answer::new(402, "").with(header::PAYMENT_REQUIRED, &header::encode(&json))
}

#[tokio::test]
async fn hold_is_repeated_once_if_its_answer_is_lost() {
    const POOLS: &str = "POST /v1/label/sessions/ab/pools";
    let held = r#"{"pool":"07","rows":1,"units":{"charged":1,"spent":11,"left":4}}"#;
    let double = Double::new([
        (OPEN, Answer::new(201, &OPENED.replace("null", "\"free\""))),
        (POOLS, Answer::cut()),
        (POOLS, Answer::new(200, held)),
        (POOLS, Answer::cut()),
        (POOLS, Answer::cut()),
        (POOLS, Answer::new(503, "")),
    ]);
    let mut service = service(&double, Purse::Empty);
    let (access, _) = service.open(&session(), None).await.expect("a session");
    // The same id has the same outcome, so the pool is charged once.
    for expected in [Some(1), None, None] {
        let found = service.hold(&access, &[&[0.5]]).await.expect("an outcome");
        assert_eq!(found.map(|it| it.rows), expected);
    }
    let asked = double.asked();
    let ids: Vec<_> = asked
        .iter()
        .map(|it| it.header("Idempotency-Key"))
        .collect();
    assert_eq!((ids.len(), ids[1], ids[3]), (6, ids[2], ids[4]));
    assert!(ids[1].is_some() && ids[1] != ids[3] && ids[3] != ids[5]);
}

#[tokio::test]
async fn service_pays_an_invoice_once_and_shows_its_proof() {
    let folder = tempfile::tempdir().expect("a folder");
    let double = Double::new([
        (OPEN, challenge()),
        // The stream breaks off, and the node's list tells how it ended.
        (
            SEND,
            Answer::new(
                200,
                &format!("{{\"result\":{}}}\n", double::payment("IN_FLIGHT")),
            ),
        ),
        (PAYMENTS, double::listed("IN_FLIGHT")),
        (PAYMENTS, double::listed("SUCCEEDED")),
        (OPEN, Answer::new(503, "").with("Retry-After", "1")),
        (OPEN, Answer::cut()),
        (OPEN, Answer::new(201, OPENED)),
        ("GET /v1/label/sessions/ab", Answer::new(200, STATE)),
    ]);
    let mut service = over_lightning(&double, &folder, 3_000_000);
    let (access, units) = service.open(&session(), None).await.expect("a session");
    assert_eq!(units.left, 5);
    service.state(&access).await.expect("a state");
    let asked = double.asked();
    let proof = format!("L402 {}:{PREIMAGE}", double::macaroon());
    let proofs: Vec<_> = asked.iter().map(|it| it.header("authorization")).collect();
    let expected = [
        None,
        None,
        None,
        None,
        Some(&proof),
        Some(&proof),
        Some(&proof),
        Some(&proof),
    ];
    assert_eq!(proofs, expected.map(|it| it.map(String::as_str)));
    // All openings are the same request.
    let ids: Vec<_> = asked
        .iter()
        .filter_map(|it| it.header("idempotency-key"))
        .collect();
    assert!(
        ids.len() == 4 && ids.iter().all(|id| *id == ids[0]),
        "{ids:?}"
    );
    assert_eq!(asked[1].header("grpc-metadata-macaroon"), Some("0201"));
    assert!(asked[1].body.contains(&format!("\"{}\"", invoice())));
    // The fee counts, too.
    assert_eq!(service.purse().spent(), u128::from(INVOICE_MSAT) + 3);
}

#[tokio::test]
async fn service_pays_no_invoice_above_the_budget_and_none_that_fails_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let double = Double::new([
        (OPEN, challenge()),
        (OPEN, challenge()),
        (
            SEND,
            Answer::new(
                200,
                &format!("{{\"result\":{}}}\n", double::payment("FAILED")),
            ),
        ),
    ]);
    // The fee of the route would exceed it.
    let mut service = over_lightning(&double, &folder, u128::from(INVOICE_MSAT) + 100);
    let failure = service.open(&session(), None).await.expect_err("too much");
    assert!(
        matches!(failure, LabelError::NotPaid(PayError::Budget(_))),
        "{failure:?}"
    );
    let mut service = over_lightning(&double, &folder, 3_000_000);
    let failure = service.open(&session(), None).await.expect_err("no route");
    assert!(
        matches!(&failure, LabelError::NotPaid(PayError::Failed(reason)) if reason.contains("NO_ROUTE")),
        "{failure:?}"
    );
    assert_eq!(service.purse().spent(), 0);
}

#[tokio::test]
async fn finish_ends_a_payment_that_was_on_its_way_when_the_program_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let double = Double::new([
        (OPEN, challenge()),
        (SEND, Answer::cut()),
        (
            PAYMENTS,
            Answer::new(500, r#"{"code":2,"message":"starting"}"#),
        ),
        // The next run.
        (
            SEND,
            Answer::new(409, r#"{"code":6,"message":"invoice is already paid"}"#),
        ),
        (PAYMENTS, double::listed("SUCCEEDED")),
        (OPEN, Answer::new(201, OPENED)),
    ]);
    let mut service = over_lightning(&double, &folder, 3_000_000);
    let failure = service.open(&session(), None).await.expect_err("unknown");
    assert!(matches!(failure, LabelError::Node(_)), "{failure:?}");
    // The money may be on its way, so all of it counts.
    assert!(service.purse().spent() > u128::from(INVOICE_MSAT));
    let mut service = over_lightning(&double, &folder, 3_000_000);
    let opened = service.finish(None).await.expect("an end");
    assert!(opened.is_some());
    assert_eq!(service.purse().spent(), u128::from(INVOICE_MSAT) + 3);
    let asked = double.asked();
    let ids = [0, 5].map(|at: usize| asked[at].header("idempotency-key"));
    assert_eq!(ids[0], ids[1]);
    assert_eq!(asked[0].body, asked[5].body);
    assert!(
        service
            .finish(None)
            .await
            .expect("nothing is open")
            .is_none()
    );
}

#[tokio::test]
async fn finish_sends_the_same_transfer_again_after_a_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let wallet = folder.path().join("wallet");
    let settled = SettlementResponse {
        success: true,
        ..SettlementResponse::default()
    };
    let settled = header::encode(&serde_json::to_vec(&settled).expect("JSON"));
    let opened = OPENED.replace("null", "\"cd\"");
    let double = Double::new([
        (OPEN, offer()),
        // It would have to wait longer than its patience.
        (OPEN, Answer::new(503, "").with("Retry-After", "60")),
        (
            OPEN,
            Answer::new(201, &opened).with(header::PAYMENT_RESPONSE, &settled),
        ),
        ("GET /v1/label/sessions/ab", Answer::new(200, STATE)),
    ]);
    let failure = by_tokens(&double, &wallet, 1_000)
        .open(&session(), None)
        .await;
    assert!(
        matches!(failure, Err(LabelError::Unknown(_))),
        "{failure:?}"
    );
    let mut service = by_tokens(&double, &wallet, 1_000);
    assert_eq!(service.purse().spent(), 700);
    // Nothing else is paid before.
    let (access, _) = service
        .finish(None)
        .await
        .expect("an end")
        .expect("a session");
    service.state(&access).await.expect("a state");
    assert_eq!(service.purse().spent(), 700);
    let asked = double.asked();
    assert_eq!(asked[0].header("payment-signature"), None);
    assert!(asked[1].header("payment-signature").is_some());
    assert_eq!(
        asked[1].header("payment-signature"),
        asked[2].header("payment-signature")
    );
    assert_eq!(asked[3].header("authorization"), Some("Bearer cd"));
}

#[tokio::test]
async fn service_counts_a_transfer_that_the_coordinator_calls_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let failed = SettlementResponse::failure("eip155:31337", None, Reason::InsufficientFunds);
    let failed = header::encode(&serde_json::to_vec(&failed).expect("JSON"));
    let double = Double::new([
        (OPEN, offer()),
        (OPEN, offer().with(header::PAYMENT_RESPONSE, &failed)),
        (OPEN, offer()),
    ]);
    let wallet = folder.path().join("wallet");
    let mut service = by_tokens(&double, &wallet, 1_000);
    let failure = service.open(&session(), None).await.expect_err("no money");
    let told = failure.to_string();
    assert!(
        told.contains("insufficient_funds") && told.contains("counts as spent"),
        "{told}"
    );
    assert_eq!(
        (service.purse().spent(), service.purse().left()),
        (700, Some(300))
    );
    let failure = service.open(&session(), None).await.expect_err("no budget");
    assert!(
        matches!(failure, LabelError::NotPaid(PayError::Choose(_))),
        "{failure:?}"
    );
}

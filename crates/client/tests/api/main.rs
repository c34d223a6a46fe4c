//! Answers of coordinators, right and wrong ones, and what the client makes of them.

mod server;

use std::{error::Error, fmt::Debug, time::Duration};

use alloy_primitives::{Address, B256};
use cotrain_client::api::{
    Account, AccountAnswer, ApiError, Client, Data, DelegationBody, DelegationView, EncodingView,
    Hash, Incentive, IncentiveView, MAX_ANSWER, MarketAction, MarketPhase, MarketStage, ModelView,
    POLL_INTERVAL, Price, Problem, SignedBatchBody, Status, SubmissionView, Submitted, Wei,
};
use cotrain_learning::vectors::{NamedTableError, embedded};
use cotrain_protocol::trainer::{Delegation, SignedBatch};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use self::server::{Answer, Server};

const TRAINER: Address = Address::repeat_byte(0x11);
const AUTHOR: Address = Address::repeat_byte(0xaa);
const ID: B256 = B256::repeat_byte(0x95);
/// [`TRAINER`] and [`AUTHOR`] as they appear in paths.
const TRAINER_TEXT: &str = "0x1111111111111111111111111111111111111111";
const AUTHOR_TEXT: &str = "0xaAaAaAaaAaAaAaaAaAAAAAAAAaaaAaAaAaaAaaAa";
const ID_TEXT: &str = "0x9595959595959595959595959595959595959595959595959595959595959595";

fn model() -> Value {
    json!({
        "chainId": 31337, "trainer": TRAINER_TEXT, "classifier": TRAINER_TEXT, "owner": AUTHOR_TEXT,
        "verified": true, "name": "films", "description": null, "classNames": ["no", "yes"], "encodes": true,
        "learner": "sparse-perceptron", "encoding": "dense16", "classes": 2, "features": 1000,
        "parameters": {"learningRate": 2, "intercept": "-9223372036854775808", "smoothing": null},
        "bounds": {"maxNumber": 7, "maxSquaredLength": "340282366920938463463374607431768211456"},
        "incentive": {"kind": "deposit-refund-take", "costWeight": "1000000000000000"},
        "waits": {"refund": 1, "ownerClaim": 2, "anyAddressClaim": 3, "reportNotice": 0}, "fromBlock": 1,
        "block": 2, "blockHash": ID_TEXT, "contributions": 5, "good": 4, "lastContributionTime": 6,
        "price": "340282366920938463463374607431768211455", "held": "0", "accuracy": 0.5,
        "measured": {"block": 2, "time": 6, "contributions": 5, "correct": 3, "samples": 6},
        "relayer": AUTHOR_TEXT, "relayFee": "3", "keeper": null,
    })
}

fn market() -> Value {
    json!({
        "chainId": 31337, "market": TRAINER_TEXT, "classifier": TRAINER_TEXT, "owner": AUTHOR_TEXT,
        "verified": true, "name": null, "description": null, "classNames": [], "encodes": false,
        "learner": "sparse-perceptron", "encoding": "sparse", "classes": 2, "features": 1000, "bounds": null,
        "terms": {
            "stake": "340282366920938463463374607431768211455", "participation": 1, "revealWait": 2, "scoringWait": 3,
            "mostContributions": 4, "mostPasses": 5,
        },
        "fromBlock": 1, "block": 2, "blockHash": ID_TEXT, "time": 7, "phase": "scoring", "action": "score", "drawUntil": 258,
        "revealUntil": 6, "closesAt": 7, "scoringUntil": null, "bounty": "8", "remainingBounty": "9", "held": "10",
        "remainder": "0", "contributions": 11, "participants": 12, "parts": 3, "drawnPart": 0, "revealedParts": 2,
        "pass": 1, "stage": "teaching", "samples": 13, "correctBefore": 14, "correct": 15, "model": null,
    })
}

fn price() -> Value {
    json!({"n": 3, "each": "5", "total": "15", "time": 9, "block": 8})
}

fn account() -> Value {
    json!({"address": AUTHOR_TEXT, "balance": "12", "committed": "3", "good": 1, "nextNonce": 281_474_976_710_655_u64})
}

fn delegation() -> Value {
    json!({"account": AUTHOR_TEXT, "until": 77, "received": 7})
}

fn submission(status: &str) -> Value {
    json!({
        "id": ID_TEXT, "trainer": TRAINER_TEXT, "author": AUTHOR_TEXT, "nonce": 4, "relayer": null, "maxDeposit": null,
        "fee": null, "deadline": null, "items": null, "contributions": 2, "received": 1, "status": status,
        "transaction": null, "block": null, "position": null, "reason": null,
    })
}

fn included() -> Value {
    let mut included = submission("included");
    for (name, value) in [
        (
            "relayer",
            json!("0x0000000000000000000000000000000000000000"),
        ),
        ("maxDeposit", json!("9")),
        ("fee", json!("0")),
        ("deadline", json!(99)),
        ("items", json!("0x00010000")),
        ("transaction", json!(ID_TEXT)),
        ("block", json!(3)),
        ("position", json!(4)),
    ] {
        included[name] = value;
    }
    included
}

fn batch() -> SignedBatchBody {
    SignedBatch {
        author: AUTHOR,
        relayer: Address::ZERO,
        max_deposit: 9,
        fee: 0,
        nonce: 4,
        deadline: 99,
        items: vec![0, 1, 0, 0],
        signature: vec![1, 2],
    }
    .into()
}

/// Returns the message of an error with all its causes.
fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// Asks a server that gives one answer for a submission, and returns the error.
async fn refusal(answer: Answer) -> ApiError {
    let server = Server::new([answer]);
    let asked = server.client().submission(ID).await;
    asked.expect_err("no submission")
}

// ---------------------------------------------------------------- Answers

#[tokio::test]
async fn client_reads_and_writes_every_answer_as_it_came() {
    let answers = [model(), price(), account(), delegation(), included()];
    let server = Server::new(answers.each_ref().map(|it| Answer::json(200, it)));
    let client = server.client();
    let model = client.model(TRAINER).await.expect("a model");
    let price = client.price(TRAINER, 3).await.expect("a price");
    let account = client.account(TRAINER, AUTHOR).await.expect("an account");
    let delegation = client.delegation(TRAINER, AUTHOR).await;
    let delegation = delegation.expect("a delegation");
    let submission = client.submission(ID).await.expect("a submission");
    assert_eq!(model.relayer, Some(Account(AUTHOR)));
    assert_eq!((model.price.0, model.keeper.as_ref()), (u128::MAX, None));
    assert_eq!(model.encoding, EncodingView::Dense16);
    let Incentive::Known(IncentiveView::DepositRefundTake { cost_weight }) = &model.incentive
    else {
        panic!("{:?}", model.incentive);
    };
    assert_eq!(*cost_weight, Wei(1_000_000_000_000_000));
    assert_eq!((price.n, price.total.0), (3, 15));
    assert_eq!((account.balance.0, account.committed.0), (12, 3));
    assert_eq!((delegation.account.0, delegation.until), (AUTHOR, 77));
    assert_eq!(submission.id, Some(Hash(ID)));
    assert_eq!(submission.status, Status::Included);
    assert_eq!(
        submission.relayer.as_ref().map(|it| it.0),
        Some(Address::ZERO)
    );
    assert_eq!(submission.items, Some(Data(vec![0, 1, 0, 0].into())));
    let written = [
        serde_json::to_value(model),
        serde_json::to_value(price),
        serde_json::to_value(account),
        serde_json::to_value(delegation),
        serde_json::to_value(submission),
    ];
    for (came, written) in answers.iter().zip(written) {
        assert_eq!(*came, written.expect("JSON"));
    }
    let paths = [
        format!("GET /v1/models/{TRAINER_TEXT}"),
        format!("GET /v1/models/{TRAINER_TEXT}/price?n=3"),
        format!("GET /v1/models/{TRAINER_TEXT}/accounts/{AUTHOR_TEXT}"),
        format!("GET /v1/models/{TRAINER_TEXT}/delegations/{AUTHOR_TEXT}"),
        format!("GET /v1/submissions/{ID_TEXT}"),
    ];
    assert_eq!(server.asked(), paths);
}

#[tokio::test]
async fn market_is_read_and_written_as_it_came() {
    let mut newer = market();
    newer["phase"] = json!("paused");
    newer["action"] = json!("resume");
    let server = Server::new([Answer::json(200, &market()), Answer::json(200, &newer)]);
    let client = server.client();
    let known = client.market(TRAINER).await.expect("a market");
    assert_eq!(known.terms.stake.0, u128::MAX);
    assert_eq!(
        (&known.phase, &known.stage),
        (&MarketPhase::Scoring, &MarketStage::Teaching)
    );
    assert_eq!(
        (&known.action, known.scoring_until),
        (&Some(MarketAction::Score), None)
    );
    let other = client.market(TRAINER).await.expect("a market");
    assert_eq!(other.phase, MarketPhase::Other("paused".to_owned()));
    let written = [known, other].map(|it| serde_json::to_value(it).expect("JSON"));
    assert_eq!(written, [market(), newer]);
    assert_eq!(
        server.asked(),
        [1, 2].map(|_| format!("GET /v1/markets/{TRAINER_TEXT}"))
    );
}

#[tokio::test]
async fn model_may_lack_an_owner_but_not_a_trainer() {
    let zero = "0x0000000000000000000000000000000000000000";
    let with = |name: &str| {
        let mut model = model();
        model[name] = json!(zero);
        Answer::json(200, &model)
    };
    let server = Server::new([with("owner"), with("trainer"), with("relayer")]);
    let client = server.client();
    let read = client.model(TRAINER).await.expect("a model");
    assert_eq!(read.owner.to_string(), zero);
    for _ in 0..2 {
        let error = client.model(TRAINER).await.expect_err("no model");
        assert!(told(&error).contains("zero"), "{error:?}");
    }
}

#[tokio::test]
async fn client_skips_or_keeps_as_text_what_a_newer_server_adds() {
    let mut newer = model();
    newer["color"] = json!({"of": ["anything"]});
    newer["encoding"] = json!("sparse64");
    newer["incentive"] = json!({"kind": "auction", "reserve": ["7"]});
    let server = Server::new([
        Answer::json(200, &newer),
        Answer::json(200, &submission("postponed\u{1b}[2J")),
    ]);
    let client = server.client();
    let read = client.model(TRAINER).await.expect("a model");
    assert_eq!(read.encoding, EncodingView::Other("sparse64".to_owned()));
    assert!(matches!(&read.incentive, Incentive::Other(it) if it["kind"] == "auction"));
    let written = serde_json::to_value(read).expect("JSON");
    assert_eq!(
        (&written["encoding"], &written["incentive"]),
        (&newer["encoding"], &newer["incentive"])
    );
    let read = client.submission(ID).await.expect("a submission");
    assert_eq!(read.status.as_str(), "postponed\u{1b}[2J");
    assert!(!read.status.is_final());
}

// ---------------------------------------------------------------- Requests

#[tokio::test]
async fn submit_and_delegate_send_bodies_that_the_server_reads() {
    let server = Server::new([
        Answer::json(202, &submission("waiting")),
        Answer::json(200, &delegation()),
    ]);
    let client = server.client();
    let taken = client.submit(TRAINER, ID, &batch()).await.expect("taken");
    assert!(matches!(taken, Submitted::Taken(it) if it.status == Status::Waiting));
    let body = DelegationBody::from(Delegation {
        reporter: AUTHOR,
        keeper: TRAINER,
        until: 5,
        signature: vec![3],
    });
    client.delegate(TRAINER, &body).await.expect("a delegation");
    assert_eq!(
        server.asked(),
        [
            format!("POST /v1/models/{TRAINER_TEXT}/submissions"),
            format!("POST /v1/models/{TRAINER_TEXT}/delegations"),
        ]
    );
    let sent = server.bodies();
    assert_eq!(
        sent[0],
        json!({
            "author": AUTHOR_TEXT, "relayer": "0x0000000000000000000000000000000000000000", "maxDeposit": "9",
            "fee": "0", "nonce": 4, "deadline": 99, "items": "0x00010000", "signature": "0x0102",
        })
    );
    assert_eq!(
        sent[1],
        json!({"reporter": AUTHOR_TEXT, "keeper": TRAINER_TEXT, "until": 5, "signature": "0x03"})
    );
    // The server reads both bodies with the same types.
    let read: SignedBatchBody = serde_json::from_value(sent[0].clone()).expect("a batch");
    assert_eq!(read, batch());
    let read: DelegationBody = serde_json::from_value(sent[1].clone()).expect("a delegation");
    assert_eq!(read, body);
}

#[tokio::test]
async fn client_asks_below_the_address_that_was_given() {
    for (given, asked) in [
        ("", "GET /v1/submissions/"),
        ("/", "GET /v1/submissions/"),
        ("/models/api//", "GET /models/api/v1/submissions/"),
    ] {
        let server = Server::new([Answer::json(200, &submission("sent"))]);
        let url = format!("{}{given}", server.url());
        let client = Client::new(&url.parse().expect("an address")).expect("a client");
        client.submission(ID).await.expect("a submission");
        assert_eq!(server.asked(), [format!("{asked}{ID_TEXT}")]);
        assert_eq!(client.shown(), url.trim_end_matches('/'));
    }
    // A query of the address stays, because it may contain a password.
    let server = Server::new([Answer::json(200, &price())]);
    let url = format!("{}/x?key=1", server.url());
    let client = Client::new(&url.parse().expect("an address")).expect("a client");
    client.price(TRAINER, 2).await.expect("a price");
    let path = format!("GET /x/v1/models/{TRAINER_TEXT}/price?key=1&n=2");
    assert_eq!(server.asked(), [path]);
}

// ---------------------------------------------------------------- Faulty answers

#[tokio::test]
async fn api_error_names_the_fault_of_an_answer_of_another_form() {
    let with = |name: &str, value: Value| {
        let mut wrong = submission("waiting");
        wrong[name] = value;
        wrong
    };
    let mut missing = submission("waiting");
    missing.as_object_mut().expect("an object").remove("nonce");
    let long = format!("\u{1b}[2J{}", "x".repeat(5_000));
    for (answer, words) in [
        (missing, "missing field `nonce`"),
        (with("status", json!(7)), "expected a string"),
        (with("status", Value::Null), "expected a string"),
        (with("nonce", json!(-1)), "expected u64"),
        (with("nonce", json!(1.5)), "expected u64"),
        (
            with("contributions", json!(4_294_967_296_u64)),
            "expected u32",
        ),
        (
            with("id", json!("0x12")),
            "expected 0x and 64 hexadecimal digits",
        ),
        (with("fee", json!("1e3")), "`1e3` is no number of wei"),
        (with("fee", json!("-1")), "`-1` is no number of wei"),
        (
            with("fee", json!("340282366920938463463374607431768211456")),
            "is no number of wei",
        ),
        (with("items", json!("0x123")), "`0x123` is no bytes"),
        (with("author", json!(TRAINER)), "ok"),
        (
            with("author", json!(AUTHOR_TEXT.replace("0xaA", "0xAa"))),
            "checksum",
        ),
        (
            with(
                "author",
                json!("0x0000000000000000000000000000000000000000"),
            ),
            "zero",
        ),
        (with("fee", json!(long)), "is no number of wei"),
        (with("nonce", json!(long)), "invalid type: string"),
        (json!([]), "invalid length 0"),
        (json!("a coordinator"), "invalid type: string"),
        (Value::Null, "invalid type: null"),
    ] {
        let server = Server::new([Answer::json(200, &answer)]);
        let asked = server.client().submission(ID).await;
        if words == "ok" {
            asked.expect("an address in lower case");
            continue;
        }
        let error = asked.expect_err(words);
        assert!(matches!(error, ApiError::Malformed { .. }), "{error:?}");
        assert!(!error.is_mistake() && error.refusal().is_none());
        let told = told(&error);
        assert!(
            told.starts_with("the answer is not a coordinator's; check its address: "),
            "{told}"
        );
        assert!(told.contains(words), "{told}");
        assert!(
            told.chars().count() < 1_200 && !told.contains('\u{1b}'),
            "{told}"
        );
    }
    // A mechanism of this release must be complete.
    for incentive in [
        json!({"kind": "deposit-refund-take"}),
        json!({"kind": 5}),
        json!({}),
        json!("points"),
    ] {
        let mut wrong = model();
        wrong["incentive"] = incentive;
        let server = Server::new([Answer::json(200, &wrong)]);
        let error = server.client().model(TRAINER).await;
        let error = error.expect_err("no model");
        assert!(matches!(error, ApiError::Malformed { .. }), "{error:?}");
    }
}

/// Reads every prefix of a JSON text, and the text with each byte changed. The result is an error
/// or a value, never a panic.
fn distort<T: DeserializeOwned + Serialize + Debug>(whole: &Value) {
    let text = whole.to_string();
    for length in 0..text.len() {
        assert!(serde_json::from_slice::<T>(&text.as_bytes()[..length]).is_err());
    }
    for position in 0..text.len() {
        for byte in [0, b'"', b'9', b'{', 0x80, 0xff] {
            let mut bytes = text.clone().into_bytes();
            bytes[position] = byte;
            if let Ok(read) = serde_json::from_slice::<T>(&bytes) {
                serde_json::to_string(&read).expect("JSON");
            }
            let _ = Problem::read(&bytes);
        }
    }
}

#[test]
fn read_of_a_distorted_answer_never_panics() {
    distort::<ModelView>(&model());
    distort::<Price>(&price());
    distort::<AccountAnswer>(&account());
    distort::<DelegationView>(&delegation());
    distort::<SubmissionView>(&included());
    distort::<SignedBatchBody>(&serde_json::to_value(batch()).expect("JSON"));
}

#[tokio::test]
async fn refusal_is_the_detail_the_title_or_the_status_of_a_problem() {
    let full = json!({
        "type": "/problems/nonce-taken", "title": "Another signed batch is pending with this nonce", "status": 409,
        "detail": "the nonce 4 is taken", "instance": "/v1/submissions", "nextNonce": 5,
    });
    let error = refusal(Answer::json(409, &full)).await;
    assert!(error.is_mistake());
    assert_eq!(error.next_nonce(), Some(5));
    assert_eq!(
        error.to_string(),
        "the coordinator refused: the nonce 4 is taken"
    );
    let ApiError::Refused { problem, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(problem.kind.as_deref(), Some("/problems/nonce-taken"));
    assert_eq!(problem.status, Some(409));
    assert_eq!(serde_json::to_value(&*problem).expect("JSON"), full);

    for (status, body, words) in [
        (422, r#"{"title": "No"}"#, "No"),
        // Members of a wrong type are ignored.
        (
            422,
            r#"{"title": "No", "detail": 7, "status": "422", "type": []}"#,
            "No",
        ),
        (
            422,
            r#"{"title": {}, "status": 99999999999}"#,
            "HTTP status 422 Unprocessable Entity",
        ),
        (404, "", "HTTP status 404 Not Found"),
        (
            502,
            "<html>Bad Gateway</html>",
            "HTTP status 502 Bad Gateway",
        ),
        (503, "[]", "HTTP status 503 Service Unavailable"),
        (
            503,
            r#"{"detail": "the st"#,
            "HTTP status 503 Service Unavailable",
        ),
        (500, "\u{ff}", "HTTP status 500 Internal Server Error"),
        (304, "", "HTTP status 304 Not Modified"),
    ] {
        let error = refusal(Answer::new(status, body)).await;
        assert_eq!(error.is_mistake(), (400..500).contains(&status), "{body}");
        assert_eq!(error.refusal().as_deref(), Some(words), "{body}");
        assert_eq!(error.next_nonce(), None);
    }
    // Only a conflict names a free nonce.
    let other = Answer::json(422, &json!({"nextNonce": 5}));
    assert_eq!(refusal(other).await.next_nonce(), None);
    let signed = Answer::json(409, &json!({"nextNonce": -5}));
    assert_eq!(refusal(signed).await.next_nonce(), None);
    // A stranger's message is escaped and cut.
    let long = json!({"detail": format!("a\u{1b}[2J\nb{}", "x".repeat(5_000))});
    let told = refusal(Answer::json(400, &long)).await.to_string();
    assert!(told.contains(r"a\u{1b}[2J\nb"), "{told}");
    assert!(
        told.chars().count() < 1_100 && told.ends_with('…'),
        "{told}"
    );
}

#[tokio::test]
async fn api_error_distinguishes_answers_that_end_early_or_are_malformed() {
    let whole = Answer::json(200, &submission("waiting"));
    let error = refusal(whole.cut(20)).await;
    assert!(matches!(error, ApiError::Interrupted(_)), "{error:?}");
    assert!(!error.is_mistake());
    let whole = Answer::json(422, &json!({"title": "No"}));
    let error = refusal(whole.cut(5)).await;
    assert!(matches!(error, ApiError::Interrupted(_)), "{error:?}");
    // The HTTP response is complete, but the JSON is not.
    let error = refusal(Answer::new(200, r#"{"id": "0x95"#)).await;
    assert!(matches!(error, ApiError::Malformed { .. }), "{error:?}");
    let error = refusal(Answer::new(200, "")).await;
    assert!(told(&error).contains("EOF"), "{error:?}");
    // Not even the status line is complete.
    let error = refusal(Answer::raw(b"HTTP/1.1 2".to_vec())).await;
    assert!(matches!(error, ApiError::Unreachable(_)), "{error:?}");
}

#[tokio::test]
async fn body_is_read_up_to_the_maximum() {
    let mut fits = submission("waiting").to_string();
    fits.push_str(&" ".repeat(MAX_ANSWER - fits.len()));
    let server = Server::new([Answer::new(200, &fits)]);
    server.client().submission(ID).await.expect("it fits");
    fits.push(' ');
    let error = refusal(Answer::new(200, &fits)).await;
    assert!(matches!(error, ApiError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("more than 8388608 bytes"));
    // The client stops reading an answer that never ends.
    let error = refusal(Answer::endless(200)).await;
    assert!(matches!(error, ApiError::TooLarge { .. }), "{error:?}");
    // A refusal is reported even if its body never ends.
    let error = refusal(Answer::endless(422)).await;
    assert!(error.is_mistake());
    let words = error.refusal();
    assert_eq!(
        words.as_deref(),
        Some("HTTP status 422 Unprocessable Entity")
    );
}

#[tokio::test]
async fn encoder_is_checked_before_it_is_used() {
    let (table, file) = (embedded(), embedded().to_bytes());
    let path = format!("GET /v1/encoders/{}", table.id().hexadecimal());
    let ask = async |answer: Answer| {
        let server = Server::new([answer]);
        let answer = server.client().encoder(table.id()).await;
        assert_eq!(server.asked(), std::slice::from_ref(&path));
        answer
    };
    assert_eq!(&ask(Answer::bytes(&file)).await.expect("a table"), table);
    let mut damaged = file.clone();
    damaged[1_000] ^= 1;
    for wrong in [&damaged[..], &file[..1_000], b""] {
        let error = ask(Answer::bytes(wrong)).await.expect_err("another one");
        let ApiError::Table(NamedTableError::Sha256 { found, .. }) = error else {
            panic!("{error:?}");
        };
        assert!(found != table.id() && !error.is_mistake());
        for id in [found, table.id()] {
            assert!(error.to_string().contains(&id.hexadecimal()), "{error}");
        }
    }
    let error = ask(Answer::bytes(&file).cut(1)).await.expect_err("cut");
    assert!(matches!(error, ApiError::Interrupted(_)), "{error:?}");
    let unknown = ask(Answer::json(404, &json!({"detail": "no table"}))).await;
    let unknown = unknown.expect_err("a refusal");
    assert!(unknown.is_mistake());
    assert_eq!(unknown.to_string(), "the coordinator refused: no table");
}

#[tokio::test]
async fn api_error_hides_the_password_of_an_unreachable_coordinator() {
    // No program listens at a port that was free a moment ago.
    let url = Server::new([]).url();
    let url = url.replace("http://", "http://ben:secret@") + "/?key=hidden";
    let client = Client::new(&url.parse().expect("an address")).expect("a client");
    let error = client.model(TRAINER).await.expect_err("nobody");
    let told = told(&error);
    assert!(
        told.starts_with("cannot reach the coordinator; check its address: "),
        "{told}"
    );
    assert!(
        !told.contains("secret") && !told.contains("hidden"),
        "{told}"
    );
    assert!(!client.shown().contains("secret") && !client.shown().contains("hidden"));
}

// ---------------------------------------------------------------- Submit

#[tokio::test]
async fn submit_distinguishes_a_known_batch_from_one_that_was_taken() {
    let server = Server::new([Answer::json(200, &submission("sent"))]);
    let known = server.client().submit(TRAINER, ID, &batch()).await;
    assert_eq!(known.expect("known"), Submitted::Known);
    assert_eq!(server.asked().len(), 1);
    // An answer about another batch, or a redirect, says nothing about this batch.
    let mut other = submission("sent");
    other["id"] = json!(format!("{}", B256::repeat_byte(9)));
    for answer in [
        Answer::json(200, &other),
        Answer::new(200, ""),
        Answer::new(302, ""),
    ] {
        let server = Server::new([answer, Answer::new(503, "")]);
        let error = server.client().submit(TRAINER, ID, &batch()).await;
        let error = error.expect_err("not known");
        assert!(matches!(error, ApiError::Unsure(_)), "{error:?}");
        assert_eq!(server.asked().len(), 2);
    }
}

#[tokio::test]
async fn submit_does_not_ask_again_what_was_refused() {
    for status in [400, 409, 422, 429] {
        let server = Server::new([Answer::json(status, &json!({"nextNonce": 9}))]);
        let error = server.client().submit(TRAINER, ID, &batch()).await;
        let error = error.expect_err("refused");
        assert!(error.is_mistake());
        assert_eq!(error.next_nonce(), (status == 409).then_some(9));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn submit_asks_for_a_batch_whose_answer_is_lost() {
    let lost = || {
        [
            Answer::new(504, ""),
            Answer::json(503, &json!({"detail": "the store does not answer"})),
            Answer::json(202, &submission("waiting")).cut(30),
            Answer::new(202, "not JSON"),
            Answer::endless(202),
            Answer::raw(Vec::new()),
        ]
    };
    let paths = [
        format!("POST /v1/models/{TRAINER_TEXT}/submissions"),
        format!("GET /v1/submissions/{ID_TEXT}"),
    ];
    for answer in lost() {
        let server = Server::new([answer, Answer::json(200, &submission("sent"))]);
        let taken = server.client().submit(TRAINER, ID, &batch()).await;
        let taken = taken.expect("taken");
        assert!(
            matches!(&taken, Submitted::Taken(it) if it.status == Status::Sent),
            "{taken:?}"
        );
        assert_eq!(server.asked(), paths);
    }
    // The fate is unknown even if the coordinator does not have the batch: it may be on its way to
    // the store.
    for other in [
        Answer::json(404, &json!({"detail": "unknown"})),
        Answer::new(429, ""),
        Answer::new(503, ""),
    ] {
        for answer in lost() {
            let server = Server::new([answer, other.clone()]);
            let error = server.client().submit(TRAINER, ID, &batch()).await;
            let error = error.expect_err("not known");
            assert!(matches!(error, ApiError::Unsure(_)), "{error:?}");
            assert!(error.to_string().contains("may have been taken"));
            assert_eq!(server.asked(), paths);
        }
    }
}

// ---------------------------------------------------------------- Follow

#[tokio::test]
async fn follow_asks_until_a_batch_is_included_or_refused() {
    for last in ["included", "refused"] {
        let steps = ["waiting", "postponed", "sent", last];
        let server = Server::new(steps.map(|it| Answer::json(200, &submission(it))));
        let client = server.client();
        let mut followed = client.submission(ID).await.expect("a submission");
        let patience = Duration::from_mins(1);
        let outcome = client.follow(ID, &mut followed, patience).await;
        outcome.expect("the end");
        assert_eq!(followed.status.as_str(), last);
        assert_eq!(server.asked().len(), 4);
        // A final state is not requested again.
        let outcome = client.follow(ID, &mut followed, patience).await;
        outcome.expect("the end");
        assert_eq!(server.asked().len(), 4);
    }
}

#[tokio::test]
async fn follow_ends_with_patience_and_with_errors_and_keeps_the_newest() {
    let server = Server::new([
        Answer::json(200, &submission("waiting")),
        Answer::json(200, &submission("sent")),
        Answer::new(503, ""),
    ]);
    let client = server.client();
    let mut followed = client.submission(ID).await.expect("a submission");
    // The patience ends after the first request.
    let patience = POLL_INTERVAL / 2;
    let outcome = client.follow(ID, &mut followed, patience).await;
    outcome.expect("no error");
    assert_eq!(followed.status, Status::Sent);
    let patience = Duration::from_mins(1);
    let error = client.follow(ID, &mut followed, patience).await;
    assert!(error.expect_err("an error").refusal().is_some());
    assert_eq!(followed.status, Status::Sent);
    assert_eq!(server.asked().len(), 3);
}

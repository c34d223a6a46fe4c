//! Nodes killed by signal 9 while they pay: every payment ends once, the same on both sides, and the
//! stream of settled invoices continues without loss or repetition.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{Lines, Node, Place, hex_of, number, open_channel};

/// Payments that are under way when a node is killed.
const AT_ONCE: usize = 12;
/// Delays between the first payment and the kill, in milliseconds: some payments are done then, some
/// are under way.
const DELAYS: [u64; 2] = [300, 900];
/// Number of looks at a closed channel with few blocks before each.
const CLAIM_ROUNDS: u32 = 6;
/// Maximum time until all payments of a round have ended.
const PATIENCE: Duration = Duration::from_mins(5);
/// Least output of a channel, in millisatoshi.
const DUST: u64 = 354_000;

#[tokio::test(flavor = "multi_thread")]
async fn lnnode_ends_every_payment_after_a_kill() {
    let shop_place = Place::new("");
    let payer_place = Place::new(&shop_place.chain);
    let (mut shop, mut payer) = (shop_place.start(), payer_place.start());
    open_channel(&payer, &shop, false).await;
    // An index of 0 asks for new settlements only, so the subscriber needs a first one.
    let mut told = Told::default();
    let mut lines = Lines::open(&shop, 0, 0).await;
    let first = shop.add(json!({ "value_msat": "1000" })).await;
    payer.pay(&first).await.expect("stream");
    while told.last == 0 {
        told.read(&mut lines).await;
    }
    let mut settled = 1;
    for (round, delay) in DELAYS.into_iter().enumerate() {
        if round > 0 && payer.get("/v1/channels").await["channels"] == json!([]) {
            open_channel(&payer, &shop, false).await;
        }
        let mut lines = Lines::open(&shop, 0, told.last).await;
        let (mut invoices, mut calls) = (Vec::new(), Vec::new());
        for number in 0..AT_ONCE {
            // Every third payment is above dust, where a closed channel pays it out too.
            let msat = if number % 3 == 0 {
                1_000_000
            } else {
                1_000 + number
            };
            let body = json!({ "value_msat": msat.to_string(), "expiry": 36_000 });
            let invoice = shop.add(body).await;
            calls.push(start_paying(&payer, &invoice));
            invoices.push(invoice);
        }
        tokio::time::sleep(Duration::from_millis(delay)).await;
        // The stream is read in part: what was sent and not read is told again.
        for _ in 0..AT_ONCE / 2 {
            told.read(&mut lines).await;
        }
        drop(lines);
        if round % 2 == 0 {
            payer.kill();
            payer = payer_place.start();
        } else {
            // The chain lives in the payee's process, and comes back with it.
            shop.kill();
            shop = shop_place.start();
        }
        let closed = finish(&payer, &shop, &invoices).await;
        // Their streams are broken, or end with their payments.
        for call in calls {
            call.await.expect("joined");
        }
        settled += compare(closed, &payer, &shop, &invoices).await;
    }
    let mut lines = Lines::open(&shop, 0, told.last).await;
    while told.read(&mut lines).await {}
    assert_eq!(
        told.last, settled,
        "the stream told of each settlement once"
    );
    assert!(settled > 1, "no payment was fast enough to settle");
}

/// Starts a payment. The node may be gone before it answers.
pub(crate) fn start_paying(payer: &Node, invoice: &Value) -> JoinHandle<()> {
    let call = payer
        .client
        .post(format!("{}/v2/router/send", payer.rest))
        .header("Grpc-Metadata-macaroon", &payer.admin)
        .json(&json!({ "payment_request": invoice["payment_request"] }));
    tokio::spawn(async move {
        if let Ok(answer) = call.send().await {
            // A broken stream says nothing about the payment.
            let _ = answer.text().await;
        }
    })
}

/// Last settlement that a subscriber has seen.
#[derive(Default)]
struct Told {
    last: u64,
}

impl Told {
    /// Reads one message, and checks that settlements come in order, none twice.
    async fn read(&mut self, lines: &mut Lines) -> bool {
        let Some(invoice) = lines.next().await else {
            return false;
        };
        if invoice["state"] == "SETTLED" {
            let index = number(&invoice["settle_index"]);
            assert_eq!(index, self.last + 1, "lost or repeated");
            self.last = index;
        }
        true
    }
}

/// Returns the payer's payments by their hash.
async fn sent(payer: &Node) -> HashMap<String, Value> {
    let all = payer.get("/v1/payments?include_incomplete=true").await;
    let all = all["payments"].as_array().expect("payments").iter();
    all.map(|it| {
        (
            it["payment_hash"].as_str().expect("hash").to_owned(),
            it.clone(),
        )
    })
    .collect()
}

/// Waits until no payment is under way on either side. Returns `true` if the channel was closed.
pub(crate) async fn finish(payer: &Node, shop: &Node, invoices: &[Value]) -> bool {
    let mut closed_rounds = 0;
    let start = Instant::now();
    loop {
        assert!(
            start.elapsed() < PATIENCE,
            "waited in vain for the end of all payments"
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        let flying = flying(payer, shop, invoices).await;
        if flying == 0 {
            return closed_rounds > 0;
        }
        // LDK closes a channel whose state it had no time to write.
        if payer.get("/v1/channels").await["channels"] == json!([]) {
            closed_rounds += 1;
            println!(
                "channel closed, height {}: {flying} under way",
                height(payer).await
            );
            // Few blocks at first, so that the payee can claim in time. Then the lock times end.
            shop.mine(if closed_rounds < CLAIM_ROUNDS { 6 } else { 60 })
                .await;
        }
    }
}

async fn height(node: &Node) -> Value {
    node.get("/v1/getinfo").await["block_height"].clone()
}

/// Returns how many of the invoices are under way on a side.
async fn flying(payer: &Node, shop: &Node, invoices: &[Value]) -> usize {
    let sent = sent(payer).await;
    let mut count = 0;
    for invoice in invoices {
        let payment = sent.get(&hex_of(&invoice["r_hash"]));
        let own = shop.look_up(&invoice["r_hash"]).await;
        let sends = payment.is_some_and(|it| it["status"] == "IN_FLIGHT");
        count += usize::from(sends || own["state"] == "ACCEPTED");
    }
    count
}

/// Compares both sides' records of the invoices, and returns how many are settled.
async fn compare(closed: bool, payer: &Node, shop: &Node, invoices: &[Value]) -> u64 {
    let sent = sent(payer).await;
    let mut ends: HashMap<(String, String), u64> = HashMap::new();
    for invoice in invoices {
        let own = shop.look_up(&invoice["r_hash"]).await;
        let status = match sent.get(&hex_of(&invoice["r_hash"])) {
            None => "NEVER",
            Some(payment) => payment["status"].as_str().expect("status"),
        };
        let state = own["state"].as_str().expect("state");
        match (status, state) {
            ("SUCCEEDED", "SETTLED") => {
                let body = json!({ "payment_request": invoice["payment_request"] });
                let (code, _) = payer
                    .fails(Method::POST, "/v2/router/send", Some(body))
                    .await;
                assert_eq!(code, 409, "a paid invoice is not paid again");
            }
            ("FAILED" | "NEVER", "OPEN") => {}
            // A closed channel pays out nothing below dust: the payee has told the preimage, and the
            // payer may never have heard it. This is the trust that the README names.
            ("FAILED", "SETTLED") if closed && number(&own["value_msat"]) < DUST => {}
            _ => panic!("payer {status}, payee {state}, closed {closed}: {own:#}"),
        }
        *ends
            .entry((status.to_owned(), state.to_owned()))
            .or_default() += 1;
    }
    println!("channel closed: {closed}, payer and payee: {ends:?}");
    ends.iter()
        .filter(|((_, state), _)| state == "SETTLED")
        .map(|(_, count)| count)
        .sum()
}

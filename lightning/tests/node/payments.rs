//! Two nodes with a channel: payments, states, balances, and the stream of invoices.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use ldk_node::bitcoin::{
    hashes::{Hash as _, sha256},
    hex::FromHex as _,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    shape::check,
    support::{Lines, Node, Place, hex_of, number, open_channel},
};

const PAYMENTS: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn lnnode_pays_200_invoices_and_tells_their_states() {
    let shop_place = Place::new("");
    let shop = shop_place.start();
    let payer_place = Place::new(&shop_place.chain);
    let payer = payer_place.start();
    let start = Instant::now();
    let opened = open_channel(&payer, &shop, true).await;
    check("ChannelPoint", &opened);
    println!(
        "channel usable after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    for node in [&payer, &shop] {
        let channels = node.get("/v1/channels").await;
        check("ListChannelsResponse", &channels);
        assert_eq!(channels["channels"][0]["capacity"], "1000000");
    }
    let peer = json!({ "addr": { "pubkey": shop.id, "host": shop.host } });
    let (_, twice) = payer.fails(Method::POST, "/v1/peers", Some(peer)).await;
    assert!(
        twice["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("already connected"))
    );

    let sum = two_hundred(&payer, &shop).await;
    balances(&shop, sum).await;
    larger(&payer, &shop, sum).await;
    refused(&payer, &shop).await;
    any_amount(&payer, &shop).await;
    too_large(&payer, &shop).await;
    restarted(&shop_place, shop).await;
}

/// Pays an invoice and checks every state, the preimage and both sides' records.
async fn pay(payer: &Node, invoice: &Value) -> Duration {
    let start = Instant::now();
    let states = payer.pay(invoice).await.expect("stream");
    let elapsed = start.elapsed();
    for state in &states {
        check("Payment", state);
    }
    let last = states.last().expect("a state");
    assert_eq!(last["status"], "SUCCEEDED", "{last}");
    assert!(
        states[..states.len() - 1]
            .iter()
            .all(|state| state["status"] == "IN_FLIGHT")
    );
    let preimage = last["payment_preimage"].as_str().expect("text");
    let preimage = <[u8; 32]>::from_hex(preimage).expect("preimage");
    let hash = hex_of(&invoice["r_hash"]);
    assert_eq!(
        sha256::Hash::hash(&preimage).to_byte_array(),
        <[u8; 32]>::from_hex(&hash).expect("hash")
    );
    assert_eq!(last["payment_hash"], hash);
    elapsed
}

/// Pays 200 invoices of 1,000 to 1,199 msat, some at once, and returns their sum.
async fn two_hundred(payer: &Node, shop: &Node) -> u64 {
    let mut lines = Lines::open(shop, 0, 0).await;
    let start = Instant::now();
    let mut times = Vec::new();
    let mut sum = 0;
    for first in (0..PAYMENTS).step_by(8) {
        let mut invoices = Vec::new();
        for number in first..(first + 8).min(PAYMENTS) {
            sum += 1000 + number;
            let request = json!({ "value_msat": (1000 + number).to_string(), "private": true });
            invoices.push(shop.add(request).await);
        }
        let paid = invoices.iter().map(|invoice| pay(payer, invoice));
        for time in join(paid).await {
            times.push(time.as_millis());
        }
    }
    times.sort_unstable();
    let (median, late) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    println!(
        "{PAYMENTS} payments, 8 at once, in {:.1} s; each: median {median} ms, p95 {late} ms",
        start.elapsed().as_secs_f64()
    );
    let (mut added, mut settled, mut hashes) = (Vec::new(), Vec::new(), HashSet::new());
    while let Some(invoice) = lines.next().await {
        check("Invoice", &invoice);
        if invoice["state"] == "SETTLED" {
            settled.push(number(&invoice["settle_index"]));
            hashes.insert(hex_of(&invoice["r_hash"]));
        } else {
            assert_eq!(
                (&invoice["state"], &invoice["settle_index"]),
                (&json!("OPEN"), &json!("0"))
            );
            added.push(number(&invoice["add_index"]));
        }
    }
    let all: Vec<u64> = (1..=PAYMENTS).collect();
    assert_eq!(
        (&added, &settled),
        (&all, &all),
        "each is told once, in order"
    );
    assert_eq!(hashes.len(), all.len());
    let payments = payer.get("/v1/payments").await;
    check("ListPaymentsResponse", &payments);
    assert_eq!(payments["payments"].as_array().map(Vec::len), Some(200));
    let page = payer
        .get("/v1/payments?index_offset=198&max_payments=5")
        .await;
    assert_eq!(page["payments"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&page["first_index_offset"], &page["last_index_offset"]),
        (&json!("199"), &json!("200"))
    );
    sum
}

/// Runs futures at once and returns their results in order.
async fn join<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, result) in &mut running {
            if result.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *result = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .map(|(_, result)| result.expect("finished"))
        .collect()
}

/// Holds that the payee's 220 sat are no balance yet: below dust no transaction can pay them out.
async fn balances(shop: &Node, sum: u64) {
    assert!(sum / 1000 < 354);
    let balance = shop.get("/v1/balance/channels").await;
    check("ChannelBalanceResponse", &balance);
    assert_eq!(balance["local_balance"], json!({ "sat": "0", "msat": "0" }));
}

async fn larger(payer: &Node, shop: &Node, sum: u64) {
    let invoice = shop
        .add(json!({ "value": "20000", "memo": "larger" }))
        .await;
    pay(payer, &invoice).await;
    let settled = shop.look_up(&invoice["r_hash"]).await;
    check("Invoice", &settled);
    assert_eq!(
        (&settled["state"], &settled["settled"]),
        (&json!("SETTLED"), &json!(true))
    );
    assert_eq!(settled["amt_paid_sat"], "20000");
    assert_eq!(number(&settled["settle_index"]), PAYMENTS + 1);
    assert!(number(&settled["settle_date"]) >= number(&settled["creation_date"]));
    // The last commitment may still be on its way.
    crate::support::until("the payee's balance", || async {
        let balance = shop.get("/v1/balance/channels").await;
        let (own, all) = (&balance["local_balance"]["sat"], 20_000 + sum / 1000);
        (number(own) == all).then_some(())
    })
    .await;
    let body = json!({ "payment_request": invoice["payment_request"] });
    let (status, error) = payer
        .fails(Method::POST, "/v2/router/send", Some(body))
        .await;
    assert_eq!(
        (status, &error["message"]),
        (409, &json!("invoice is already paid"))
    );
}

/// Pays an expired, a canceled and a foreign invoice, each in vain.
async fn refused(payer: &Node, shop: &Node) {
    let expired = shop.add(json!({ "value": "1", "expiry": "1" })).await;
    let canceled = shop.add(json!({ "value": "1" })).await;
    shop.post(
        "/v2/invoices/cancel",
        json!({ "payment_hash": canceled["r_hash"] }),
    )
    .await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(shop.look_up(&expired["r_hash"]).await["state"], "CANCELED");
    let body = json!({ "payment_request": expired["payment_request"] });
    let (status, error) = payer
        .fails(Method::POST, "/v2/router/send", Some(body))
        .await;
    assert_eq!(
        (status, &error["message"]),
        (400, &json!("invoice expired"))
    );

    let told = payer.pay(&canceled).await.expect("stream");
    let last = told.last().expect("a state");
    assert_eq!(last["status"], "FAILED");
    assert_eq!(
        last["failure_reason"],
        "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS"
    );
    assert_eq!(last["payment_preimage"], "0".repeat(64));
    assert_eq!(shop.look_up(&canceled["r_hash"]).await["state"], "CANCELED");

    let foreign = "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu";
    let body = json!({ "payment_request": foreign });
    let (status, _) = payer
        .fails(Method::POST, "/v2/router/send", Some(body))
        .await;
    assert_eq!(status, 400);
}

/// Pays an invoice whose payer names the amount.
async fn any_amount(payer: &Node, shop: &Node) {
    let invoice = shop.add(json!({ "memo": "as you like" })).await;
    let without = json!({ "payment_request": invoice["payment_request"] });
    let (status, _) = payer
        .fails(Method::POST, "/v2/router/send", Some(without))
        .await;
    assert_eq!(status, 400);
    let hasty = json!({
        "payment_request": invoice["payment_request"], "amt_msat": 4321, "timeout_seconds": 9,
    });
    let (status, _) = payer
        .fails(Method::POST, "/v2/router/send", Some(hasty))
        .await;
    assert_eq!(status, 400);
    let body = json!({
        "payment_request": invoice["payment_request"], "amt_msat": 4321, "no_inflight_updates": true,
        "timeout_seconds": 60,
    });
    let response = payer
        .raw(&payer.admin, Method::POST, "/v2/router/send", Some(&body))
        .await;
    let text = response.expect("answer").text().await.expect("stream");
    assert_eq!(text.lines().count(), 1, "only the last state");
    assert!(text.contains("\"SUCCEEDED\""), "{text}");
    let settled = shop.look_up(&invoice["r_hash"]).await;
    assert_eq!(
        (&settled["value_msat"], &settled["amt_paid_msat"]),
        (&json!("0"), &json!("4321"))
    );
}

/// Pays more than the channel holds.
async fn too_large(payer: &Node, shop: &Node) {
    let invoice = shop.add(json!({ "value": "2000000" })).await;
    let states = payer.pay(&invoice).await.expect("stream");
    let last = states.last().expect("a state");
    assert_eq!(last["status"], "FAILED");
    assert_eq!(
        last["failure_reason"],
        "FAILURE_REASON_INSUFFICIENT_BALANCE"
    );
    assert_eq!(shop.look_up(&invoice["r_hash"]).await["state"], "OPEN");
}

/// Holds that a killed node knows its invoices again, and continues the stream of settlements.
async fn restarted(place: &Place, shop: Node) {
    let before = shop.get("/v1/getinfo").await["identity_pubkey"].clone();
    shop.kill();
    let shop = place.start();
    assert_eq!(shop.get("/v1/getinfo").await["identity_pubkey"], before);
    let mut lines = Lines::open(&shop, 0, PAYMENTS).await;
    for (index, msat) in [(PAYMENTS + 1, 20_000_000), (PAYMENTS + 2, 4321)] {
        let invoice = lines.next().await.expect("a settlement");
        assert_eq!(number(&invoice["settle_index"]), index);
        assert_eq!(number(&invoice["amt_paid_msat"]), msat);
    }
    assert_eq!(lines.next().await, None);
}

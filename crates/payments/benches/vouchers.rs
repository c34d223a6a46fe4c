//! Measures the vouchers that a core checks, from the JSON of a payment to the charge.
//!
//! On Linux it is the time on a core, which other processes do not change much.
//! Prints `name<TAB>value<TAB>unit`.

use std::convert::Infallible;
use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256};
use cotrain_payments::x402::{
    Json, Token,
    batch::{
        ChainState, Channel, Deployment, Facts, Limits, PayerChannel, Terms, payload::BatchPayload,
        verify,
    },
    wire::{PaymentPayload, PaymentRequired, PaymentRequirements, SettlementResponse},
};
use cotrain_protocol::signature::Key;

const VOUCHERS: u32 = 5_000;
const TURNS: usize = 5;
const NOW: u64 = 1_800_000_000;

fn main() {
    let terms = Terms {
        token: Token {
            chain_id: 31337,
            address: Address::repeat_byte(1),
            name: "Test Dollar".to_owned(),
            version: "1".to_owned(),
        },
        amount: 10,
        receiver: Address::repeat_byte(2),
        receiver_authorizer: Address::repeat_byte(3),
        withdraw_delay: 900,
        max_timeout: 60,
        min_deposit: None,
    };
    let deployment = Deployment::standard(31337);
    let offer = terms.offer();
    let mut chain = ChainState::unused(NOW);
    chain.balance = u128::from(VOUCHERS) * terms.amount;
    let key = Key::new(B256::with_last_byte(9)).expect("a key");
    let payer = PayerChannel::open(
        &deployment,
        &terms,
        key.address(),
        B256::ZERO,
        chain.balance,
        0,
    );
    let channel = Channel::open(&deployment, payer.config().clone(), chain.clone());
    let texts = payments(&deployment, &terms, &offer, payer, &key);

    let mut rates: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| {
            let signatures = bare(&deployment, &terms, &channel, &texts);
            (
                signatures,
                whole(&deployment, &offer, channel.clone(), &texts),
            )
        })
        .collect();
    rates.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (bare, whole) = rates[TURNS / 2];
    print("vouchers_verified_per_second_of_a_core", bare);
    print(
        "vouchers_read_verified_and_charged_per_second_of_a_core",
        whole,
    );
}

/// Returns the JSON of payments, one after the other.
fn payments(
    deployment: &Deployment,
    terms: &Terms,
    offer: &PaymentRequirements,
    mut payer: PayerChannel,
    key: &Key,
) -> Vec<Vec<u8>> {
    let required = PaymentRequired {
        x402_version: 2,
        error: None,
        resource: None,
        accepts: Vec::new(),
        extensions: std::collections::BTreeMap::new(),
    };
    let limits = Limits {
        request: terms.amount,
        total: u128::MAX,
        deposits: 0,
    };
    (0..VOUCHERS)
        .map(|_| {
            let sign = |hash| Ok::<_, Infallible>(key.sign(hash));
            let paid = payer.pay(deployment, offer, &limits, B256::ZERO, NOW, sign);
            let payload = paid.expect("a payment");
            let receipt = SettlementResponse {
                extra: Some(Json::object([(
                    "chargedAmount",
                    Json::from(terms.amount.to_string()),
                )])),
                ..SettlementResponse::default()
            };
            payer
                .answered(&receipt, terms.amount, &payload)
                .expect("counted");
            let payment = PaymentPayload::new(&required, offer, payload);
            serde_json::to_vec(&payment).expect("JSON")
        })
        .collect()
}

/// Returns the rate of the checks of terms, channel and signature alone.
fn bare(deployment: &Deployment, terms: &Terms, channel: &Channel, texts: &[Vec<u8>]) -> f64 {
    let payloads: Vec<_> = texts.iter().map(|text| read(text).1).collect();
    let started = now();
    for payload in &payloads {
        let (config, voucher) = payload.channel().expect("a channel");
        let total = verify::total(deployment, terms, config, voucher).expect("a total");
        verify::signature(deployment, config, total, voucher, None).expect("a signature");
        assert_eq!(voucher.channel_id, channel.id());
    }
    rate(now() - started)
}

/// Returns the rate of whole payments: read, compared with the offer, reserved and charged.
fn whole(
    deployment: &Deployment,
    offer: &PaymentRequirements,
    mut channel: Channel,
    texts: &[Vec<u8>],
) -> f64 {
    let facts = Facts {
        now: NOW,
        chain: None,
        payer_balance: None,
        contract: None,
    };
    let started = now();
    for text in texts {
        let (payment, payload) = read(text);
        payment.check_accepts(offer).expect("our offer");
        let terms = Terms::of(offer).expect("terms");
        let reserved = channel.reserve(deployment, &terms, &payload, &facts);
        let reservation = reserved.expect("a reservation");
        channel
            .commit(&reservation, terms.amount, NOW)
            .expect("charged");
    }
    let spent = now() - started;
    assert_eq!(channel.charged(), channel.chain().balance);
    rate(spent)
}

fn read(text: &[u8]) -> (PaymentPayload, BatchPayload) {
    let payment: PaymentPayload = serde_json::from_slice(text).expect("a payment");
    let payload = payment.payload.read().expect("a payload");
    (payment, payload)
}

fn rate(seconds: f64) -> f64 {
    f64::from(VOUCHERS) / seconds
}

/// Returns the seconds that this thread has spent on a core; elapsed ones if the system does not tell.
fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|it| it.parse().ok());
    spent
        .map_or_else(
            || START.get_or_init(Instant::now).elapsed(),
            Duration::from_nanos,
        )
        .as_secs_f64()
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, rate: f64) {
    println!("{name}\t{rate:.0}\t1/s");
}

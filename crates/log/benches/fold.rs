//! Measures the items that a core folds, and those that it checks with their signatures.
//!
//! Items have one sample of 20 features of 1,000, and a sparse perceptron learns from them.
//! On Linux it is the time on a core, which other processes do not change much.
//! Prints `name<TAB>value<TAB>unit`.

use std::{
    fs,
    sync::OnceLock,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, U256};
use cotrain_log::{Admission, Log, Terms};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item, encode_batch, encode_sparse},
    signature::Key,
};

const AUTHORS: u64 = 100;
const ITEMS: u64 = 20_000;
const TURNS: usize = 5;

fn main() {
    let keys: Vec<_> = (1..=AUTHORS)
        .map(|number| Key::new(B256::from(U256::from(number))).expect("a key"))
        .collect();
    let model = Classifier::new(Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 1,
        intercept: 0,
    });
    let authors = keys.iter().map(Key::address);
    let terms = Terms::new(model.expect("a model"), 0, Admission::authors(authors));
    let terms = terms.expect("terms");
    let written: Vec<_> = (0..ITEMS)
        .map(|number| item(&terms, &keys, number))
        .collect();

    let mut rates: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| {
            let started = now();
            let items: Vec<_> = written
                .iter()
                .map(|bytes| terms.item(bytes).expect("an item"))
                .collect();
            let checked = rate(now() - started);
            let mut log = Log::new(terms.clone());
            let started = now();
            for item in items {
                log.add_item(item);
            }
            assert!(log.model().version() > 0);
            (checked, rate(now() - started))
        })
        .collect();
    rates.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (checked, folded) = rates[TURNS / 2];
    print("log_items_folded_per_second_of_a_core", folded);
    print("log_items_checked_per_second_of_a_core", checked);
}

/// Returns a signed item with one sample of 20 features.
fn item(terms: &Terms, keys: &[Key], number: u64) -> Vec<u8> {
    let key = &keys[usize::try_from(number % AUTHORS).expect("a key")];
    let features: Vec<_> = (0..20_u64)
        .filter_map(|at| u16::try_from(at * 50 + number * 7919 % (31 + at) % 50).ok())
        .collect();
    let sample = encode_sparse(&features);
    let items = encode_batch(&[Item {
        label: u16::from(number.is_multiple_of(3)),
        sample: &sample,
    }]);
    let draft = terms.draft(key.address(), number / AUTHORS, items.expect("short"));
    let signature = key.sign(draft.hash()).to_vec();
    draft.signed(signature)
}

// The number of items is far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn rate(seconds: f64) -> f64 {
    ITEMS as f64 / seconds
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

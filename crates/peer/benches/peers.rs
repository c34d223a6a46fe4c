//! Measures the bytes that peers exchange: two that compare 10,000 items, and 100 after a cut.
//!
//! Sizes are exact, the same on every machine. Prints `name<TAB>value<TAB>unit`.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::{B256, U256};
use cotrain_log::{Admission, Item, Terms};
use cotrain_peer::{Action, Frame, Limits, LinkId, Peer, simulation::Plan};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item as Sample, encode_batch},
    signature::Key,
};

const ITEMS: u64 = 10_000;
const AUTHORS: u64 = 100;
const LINK: LinkId = LinkId(1);

fn main() {
    let (terms, items) = items();
    let half = items.len() / 2;
    for (name, one, other) in [
        ("equal", &items[..], &items[..]),
        ("one_missing", &items[..], &items[1..]),
        ("disjoint", &items[..half], &items[half..]),
    ] {
        let bytes = compare(&terms, one, other);
        print(
            &format!("peers_compare_10000_{name}"),
            &bytes.to_string(),
            "bytes",
        );
    }
    let plan = Plan {
        cut: Some(50),
        ..Plan::calm(1, 100, 10_000)
    };
    let outcome = plan.run();
    assert!(outcome.converged, "{outcome:?}");
    print(
        "peers_100_after_cut_rounds",
        &outcome.rounds.to_string(),
        "rounds",
    );
    print(
        "peers_100_after_cut_moved",
        &outcome.bytes.moved.to_string(),
        "bytes",
    );
    print(
        "peers_100_after_cut_minimum",
        &outcome.bytes.minimum.to_string(),
        "bytes",
    );
    // Both are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let share = outcome.bytes.moved as f64 / outcome.bytes.minimum as f64;
    print(
        "peers_100_after_cut_moved_of_minimum",
        &format!("{share:.2}"),
        "share",
    );
}

/// Returns items of many authors, with their terms.
fn items() -> (Arc<Terms>, Vec<Item>) {
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
    let terms = Arc::new(terms.expect("terms"));
    let items = (0..ITEMS)
        .map(|number| {
            let key = &keys[usize::try_from(number % AUTHORS).expect("a key")];
            let batch = encode_batch(&[Sample {
                label: 1,
                sample: &[],
            }]);
            let draft = terms.draft(key.address(), number / AUTHORS, batch.expect("short"));
            let signature = key.sign(draft.hash()).to_vec();
            terms.item(&draft.signed(signature)).expect("an item")
        })
        .collect();
    (terms, items)
}

/// Returns the bytes of all frames but those of items, until two peers are equal.
fn compare(terms: &Arc<Terms>, one: &[Item], other: &[Item]) -> usize {
    let mut peers = [(1, one), (2, other)].map(|(seed, items)| {
        let seed = B256::repeat_byte(seed);
        let mut peer = Peer::new(terms.clone(), Limits::default(), seed);
        for item in items {
            peer.log_mut().add_item(item.clone());
        }
        peer
    });
    let mut way = VecDeque::new();
    for (from, peer) in peers.iter_mut().enumerate() {
        let actions = peer.connected(0, LINK);
        way.extend(actions.into_iter().map(|action| (1 - from, action)));
    }
    let mut bytes = 0;
    while let Some((to, action)) = way.pop_front() {
        let Action::Send { frame, .. } = action else {
            continue;
        };
        if !matches!(Frame::decode(&frame), Ok(Some(Frame::Items(_)))) {
            bytes += frame.len();
        }
        let actions = peers[to].handle(0, LINK, &frame);
        way.extend(actions.into_iter().map(|action| (1 - to, action)));
    }
    assert_eq!(peers[0].log().set(), peers[1].log().set());
    bytes
}

// A benchmark's result goes to stdout.
#[allow(clippy::print_stdout)]
fn print(name: &str, value: &str, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}

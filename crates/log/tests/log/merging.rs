//! Tests that equal sets give equal logs, however they came together.

use alloy_primitives::Address;
use cotrain_log::{Added, Log, SNAPSHOT_EVERY, Turn};
use proptest::{collection::vec, prelude::*};

use crate::support::{Fault, Written, cases, learners, people, shuffled, terms, written};

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn digest_is_equal_for_any_order_partition_and_repetition(
        written in vec(written(), 1..50),
        seeds in any::<[u64; 3]>(),
        learner in 0_usize..5,
    ) {
        let terms = terms(learners()[learner]);
        let bytes: Vec<_> = written.iter().map(|it| it.bytes(&terms)).collect();
        let mut first = Log::new(terms.clone());
        for bytes in &bytes {
            let _ = first.add(bytes);
        }
        let mut parts = vec![Log::new(terms.clone()); 4];
        for (number, index) in shuffled(bytes.len(), seeds[0]).into_iter().enumerate() {
            let part = usize::try_from(seeds[1] >> (index % 60)).expect("64 bits") % 4;
            let _ = parts[part].add(&bytes[index]);
            let _ = parts[(part + index) % 4].add(&bytes[index]);
            // The fold follows the set at any moment.
            if number % 3 == 0 {
                parts[part].digest();
            }
        }
        let mut merged = Log::new(terms);
        for part in shuffled(4, seeds[2]) {
            merged.merge(&parts[part]);
            merged.merge(&parts[part]);
        }
        prop_assert_eq!(merged.set(), first.set());
        prop_assert_eq!(merged.model().words(), first.model().words());
        prop_assert_eq!(merged.standings(), first.standings());
        prop_assert_eq!(merged.digest(), first.digest());
        let mut set = parts[0].set().clone();
        parts[1..].iter().for_each(|part| set.merge(part.set()));
        prop_assert_eq!(&set, first.set());
    }
}

/// Returns a plan of an item without a fault.
fn plain(author: usize, nonce: u64, content: u64) -> Written {
    Written {
        author,
        nonce,
        content,
        fault: None,
    }
}

#[test]
fn digest_tells_every_part_of_a_log() {
    let terms = terms(learners()[0]);
    let mut log = Log::new(terms.clone());
    let mut seen = vec![log.digest()];
    for nonce in 0..4 {
        log.add(&plain(0, nonce, nonce).bytes(&terms))
            .expect("an item");
        seen.push(log.digest());
    }
    let mut other = log.clone();
    other.add(&plain(1, 0, 0).bytes(&terms)).expect("an item");
    seen.push(other.digest());
    for (index, digest) in seen.iter().enumerate() {
        assert!(!seen[..index].contains(digest), "{index}");
    }
}

#[test]
fn model_refolds_late_items_from_any_snapshot() {
    let count = 3 * SNAPSHOT_EVERY as u64 + 100;
    // The perceptron is the learner for which the order counts.
    let terms = terms(learners()[0]);
    let items: Vec<_> = (0..count)
        .map(|number| {
            let author = usize::try_from(number % 3).expect("a person");
            plain(author, number / 3, number).bytes(&terms)
        })
        .map(|bytes| terms.item(&bytes).expect("an item"))
        .collect();
    let mut whole = Log::new(terms.clone());
    for item in &items {
        whole.add_item(item.clone());
    }
    let expected = whole.model().words();

    // All but a few at once, then those one by one, each with a fold.
    for seed in 0..3 {
        let order = shuffled(items.len(), seed);
        let (late, early) = order.split_at(40);
        let mut log = Log::new(terms.clone());
        for index in early {
            log.add_item(items[*index].clone());
        }
        for index in late {
            log.model();
            log.add_item(items[*index].clone());
        }
        assert_eq!(log.model().words(), expected);
        assert_eq!(log.digest(), whole.digest());
    }
    // In the order of the fold, with a fold after every hundredth.
    let mut sorted = items;
    sorted.sort_by_key(cotrain_log::Item::turn);
    let mut log = Log::new(terms);
    for (number, item) in sorted.into_iter().enumerate() {
        log.add_item(item);
        if number % 100 == 0 {
            log.model();
        }
    }
    assert_eq!(log.model().words(), expected);
}

#[test]
fn add_keeps_the_lower_id_of_two_items_with_one_nonce() {
    let terms = terms(learners()[0]);
    let mut items: Vec<_> = (0..3)
        .map(|content| {
            terms
                .item(&plain(0, 5, content).bytes(&terms))
                .expect("an item")
        })
        .collect();
    items.sort_by_key(cotrain_log::Item::id);
    let [low, middle, high] = &items[..] else {
        panic!("three items");
    };
    let mut log = Log::new(terms.clone());
    assert_eq!(log.add_item(middle.clone()), Added::New);
    assert_eq!(log.add_item(middle.clone()), Added::Known);
    assert_eq!(log.add_item(high.clone()), Added::Superseded);
    log.model();
    assert_eq!(log.add_item(low.clone()), Added::Replaced(middle.id()));
    assert_eq!(log.set().len(), 1);
    assert_eq!(log.set().bytes(), low.bytes().len());
    assert!(log.set().contains(&low.id()));
    assert!(!log.set().contains(&middle.id()));
    assert_eq!(log.set().get(&low.id()), Some(low));
    assert_eq!(log.set().at(low.turn()), Some(low));

    // A bad item of the same nonce takes nobody's turn.
    let forged = Written {
        fault: Some(Fault::Forged),
        ..plain(0, 5, 9)
    };
    log.add(&forged.bytes(&terms)).expect_err("no item");
    assert_eq!(log.set().at(low.turn()), Some(low));
    let mut alone = Log::new(terms);
    alone.add_item(low.clone());
    assert_eq!(log.model().words(), alone.model().words());
}

#[test]
fn free_nonce_is_the_lowest_gap() {
    let terms = terms(learners()[0]);
    let author = people()[0].address();
    let mut log = Log::new(terms.clone());
    assert_eq!(log.set().free_nonce(author), 0);
    for (nonce, free) in [(1, 0), (2, 0), (0, 3), (4, 3), (3, 5), (9, 5)] {
        log.add(&plain(0, nonce, 0).bytes(&terms)).expect("an item");
        assert_eq!(log.set().free_nonce(author), free, "{nonce}");
    }
    assert_eq!(log.set().free_nonce(Address::ZERO), 0);
    let after = log.set().after(Some(Turn { author, nonce: 3 }));
    assert_eq!(
        after.map(|item| item.turn().nonce).collect::<Vec<_>>(),
        [4, 9]
    );
}

#[test]
fn standings_count_200_batches_signed_offline() {
    let terms = terms(learners()[0]);
    let mut log = Log::new(terms.clone());
    for nonce in shuffled(200, 1) {
        let nonce = nonce as u64;
        log.add(&plain(0, nonce, nonce).bytes(&terms))
            .expect("an item");
    }
    let standings = log.standings();
    let standing = standings[&people()[0].address()];
    assert_eq!(standing.next_nonce, 200);
    assert!(standing.contributions >= 200, "{standing:?}");
    assert!(
        (1..=standing.contributions).contains(&standing.points),
        "{standing:?}"
    );
}

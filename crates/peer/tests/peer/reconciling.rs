//! Tests that two peers find what each lacks, and what that costs.

use std::collections::BTreeSet;

use cotrain_peer::Prefix;
use proptest::{collection::vec, prelude::*};

use crate::support::{items, join, peer, terms};

/// Returns the bytes that compare two peers, which are equal afterwards.
fn compare(one: std::ops::Range<usize>, other: std::ops::Range<usize>) -> usize {
    let terms = terms();
    let items = items(&terms, one.end.max(other.end) as u64);
    let mut one = peer(&terms, 1, &items[one]);
    let mut other = peer(&terms, 2, &items[other]);
    let sent = join(&mut one, &mut other);
    assert_eq!(one.log().set(), other.log().set());
    assert_eq!(one.log_mut().digest(), other.log_mut().digest());
    assert_eq!(one.log().set().len(), items.len());
    sent.ids
}

/// Checks a size against the model of the notes: within one and a half of it.
fn is_within(bytes: usize, reference: usize) {
    assert!(
        bytes * 2 <= reference * 3,
        "{bytes} bytes, expected at most 1.5 x {reference}"
    );
}

#[test]
fn reconcile_of_equal_sets_costs_little() {
    is_within(compare(0..10_000, 0..10_000), 400);
}

#[test]
fn reconcile_of_one_missing_item_costs_little() {
    is_within(compare(0..10_000, 0..9_999), 1_400);
    is_within(compare(1..10_000, 0..10_000), 1_400);
}

#[test]
fn reconcile_of_disjoint_halves_costs_little_more_than_the_ids() {
    let bytes = compare(0..5_000, 5_000..10_000);
    assert!(
        bytes > 5_000 * 32,
        "{bytes}: the ids of one side have to be sent"
    );
    is_within(bytes, 323_000);
}

#[test]
fn reconcile_fills_an_empty_peer() {
    compare(0..3_000, 0..0);
    compare(0..0, 0..33);
    compare(0..1, 0..0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn join_makes_any_two_peers_equal(held in vec(0_u8..4, 0..300), seeds in any::<[u8; 2]>()) {
        let terms = terms();
        let items = items(&terms, held.len() as u64);
        let part = |bit: u8| items.iter().zip(&held).filter_map(move |(item, held)| {
            (held >> bit & 1 == 1).then_some(item)
        });
        let mut one = peer(&terms, seeds[0], part(0));
        let mut other = peer(&terms, seeds[1].wrapping_add(u8::from(seeds[0] == seeds[1])), part(1));
        join(&mut one, &mut other);
        prop_assert_eq!(one.log().set(), other.log().set());
        let union: BTreeSet<_> = part(0).chain(part(1)).map(cotrain_log::Item::id).collect();
        let found: BTreeSet<_> = one.log().set().ids(..).copied().collect();
        prop_assert_eq!(found, union);
    }
}

#[test]
fn child_divides_a_prefix_without_gaps() {
    let mut prefix = Prefix::ALL;
    for depth in 0..64_u8 {
        let children: Vec<_> = (0..16)
            .map(|digit| prefix.child(digit).expect("a digit"))
            .collect();
        assert_eq!(children[0].first(), prefix.first());
        assert_eq!(children[15].last(), prefix.last());
        for pair in children.windows(2) {
            assert!(pair[0].last() < pair[1].first());
        }
        assert_eq!(prefix.child(16), None);
        let again = Prefix::unpacked(prefix.depth(), prefix.packed());
        assert_eq!(again, Some(prefix));
        prefix = children[usize::from(depth) * 7 % 16];
    }
    assert_eq!(prefix.child(0), None);
    assert!(prefix.covers(&prefix.first()));
    assert_eq!(prefix.first(), prefix.last());
    assert_eq!(Prefix::unpacked(1, &[0x11]), None);
    assert_eq!(Prefix::unpacked(65, &[0; 33]), None);
}

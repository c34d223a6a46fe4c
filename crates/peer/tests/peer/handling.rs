//! Tests of a peer's tasks: their order, faults of others, bounds.

use std::sync::Arc;

use alloy_primitives::B256;
use cotrain_log::{Item, Terms};
use cotrain_peer::{Action, AddError, Content, Fault, Frame, Limits, LinkId, Peer, Prefix, Range};

use crate::support::{LINK, bytes, frames, items, join, key, peer, sent, terms, terms_at};

/// Returns a peer with a link whose other side has said hello.
fn linked(terms: &Arc<Terms>, limits: Limits, links: u64) -> Peer<Arc<Terms>> {
    let mut peer = Peer::new(terms.clone(), limits, B256::repeat_byte(1));
    for link in 1..=links {
        peer.connected(0, LinkId(link));
        greet(&mut peer, 0, LinkId(link));
    }
    peer
}

fn greet(peer: &mut Peer<Arc<Terms>>, now: u64, link: LinkId) -> Vec<Action> {
    let hello = Frame::Hello {
        log: peer.log().terms().name(),
        nonce: B256::repeat_byte(9),
    };
    peer.handle(now, link, &hello.encode())
}

fn give(peer: &mut Peer<Arc<Terms>>, now: u64, link: LinkId, items: &[&Item]) -> Vec<Action> {
    let items = items.iter().map(|item| item.bytes().to_vec()).collect();
    peer.handle(now, link, &Frame::Items(items).encode())
}

fn have(peer: &mut Peer<Arc<Terms>>, now: u64, link: LinkId, items: &[&Item]) -> Vec<Action> {
    let ids = items.iter().map(|item| item.id()).collect();
    peer.handle(now, link, &Frame::Have(ids).encode())
}

/// Returns the links that are asked for something.
fn asked(actions: &[Action]) -> Vec<LinkId> {
    let is_want = |frame: &Vec<u8>| matches!(Frame::decode(frame), Ok(Some(Frame::Want(_))));
    let sent = sent(actions)
        .into_iter()
        .filter(|(_, frame)| is_want(frame));
    sent.map(|(to, _)| to).collect()
}

#[test]
fn add_stores_before_it_tells() {
    let terms = terms();
    let mut peer = linked(&terms, Limits::default(), 9);
    let item = bytes(&terms, 0, 0, 1);
    let actions = peer.add(&item).expect("an item");
    assert!(matches!(&actions[0], Action::Store(stored) if stored.bytes() == item));
    let told = frames(&actions[1..]);
    assert_eq!(told.len(), Limits::default().push);
    assert!(
        told.iter()
            .all(|it| *it == Frame::Have(vec![Item::id_of(&item)]))
    );
    assert_eq!(peer.add(&item), Ok(vec![]));
}

#[test]
fn add_error_says_which_nonce_is_free() {
    let terms = terms();
    let mut peer = linked(
        &terms,
        Limits {
            items: 3,
            ..Limits::default()
        },
        0,
    );
    let mut twins = [bytes(&terms, 0, 0, 1), bytes(&terms, 0, 0, 2)];
    twins.sort_by_key(|bytes| Item::id_of(bytes));
    peer.add(&twins[0]).expect("the lower id");
    assert_eq!(
        peer.add(&twins[1]),
        Err(AddError::NonceUsed { nonce: 0, free: 1 })
    );
    let early = AddError::Early {
        nonce: 257,
        free: 1,
        last: 256,
    };
    assert_eq!(peer.add(&bytes(&terms, 0, 257, 1)), Err(early));
    assert!(peer.add(&bytes(&terms, 0, 256, 1)).is_ok());
    assert!(matches!(
        peer.add(&twins[0][1..]),
        Err(AddError::Refused(_))
    ));
    peer.add(&bytes(&terms, 1, 0, 1)).expect("room");
    assert_eq!(
        peer.add(&bytes(&terms, 1, 1, 1)),
        Err(AddError::Full { items: 3 })
    );
    assert_eq!(peer.log().set().len(), 3);
}

#[test]
fn handle_closes_links_of_peers_at_fault() {
    let (terms, other) = (terms(), terms_at(5));
    let stranger = bytes(&other, 0, 0, 1);
    let hello = Frame::Hello {
        log: other.name(),
        nonce: B256::ZERO,
    };
    let items = Frame::Items(vec![stranger.clone()]);
    for frame in [vec![], vec![7; 30], hello.encode(), items.encode()] {
        let mut peer = linked(&terms, Limits::default(), 1);
        let actions = peer.handle(0, LINK, &frame);
        assert!(
            matches!(&actions[..], [Action::Close { link: LINK, .. }]),
            "{actions:?}"
        );
        // The link is forgotten.
        assert_eq!(greet(&mut peer, 5_000, LINK), []);
        assert!(peer.log().set().is_empty());
    }
    // Another peer that sends the same item is closed without a check of the signature.
    let mut peer = linked(&terms, Limits::default(), 2);
    let first = peer.handle(0, LINK, &items.encode());
    assert!(matches!(
        &first[..],
        [Action::Close {
            fault: Fault::Item(_),
            ..
        }]
    ));
    let offered = Frame::Have(vec![Item::id_of(&stranger)]);
    assert_eq!(peer.handle(0, LinkId(2), &offered.encode()), []);
}

#[test]
fn handle_ignores_unknown_kinds_and_links() {
    let mut peer = linked(&terms(), Limits::default(), 1);
    assert_eq!(peer.handle(0, LINK, &[1, 200, 0, 0, 0, 0]), []);
    assert_eq!(peer.handle(0, LinkId(7), &[9, 9]), []);
    // The link is still open.
    assert_eq!(frames(&greet(&mut peer, 2_000, LINK)).len(), 1);
}

#[test]
fn handle_passes_new_items_on_but_not_those_of_a_reconciliation() {
    let terms = terms();
    let all = items(&terms, 2);
    let mut peer = linked(&terms, Limits::default(), 4);
    let actions = have(&mut peer, 0, LINK, &[&all[0]]);
    assert_eq!(asked(&actions), [LINK]);
    let actions = give(&mut peer, 0, LINK, &[&all[0]]);
    assert!(matches!(&actions[0], Action::Store(_)));
    let told: Vec<_> = sent(&actions).into_iter().map(|(to, _)| to.0).collect();
    assert_eq!(told.len(), 3);
    assert!(!told.contains(&LINK.0));

    let held = Range {
        prefix: Prefix::ALL,
        content: Content::Held(vec![all[1].id()]),
    };
    let actions = peer.handle(0, LINK, &Frame::Reconcile(vec![held]).encode());
    assert_eq!(asked(&actions), [LINK]);
    let actions = give(&mut peer, 0, LINK, &[&all[1]]);
    assert!(matches!(&actions[..], [Action::Store(_)]), "{actions:?}");
}

#[test]
fn tick_asks_another_peer_for_what_is_withheld() {
    let terms = terms();
    let all = items(&terms, 1);
    let mut peer = linked(&terms, Limits::default(), 2);
    assert_eq!(asked(&have(&mut peer, 0, LINK, &[&all[0]])), [LINK]);
    assert_eq!(asked(&have(&mut peer, 0, LinkId(2), &[&all[0]])), []);
    assert_eq!(asked(&peer.tick(9_999)), []);
    assert_eq!(asked(&peer.tick(10_000)), [LinkId(2)]);
    assert_eq!(peer.pending(), 1);
    give(&mut peer, 10_001, LinkId(2), &[&all[0]]);
    assert_eq!(peer.pending(), 0);
    assert_eq!(peer.log().set().len(), 1);
}

#[test]
fn tick_repeats_hello_until_the_other_side_answers() {
    let terms = terms();
    let mut peer = Peer::new(terms, Limits::default(), B256::ZERO);
    let first = frames(&peer.connected(0, LINK));
    assert_eq!(frames(&peer.tick(999)), []);
    assert_eq!(frames(&peer.tick(1_000)), first);
    greet(&mut peer, 1_100, LINK);
    assert!(!frames(&peer.tick(5_000)).contains(&first[0]));
}

#[test]
fn handle_takes_early_items_once_their_turn_is_near() {
    let terms = terms();
    let far = terms.item(&bytes(&terms, 0, 256, 1)).expect("an item");
    let near = terms.item(&bytes(&terms, 0, 0, 1)).expect("an item");
    let mut peer = linked(&terms, Limits::default(), 1);
    assert_eq!(give(&mut peer, 0, LINK, &[&far]), []);
    assert!(peer.log().set().is_empty());
    // It is remembered, and not asked for again.
    assert_eq!(asked(&have(&mut peer, 0, LINK, &[&far])), []);
    give(&mut peer, 0, LINK, &[&near]);
    assert_eq!(asked(&have(&mut peer, 0, LINK, &[&far])), [LINK]);
    give(&mut peer, 0, LINK, &[&far]);
    assert_eq!(peer.log().set().len(), 2);
}

#[test]
fn handle_keeps_memory_bounded_against_floods() {
    let terms = terms();
    let limits = Limits {
        offered: 100,
        asked: 10,
        refused: 50,
        ..Limits::default()
    };
    let mut peer = linked(&terms, limits, 1);
    for number in 0..50_u64 {
        let ids = (0..1_000_u64).map(|at| {
            let mut id = B256::ZERO;
            id[..8].copy_from_slice(&(number * 1_000 + at).to_be_bytes());
            id
        });
        peer.handle(number, LINK, &Frame::Have(ids.collect()).encode());
        assert!(peer.pending() <= 110, "{}", peer.pending());
    }
}

#[test]
fn handle_answers_floods_only_as_fast_as_the_bucket_refills() {
    let terms = terms();
    let all = items(&terms, 100);
    let limits = Limits {
        burst: 40_000,
        rate: 1_000,
        ..Limits::default()
    };
    let mut peer = linked(&terms, limits, 1);
    for item in &all {
        peer.log_mut().add_item(item.clone());
    }
    let want: Vec<_> = all
        .iter()
        .map(|item| *item.id().first_chunk().expect("8 bytes"))
        .collect();
    let want = Frame::Want(want).encode();
    let mut moved = 0;
    for now in 0..1_000 {
        let actions = peer.handle(now, LINK, &want);
        moved += sent(&actions)
            .iter()
            .map(|(_, frame)| frame.len())
            .sum::<usize>();
    }
    assert!((10_000..42_000).contains(&moved), "{moved}");
    // A second later it serves again, in the measure of the rate.
    let later = sent(&peer.handle(3_000, LINK, &want));
    assert!(!later.is_empty());
}

#[test]
fn connected_bounds_the_links() {
    let limits = Limits {
        links: 2,
        ..Limits::default()
    };
    let mut peer = linked(&terms(), limits, 2);
    let actions = peer.connected(0, LinkId(3));
    let fault = Fault::TooManyLinks(2);
    assert_eq!(
        actions,
        [Action::Close {
            link: LinkId(3),
            fault
        }]
    );
    peer.disconnected(LINK);
    assert_eq!(frames(&peer.connected(0, LinkId(3))).len(), 1);
}

#[test]
fn restore_refuses_damaged_items_which_come_again() {
    let terms = terms();
    let all = items(&terms, 50);
    let mut damaged = Peer::new(terms.clone(), Limits::default(), B256::repeat_byte(1));
    for (number, item) in all.iter().enumerate() {
        let mut bytes = item.bytes().to_vec();
        match number % 3 {
            0 => bytes[number] ^= 1,
            1 => bytes.truncate(number),
            _ => {}
        }
        assert_eq!(damaged.restore(&bytes).is_ok(), number % 3 == 2);
    }
    let mut whole = peer(&terms, 2, &all);
    join(&mut damaged, &mut whole);
    assert_eq!(damaged.log_mut().digest(), whole.log_mut().digest());
    assert_eq!(whole.log().set().free_nonce(key(0).address()), 3);
}

#[test]
fn join_ends_with_the_lower_id_of_an_author_who_signs_twice() {
    let terms = terms();
    let twins = [1, 2].map(|content| terms.item(&bytes(&terms, 0, 0, content)).expect("an item"));
    let mut one = peer(&terms, 1, &twins[..1]);
    let mut other = peer(&terms, 2, &twins[1..]);
    join(&mut one, &mut other);
    let low = twins[0].id().min(twins[1].id());
    assert_eq!(one.log().set().ids(..).collect::<Vec<_>>(), [&low]);
    assert_eq!(one.log().set(), other.log().set());
    // The other one is remembered: the next meeting moves no item.
    assert_eq!(join(&mut one, &mut other).items, 0);
}

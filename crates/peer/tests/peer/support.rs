//! Peers with items of a few people, and a loss-free way between two of them.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::{B256, U256, keccak256};
use cotrain_log::{Admission, Item, Terms};
use cotrain_peer::{Action, Frame, Limits, LinkId, Peer};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item as Sample, encode_batch, encode_sparse},
    signature::Key,
};

/// Link of all tests with two peers.
pub(crate) const LINK: LinkId = LinkId(1);

/// Returns the key of a person.
pub(crate) fn key(person: u64) -> Key {
    Key::new(B256::from(U256::from(person + 1))).expect("not zero")
}

/// Returns the terms of a log of 20 people that began at `time`.
pub(crate) fn terms_at(time: u64) -> Arc<Terms> {
    let model = Classifier::new(Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 1,
        intercept: 0,
    });
    let authors = (0..20).map(|person| key(person).address());
    let terms = Terms::new(model.expect("a model"), time, Admission::authors(authors));
    Arc::new(terms.expect("terms"))
}

/// Returns the terms of most tests.
pub(crate) fn terms() -> Arc<Terms> {
    terms_at(0)
}

/// Returns a signed item with one sample of 20 features.
pub(crate) fn bytes(terms: &Terms, person: u64, nonce: u64, content: u64) -> Vec<u8> {
    let hash = keccak256(content.to_be_bytes());
    let features: Vec<_> = (0..20_u16)
        .map(|at| at * 50 + u16::from(hash[usize::from(at)]) % 50)
        .collect();
    let sample = encode_sparse(&features);
    let items = encode_batch(&[Sample {
        label: u16::from(hash[31] & 1),
        sample: &sample,
    }]);
    let draft = terms.draft(key(person).address(), nonce, items.expect("short"));
    let signature = key(person).sign(draft.hash()).to_vec();
    draft.signed(signature)
}

/// Returns items of all people, in turns.
pub(crate) fn items(terms: &Terms, count: u64) -> Vec<Item> {
    (0..count)
        .map(|number| bytes(terms, number % 20, number / 20, number))
        .map(|bytes| terms.item(&bytes).expect("an item"))
        .collect()
}

/// Returns a peer with these items.
pub(crate) fn peer<'a>(
    terms: &Arc<Terms>,
    seed: u8,
    items: impl IntoIterator<Item = &'a Item>,
) -> Peer<Arc<Terms>> {
    let mut peer = Peer::new(terms.clone(), Limits::default(), B256::repeat_byte(seed));
    for item in items {
        peer.log_mut().add_item(item.clone());
    }
    peer
}

/// Returns the frames that actions send, with their links.
pub(crate) fn sent(actions: &[Action]) -> Vec<(LinkId, Vec<u8>)> {
    let frame = |action: &Action| match action {
        Action::Send { to, frame } => Some((*to, frame.clone())),
        _ => None,
    };
    actions.iter().filter_map(frame).collect()
}

/// Returns the decoded frames that actions send.
pub(crate) fn frames(actions: &[Action]) -> Vec<Frame> {
    let decoded = |(_, frame): (LinkId, Vec<u8>)| Frame::decode(&frame).expect("a frame");
    sent(actions).into_iter().filter_map(decoded).collect()
}

/// Bytes that two peers sent.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sent {
    /// Frames that compare sets and ask for items.
    pub(crate) ids: usize,
    /// Frames of items.
    pub(crate) items: usize,
}

/// Links two peers, and delivers their frames until nothing is sent.
pub(crate) fn join(one: &mut Peer<Arc<Terms>>, other: &mut Peer<Arc<Terms>>) -> Sent {
    let mut count = Sent::default();
    let mut way = VecDeque::new();
    let both = [one.connected(0, LINK), other.connected(0, LINK)];
    for (to, actions) in (0..).zip(&both) {
        way.extend(sent(actions).into_iter().map(|(_, frame)| (1 - to, frame)));
    }
    while let Some((to, frame)) = way.pop_front() {
        match Frame::decode(&frame) {
            Ok(Some(Frame::Items(_))) => count.items += frame.len(),
            _ => count.ids += frame.len(),
        }
        let peer = if to == 0 { &mut *one } else { &mut *other };
        let actions = peer.handle(0, LINK, &frame);
        assert!(
            !actions.iter().any(|it| matches!(it, Action::Close { .. })),
            "{actions:?}"
        );
        way.extend(sent(&actions).into_iter().map(|(_, frame)| (1 - to, frame)));
    }
    count
}

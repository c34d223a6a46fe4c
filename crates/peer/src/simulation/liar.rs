//! Peers that lie.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};

use crate::{
    chance::Chance,
    frame::Frame,
    range::{Content, Prefix, Range},
};

/// Number of ids that a liar remembers.
const REMEMBERED: usize = 2_000;

/// Number of frames that a liar answers in a second. It only bounds the work of a simulation: a link
/// bounds that of its other side.
const ANSWERS: u32 = 20;

/// Way to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sends false fingerprints and ids of items that nobody has.
    FalsePrints,
    /// Offers items, and sends none.
    Withholds,
    /// Sends as much as it can.
    Floods,
    /// Sends bytes that are no frames.
    Malformed,
    /// Sends items that nobody signed.
    Forges,
}

const KINDS: [Kind; 5] = [
    Kind::FalsePrints,
    Kind::Withholds,
    Kind::Floods,
    Kind::Malformed,
    Kind::Forges,
];

/// A peer that lies to all others.
#[derive(Debug)]
pub(super) struct Liar {
    kind: Kind,
    log: Address,
    chance: Chance,
    seen: BTreeSet<B256>,
    /// Number of frames that it may still answer in this second.
    answers: u32,
}

impl Liar {
    pub(super) fn new(number: usize, log: Address, seed: B256) -> Self {
        Self {
            kind: KINDS[number % KINDS.len()],
            log,
            chance: Chance::new(seed),
            seen: BTreeSet::new(),
            answers: ANSWERS,
        }
    }

    /// Returns the frame that opens a link.
    pub(super) fn hello(&mut self) -> Vec<u8> {
        let nonce = self.chance.word();
        Frame::Hello {
            log: self.log,
            nonce,
        }
        .encode()
    }

    /// Answers a frame.
    pub(super) fn handle(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let Some(left) = self.answers.checked_sub(1) else {
            return vec![];
        };
        self.answers = left;
        match Frame::decode(frame) {
            Ok(Some(Frame::Have(ids))) => {
                self.remember(&ids);
                vec![]
            }
            Ok(Some(Frame::Reconcile(ranges))) => {
                for range in ranges {
                    if let Content::List(ids) | Content::Held(ids) = range.content {
                        self.remember(&ids);
                    }
                }
                match self.kind {
                    Kind::FalsePrints => vec![self.false_prints(), self.false_list()],
                    // It says that its set is empty, and learns all ids.
                    Kind::Withholds => vec![list(Vec::new())],
                    _ => vec![],
                }
            }
            _ => vec![],
        }
    }

    /// Begins a second.
    pub(super) fn wake(&mut self) {
        self.answers = ANSWERS;
    }

    /// Returns what it sends to one peer in a second.
    pub(super) fn tick(&mut self) -> Vec<Vec<u8>> {
        match self.kind {
            Kind::FalsePrints if self.chance.below(10) == 0 => vec![self.false_prints()],
            Kind::Withholds if !self.seen.is_empty() && self.chance.below(10) == 0 => {
                vec![Frame::Have(self.seen.iter().copied().collect()).encode()]
            }
            Kind::Floods => self.flood(),
            Kind::Malformed if self.chance.below(20) == 0 => vec![self.malformed()],
            Kind::Forges if self.chance.below(20) == 0 => {
                let length = 100 + self.chance.index(200);
                vec![Frame::Items(vec![vec![0; length]]).encode()]
            }
            _ => vec![],
        }
    }

    /// Returns a second of a flood, which now and then is a wave.
    fn flood(&mut self) -> Vec<Vec<u8>> {
        let is_wave = self.chance.below(50) == 0;
        let count = if is_wave { 2_000 } else { 20 };
        let random: Vec<_> = (0..count).map(|_| self.chance.word()).collect();
        let mut frames = vec![Frame::Have(random).encode(), self.hello()];
        let wants = self.seen.iter().filter_map(|id| id.first_chunk().copied());
        let wants: Vec<_> = wants.take(count).collect();
        if !wants.is_empty() {
            frames.push(Frame::Want(wants).encode());
        }
        if is_wave {
            frames.push(list(Vec::new()));
        }
        frames
    }

    fn remember(&mut self, ids: &[B256]) {
        let room = REMEMBERED.saturating_sub(self.seen.len());
        self.seen.extend(ids.iter().take(room));
    }

    fn false_prints(&mut self) -> Vec<u8> {
        let mut prints = [None; 16];
        for print in &mut prints {
            let [first, ..] = self.chance.word().0;
            *print = (first > 30).then(|| u128::from(first));
        }
        let range = Range {
            prefix: Prefix::ALL,
            content: Content::Split(Box::new(prints)),
        };
        Frame::Reconcile(vec![range]).encode()
    }

    fn false_list(&mut self) -> Vec<u8> {
        let mut ids: Vec<_> = (0..20).map(|_| self.chance.word()).collect();
        ids.sort_unstable();
        list(ids)
    }

    fn malformed(&mut self) -> Vec<u8> {
        let whole = self.false_list();
        match self.chance.below(5) {
            0 => whole[..whole.len() - 1].to_vec(),
            1 => vec![],
            2 => [&[9], &whole[1..]].concat(),
            3 => vec![0; crate::frame::FRAME_BYTES + 1],
            _ => [&whole[..], &[0]].concat(),
        }
    }
}

/// Returns a frame that says these are all ids.
fn list(ids: Vec<B256>) -> Vec<u8> {
    let range = Range {
        prefix: Prefix::ALL,
        content: Content::List(ids),
    };
    Frame::Reconcile(vec![range]).encode()
}

//! Links among simulated peers, and events in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::Chance;

/// Event at a time.
#[derive(Debug)]
pub(super) enum Event {
    /// A frame arrives.
    Frame {
        from: usize,
        to: usize,
        /// Number of the link's opening. A frame of an earlier one is lost.
        opening: u64,
        bytes: Vec<u8>,
    },
    /// A second of a peer has passed.
    Tick(usize),
    /// A user signs an item.
    Sign(usize),
    /// A peer will be killed at its next tasks.
    Kill(usize),
    /// A killed peer begins anew.
    Restart(usize),
    /// A closed link is opened again.
    Open(usize, usize),
    /// Links between the two sides break.
    Cut,
    /// They are opened again.
    Heal,
}

/// Events to come, in order. Those of one time keep their order.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: u64, event: Event) {
        self.events.insert((at, self.number), event);
        self.number += 1;
    }

    pub(super) fn next(&mut self) -> Option<(u64, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

/// Pairs of peers, the lower number first.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Links that peers keep up.
    planned: BTreeSet<(usize, usize)>,
    /// Number of the opening of each open link.
    open: BTreeMap<(usize, usize), u64>,
    openings: u64,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Links {
    /// Plans a ring of the honest peers, which are the first, and random links of each peer.
    pub(super) fn plan(honest: usize, peers: usize, each: usize, chance: &mut Chance) -> Self {
        let mut links = Self::default();
        let mut add = |a, b| {
            if a != b {
                links.planned.insert(pair(a, b));
            }
        };
        for peer in 0..honest {
            add(peer, (peer + 1) % honest);
        }
        for peer in 0..peers {
            for _ in 0..each {
                add(peer, chance.index(peers));
            }
        }
        links
    }

    /// Returns the planned links.
    pub(super) fn planned(&self) -> Vec<(usize, usize)> {
        self.planned.iter().copied().collect()
    }

    /// Returns the peers that a peer is to be linked with.
    pub(super) fn of(&self, peer: usize) -> Vec<usize> {
        let other = |&(a, b): &(usize, usize)| match peer {
            it if it == a => Some(b),
            it if it == b => Some(a),
            _ => None,
        };
        self.planned.iter().filter_map(other).collect()
    }

    pub(super) fn is_planned(&self, a: usize, b: usize) -> bool {
        self.planned.contains(&pair(a, b))
    }

    /// Returns the number of the opening of a link; `None` if it is closed.
    pub(super) fn opening(&self, a: usize, b: usize) -> Option<u64> {
        self.open.get(&pair(a, b)).copied()
    }

    /// Opens a link. Returns `false` if it is open.
    pub(super) fn open(&mut self, a: usize, b: usize) -> bool {
        self.openings += 1;
        let opening = *self.open.entry(pair(a, b)).or_insert(self.openings);
        opening == self.openings
    }

    /// Closes a link. Returns `false` if it is closed.
    pub(super) fn close(&mut self, a: usize, b: usize) -> bool {
        self.open.remove(&pair(a, b)).is_some()
    }
}

//! Many peers in one process, with faults and liars. Equal plans give equal outcomes, to the bit.
//!
//! Time is simulated. Frames are lost, repeated, delayed and thereby reordered; links are cut; peers
//! are killed between two tasks and begin anew with what they had stored.

mod liar;
mod network;
mod people;
mod world;

use cotrain_log::Digest;

use self::world::World;
use crate::limits::Limits;

/// Faults of network, clocks and machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Faults {
    /// Share of frames that are lost, in percent.
    pub lost: u64,
    /// Share of frames that come twice, in percent.
    pub repeated: u64,
    /// Maximum delay of a frame, in milliseconds. Later frames may come first.
    pub delay: u64,
    /// Number of times that a peer is killed. Its disk may keep a damaged item.
    pub kills: u64,
    /// `true` if clocks are up to a year off, and leap.
    pub clocks: bool,
    /// `true` if some authors sign two items with one nonce, for two peers.
    pub twins: bool,
}

/// Plan of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Number from which all chance follows.
    pub seed: u64,
    /// Number of peers, with the liars.
    pub peers: usize,
    /// Number of peers that lie.
    pub liars: usize,
    /// Number of items that honest peers' users sign in the first minutes.
    pub items: usize,
    /// Number of links that each peer opens.
    pub links: usize,
    /// Share of peers, in percent, that are cut off from the others while items are signed.
    pub cut: Option<u64>,
    /// Faults all the time.
    pub faults: Faults,
    /// Bounds of each honest peer.
    pub limits: Limits,
    /// Time after which the simulation ends without agreement, in seconds.
    pub longest: u64,
}

impl Plan {
    /// Returns a plan without liars, cuts and faults but a delay.
    #[must_use]
    pub fn calm(seed: u64, peers: usize, items: usize) -> Self {
        Self {
            seed,
            peers,
            liars: 0,
            items,
            links: 4,
            cut: None,
            faults: Faults {
                delay: 100,
                ..Faults::default()
            },
            limits: Limits::default(),
            longest: 7_200,
        }
    }

    /// Returns a plan with every fault, a cut and a quarter of liars, in a measure that the seed decides.
    #[must_use]
    pub fn hostile(seed: u64, peers: usize, items: usize) -> Self {
        Self {
            liars: peers / 4,
            cut: Some([1, 10, 50, 90][(seed % 4) as usize]),
            faults: Faults {
                lost: seed % 31,
                repeated: seed % 23,
                delay: 50 + seed % 2_000,
                kills: 10,
                clocks: true,
                twins: true,
            },
            ..Self::calm(seed, peers, items)
        }
    }

    /// Runs the simulation until all honest peers agree, or its time is over.
    #[must_use]
    pub fn run(&self) -> Outcome {
        World::new(self).run()
    }
}

/// Bytes of frames among honest peers since the cut was healed, or from the start without a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Bytes that were sent.
    pub moved: u64,
    /// Bytes of items that had to be sent, each once to each peer that lacked it.
    pub minimum: u64,
}

/// Outcome of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `true` if all honest peers have the same digest.
    pub converged: bool,
    /// Digest of the honest peer with the lowest number.
    pub digest: Digest,
    /// Number of contributions of that peer.
    pub contributions: u64,
    /// Number of its items.
    pub items: usize,
    /// Number of reconciliations that each peer had time to begin between the last disturbance and
    /// the agreement.
    pub rounds: u64,
    /// Bytes that were moved.
    pub bytes: Moved,
    /// Simulated seconds until the agreement.
    pub seconds: u64,
    /// Number of links that an honest peer closed to another one; an honest peer has no fault.
    pub wronged: u64,
    /// Number of links that honest peers closed to liars.
    pub caught: u64,
    /// Largest number of ids and wishes that an honest peer had in memory beside its set.
    pub pending: usize,
    /// Hash of all that happened.
    pub trace: u128,
}

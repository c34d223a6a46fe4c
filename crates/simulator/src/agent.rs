//! One contributor: its account and what chance makes it do.

use std::f64::consts::TAU;

use alloy_primitives::{Address, B256, Signature, keccak256};
use k256::ecdsa::SigningKey;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::scenario::{Agent, Normal, UNIT};

/// What is added to the accuracy to get the probability that a good agent works: 0.85 is good
/// enough for it to work always (0xDeCA10B's simulator).
const OPTIMISM: f64 = 0.15;

/// A contributor at work. Its chances come from a stream of its own, so that what one agent draws
/// does not depend on what another does.
pub(crate) struct Worker {
    pub(crate) profile: Agent,
    pub(crate) address: Address,
    key: SigningKey,
    chance: ChaCha8Rng,
}

impl Worker {
    pub(crate) fn new(profile: Agent, place: usize, seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        // A stream a place: 1000 agents at the most.
        chance.set_stream(place as u64 + 1);
        let key = key(&format!("cotrain agent {place} {}", profile.name));
        Self {
            profile,
            address: Address::from_private_key(&key),
            key,
            chance,
        }
    }

    /// Its signature, `r s v`: always the same one for a hash (RFC 6979).
    pub(crate) fn sign(&self, hash: B256) -> Vec<u8> {
        let signature = self
            .key
            .sign_prehash_recoverable(hash.as_slice())
            .expect("a hash of 32 bytes, which is long enough");
        Signature::from(signature).as_bytes().to_vec()
    }

    /// Seconds until its next turn: at least 1.
    pub(crate) fn next_wait(&mut self) -> u64 {
        whole(draw(self.profile.wait, &mut self.chance))
    }

    /// The longest that it waits, for all practical purposes, in seconds.
    pub(crate) fn longest_wait(&self) -> u64 {
        let Normal { mean, sd } = self.profile.wait;
        whole(mean + 6.0 * sd)
    }

    /// The most it is willing to deposit this time, in wei: whole units, at least 1; nothing under
    /// points.
    pub(crate) fn next_deposit(&mut self) -> u128 {
        let Some(deposit) = self.profile.deposit else {
            return 0;
        };
        u128::from(whole(draw(deposit, &mut self.chance))) * UNIT
    }

    /// Whether it works at all, the model being as accurate as it was last seen to be.
    pub(crate) fn wants_to_work(&mut self, accuracy: f64) -> bool {
        !self.profile.good || self.chance.random::<f64>() < accuracy + OPTIMISM
    }

    /// The label it sends for a sample of class `label`: a bad agent sends the next class, and
    /// so does a mistake.
    pub(crate) fn label(&mut self, label: u16, classes: u16) -> u16 {
        let mut sent = label;
        if !self.profile.good {
            sent = (sent + 1) % classes;
        }
        if self.profile.mistakes > 0.0 && self.chance.random::<f64>() < self.profile.mistakes {
            sent = (sent + 1) % classes;
        }
        sent
    }

    /// Whether it has too little left ever to deposit again: less than four standard deviations
    /// below what it is willing to pay on average.
    pub(crate) fn is_broke(&self, balance: u128) -> bool {
        let least = |Normal { mean, sd }| u128::from(whole(mean - 4.0 * sd)) * UNIT;
        self.profile
            .deposit
            .is_some_and(|deposit| balance < least(deposit))
    }
}

/// The key that belongs to a text: its hash. A hash that is no key, of which there are hardly any, is
/// hashed again.
fn key(text: &str) -> SigningKey {
    let mut hash = keccak256(text);
    loop {
        if let Ok(key) = SigningKey::from_slice(hash.as_slice()) {
            return key;
        }
        hash = keccak256(hash);
    }
}

/// A number drawn from a normal distribution, drawn again while it is below 1, as 0xDeCA10B's
/// simulator does. Its mean is at least 1 (checked with the scenario), so that takes two draws on
/// average at the worst.
///
/// By Box and Muller (1958), with `libm`'s logarithm and cosine: the platform's own differ between
/// machines in the last bit, and so does every ready-made sampler that uses them.
fn draw(Normal { mean, sd }: Normal, chance: &mut impl Rng) -> f64 {
    loop {
        // In (0, 1], so that the logarithm is finite.
        let radius = 1.0 - chance.random::<f64>();
        let angle = TAU * chance.random::<f64>();
        let value = mean + sd * libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(angle);
        if value >= 1.0 {
            return value;
        }
    }
}

/// The whole part, at least 1. Scenarios hold nothing beyond 10^12 and six deviations more are as
/// good as impossible, so the cast cannot lose anything; it would saturate.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.max(1.0) as u64
}

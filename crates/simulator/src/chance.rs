//! Random numbers, the same on every machine.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
}

/// Random numbers of one agent. Each agent has a stream of its own, so agents do not influence each
/// other's numbers.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// Returns stream number `stream` of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(stream);
        Self(chance)
    }

    /// Draws a number from [0, 1) with uniform probability.
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Draws from a normal distribution until the number is at least 1, as 0xDeCA10B's simulator
    /// does. The mean must be at least 1, as in every scenario. So this takes at most two draws on
    /// average.
    ///
    /// It uses the method of Box and Muller (1958) with `libm`'s logarithm and cosine. The
    /// platform's own functions differ between machines in the last bit, as does every ready-made
    /// sampler that uses them.
    pub fn at_least_one(&mut self, Normal { mean, sd }: Normal) -> f64 {
        loop {
            // The radius is in (0, 1], so the logarithm is finite.
            let radius = 1.0 - self.uniform();
            let angle = TAU * self.uniform();
            let value = mean + sd * libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(angle);
            if value >= 1.0 {
                return value;
            }
        }
    }
}

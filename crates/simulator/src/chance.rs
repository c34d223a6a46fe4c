//! What is left to chance, the same on every machine.

use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normal {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
}

/// Random numbers of one agent. Each agent has a stream of its own, so that what one draws does not depend on
/// what another does.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream number `stream` of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        chance.set_stream(stream);
        Self(chance)
    }

    /// A number in [0, 1), each as likely as any other.
    pub fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// A number drawn from a normal distribution, drawn again while it is below 1, as 0xDeCA10B's
    /// simulator does. Its mean is to be at least 1 (a scenario's is), so that takes two draws on average
    /// at the worst.
    ///
    /// By Box and Muller (1958), with `libm`'s logarithm and cosine: the platform's own differ between
    /// machines in the last bit, and so does every ready-made sampler that uses them.
    pub fn at_least_one(&mut self, Normal { mean, sd }: Normal) -> f64 {
        loop {
            // In (0, 1], so that the logarithm is finite.
            let radius = 1.0 - self.uniform();
            let angle = TAU * self.uniform();
            let value = mean + sd * libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(angle);
            if value >= 1.0 {
                return value;
            }
        }
    }
}

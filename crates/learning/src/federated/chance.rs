//! Random numbers of the laboratory.

use std::f64::consts::TAU;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Random numbers of the laboratory, from a seed and the number of a stream.
#[derive(Debug, Clone)]
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        Self(random)
    }

    pub(super) fn bits(&mut self) -> u32 {
        self.0.random()
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound.max(1))
    }

    fn uniform(&mut self) -> f64 {
        self.0.random()
    }

    /// Draws from the standard normal distribution, by Box and Muller with functions of `libm`.
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.uniform(), TAU * self.uniform());
        libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(angle)
    }

    /// Draws from a gamma distribution of scale 1 (Marsaglia and Tsang, "A Simple Method for
    /// Generating Gamma Variables", 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = libm::pow(1.0 - self.uniform(), 1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let root = 1.0 + c * x;
            let cube = root * root * root;
            let log = libm::log(1.0 - self.uniform());
            if cube > 0.0 && log < 0.5 * x * x + d - d * cube + d * libm::log(cube) {
                return d * cube;
            }
        }
    }

    /// Draws shares that sum to 1 from a symmetric Dirichlet distribution.
    pub(super) fn dirichlet(&mut self, alpha: f64, count: usize) -> Vec<f64> {
        let drawn: Vec<f64> = (0..count).map(|_| self.gamma(alpha)).collect();
        let sum: f64 = drawn.iter().sum();
        drawn.into_iter().map(|share| share / sum).collect()
    }

    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

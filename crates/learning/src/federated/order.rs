//! Orders of samples, from a generator that other languages can write the same.

/// Orders of samples, by the generator xorshift32 (Marsaglia, "Xorshift RNGs", 2003).
///
/// It is small enough to be written the same in the page.
#[derive(Debug, Clone)]
pub struct Order(u32);

impl Order {
    /// Creates the generator of a seed. The seed 0 counts as 2^32 - 1, since 0 has no successor.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self(if seed == 0 { u32::MAX } else { seed })
    }

    /// Returns the next 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number below `bound`, which is at most 2^21 so that a float holds the product.
    pub fn below(&mut self, bound: u32) -> u32 {
        let product = u64::from(self.bits()) * u64::from(bound);
        // The product is below bound * 2^32.
        u32::try_from(product >> 32).unwrap_or_default()
    }

    /// Shuffles, from the last index down (Fisher and Yates).
    pub fn shuffle(&mut self, indices: &mut [u32]) {
        for last in (1..indices.len()).rev() {
            let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
            indices.swap(last, self.below(bound) as usize);
        }
    }
}

//! Chance that can be repeated: the same seed and occasion always give the same throws.

use std::ops::Range;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use sha2::{Digest, Sha256};

/// Throws for one occasion.
pub(super) struct Dice(SmallRng);

impl Dice {
    /// The dice for an occasion, such as one attempt of one node of one run.
    pub(super) fn new(seed: u64, occasion: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(occasion);
        Self(SmallRng::from_seed(hash.finalize().into()))
    }

    /// Whether something happens that happens at this rate, from 0 to 1.
    pub(super) fn happens(&mut self, rate: f64) -> bool {
        self.0.random::<f64>() < rate
    }

    /// A whole number of a range that is not empty.
    pub(super) fn number(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.0.random_range(0..among.len())]
    }
}

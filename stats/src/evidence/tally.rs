//! Count, sum and sum of squares.

use serde::{Deserialize, Serialize};

/// The sums that a mean and its variance are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// How many were observed.
    pub n: u64,
    /// Σy.
    pub sum: f64,
    /// Σy².
    pub square: f64,
}

impl Tally {
    /// Counts one observation.
    pub fn add(&mut self, y: f64) {
        self.n += 1;
        self.sum += y;
        self.square += y * y;
    }

    /// Lets an observation that was 1 be 0.
    pub(crate) fn take_back(&mut self) {
        self.sum -= 1.0;
        self.square -= 1.0;
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.square += other.square;
    }

    /// The number of observations, for arithmetic; exact to 2⁵³.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.n as f64
    }

    /// The mean; none of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.count())
    }

    /// Σ(y − ȳ)², which rounding must not make negative.
    #[must_use]
    pub fn scatter(&self) -> f64 {
        self.mean()
            .map_or(0.0, |mean| (self.square - mean * self.sum).max(0.0))
    }

    /// How many of a proportion's observations were 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of n ones and zeros is a whole number between 0 and n"
    )]
    pub fn ones(&self) -> u64 {
        (self.sum.round().max(0.0) as u64).min(self.n)
    }

    /// Kish's effective size: of how many equal parts the sum seems to be made.
    #[must_use]
    pub fn effective_size(&self) -> f64 {
        if self.square > 0.0 {
            self.sum * self.sum / self.square
        } else {
            0.0
        }
    }
}

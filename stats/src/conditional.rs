//! The conditional 2×2 test of a proportion where each request is assigned on its own.
//!
//! Within a tick, given how many requests each arm had and how many events there were in all, the
//! number of B's events follows Fisher's noncentral hypergeometric distribution, which knows the odds
//! ratio and nothing else: a base rate that drifts, a ramp, an outage that hits both arms cancel out.
//! The e-value is the likelihood ratio of sixteen alternatives against the null, averaged. At a null
//! of equal odds it is exact under randomisation of requests.
//!
//! Hao, Grünwald, Lardy, Long and Adams, "E-values for k-sample tests with exponential families"
//! (2024); Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI
//! 230 (2024); Turner and Grünwald, "Exact anytime-valid confidence intervals for contingency tables"
//! (arXiv 2302.11401).

mod curve;
mod table;

use serde::{Deserialize, Serialize};

pub(crate) use curve::Curve;
pub use table::Table;

use crate::{
    design::Tail,
    special::{ln_mean_exp, log_spaced},
};

/// How many alternatives are averaged.
const POINTS: usize = 16;

/// The nearest and the farthest alternative, as distance from the null in log odds: effects from 8%
/// to more than threefold odds.
const NEAREST: f64 = 0.08;
const FARTHEST: f64 = 1.2;

/// The test of one null on one side or both, tick by tick. A tick costs its own sums and nothing of the
/// past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditional {
    null: f64,
    tail: Tail,
    /// Σ over ticks of ℓ(w_g) − ℓ(w₀), for each alternative g.
    sums: Vec<f64>,
}

impl Conditional {
    /// A test that the log odds ratio of B against A is not to this side of `null`.
    #[must_use]
    pub fn new(null: f64, tail: impl Into<Tail>) -> Self {
        let tail = tail.into();
        Self {
            null,
            tail,
            sums: vec![0.0; POINTS * tail.signs().len()],
        }
    }

    /// Adds one tick.
    pub fn add(&mut self, table: &Table) {
        if !table.informs() {
            return;
        }
        let null = table.log_likelihood(self.null).value;
        let signs = self.tail.signs().iter();
        let alternatives = signs.flat_map(|sign| distances().map(move |distance| sign * distance));
        for (sum, step) in self.sums.iter_mut().zip(alternatives) {
            *sum += table.log_likelihood(self.null + step).value - null;
        }
    }

    /// The log odds ratio of the null.
    #[must_use]
    pub fn null(&self) -> f64 {
        self.null
    }

    /// Σ over ticks of ℓ(w_g) − ℓ(w₀), by alternative.
    #[must_use]
    pub fn gains(&self) -> &[f64] {
        &self.sums
    }

    /// ln E of all ticks so far.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        ln_mean_exp(&self.sums)
    }
}

/// How far each alternative stands from the null, evenly spaced in the logarithm.
pub(crate) fn distances() -> impl Iterator<Item = f64> {
    log_spaced(NEAREST, FARTHEST, POINTS)
}

#[cfg(test)]
mod tests;

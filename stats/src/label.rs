//! The label e-process: can the arm of an observation be guessed from its score? If both arms have one
//! distribution, no betting on the label gains.
//!
//! Exact under randomisation of requests and free of any scale: scores are standardised by earlier
//! ticks only. It says nothing about means, since a heavier tail can hide a lighter bulk; so it raises
//! alarms and never proves an improvement.
//!
//! Grünwald, Henzi and Lardy, "Anytime-valid tests of conditional independence under model-X" (JASA
//! 119, 2024); Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests", JSPI
//! 230 (2024), Theorem 1. The bets are logistic in the standardised score, with the intercept that makes
//! a score of nought uninformative to the second order.

use serde::{Deserialize, Serialize};

use crate::{
    design::Tail,
    special::{ln_mean_exp, log_spaced, softplus},
};

/// How many slopes are averaged on each side.
const POINTS: usize = 12;

/// The gentlest and the steepest slope, in log odds of the label per standard deviation of the score.
const GENTLEST: f64 = 0.03;
const STEEPEST: f64 = 0.6;

/// Scores further from the mean than so many standard deviations count as so far.
const Z_MAX: f64 = 6.0;

/// The test that B's scores are stochastically no larger (or no smaller, or the same).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Label {
    tail: Tail,
    /// Σ over ticks of ln E, for each slope.
    sums: Vec<f64>,
    seen: Moments,
}

/// The observations of one score in one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// The score.
    pub u: f64,
    /// How many A has.
    pub a: u64,
    /// How many B has.
    pub b: u64,
}

/// Count, mean and Σ(u − ū)² of all scores of earlier ticks, merged as Chan, Golub and LeVeque do
/// (The American Statistician 37, 1983), so that nothing cancels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    n: f64,
    mean: f64,
    scatter: f64,
}

impl Label {
    /// A test that gains when B's scores are greater, less, or either.
    #[must_use]
    pub fn new(tail: impl Into<Tail>) -> Self {
        let tail = tail.into();
        Self {
            tail,
            sums: vec![0.0; POINTS * tail.signs().len()],
            seen: Moments::default(),
        }
    }

    /// Adds a tick in which each observation was B's with probability `share`. The first tick only
    /// sets the scale, and so does any other while all scores have been equal.
    pub fn add(&mut self, bins: impl Iterator<Item = Bin> + Clone, share: f64) {
        if let Some(scale) = self.seen.scale().filter(|_| 0.0 < share && share < 1.0) {
            for (sum, slope) in self.sums.iter_mut().zip(slopes(self.tail)) {
                *sum += bins
                    .clone()
                    .map(|bin| gain(slope, scale.z(bin.u), share, &bin))
                    .sum::<f64>();
            }
        }
        for bin in bins {
            self.seen.add(bin.u, (bin.a + bin.b) as f64);
        }
    }

    /// Σ over ticks of ln E, by slope.
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

/// The slopes of all bets: evenly spaced in the logarithm, on one side or both.
fn slopes(tail: Tail) -> impl Iterator<Item = f64> {
    let signs = tail.signs().iter();
    signs.flat_map(|sign| log_spaced(GENTLEST, STEEPEST, POINTS).map(move |slope| sign * slope))
}

/// c_b ln(π/p) + c_a ln((1−π)/(1−p)), π = sigmoid(δz + δ²(p − ½) + logit p).
fn gain(slope: f64, z: f64, share: f64, bin: &Bin) -> f64 {
    let bet = slope * z + slope * slope * (share - 0.5) + (share / (1.0 - share)).ln();
    let (b, a) = (bin.b as f64, bin.a as f64);
    b * (-softplus(-bet) - share.ln()) + a * (-softplus(bet) - (-share).ln_1p())
}

/// Mean and standard deviation by which scores are standardised.
struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    fn z(&self, u: f64) -> f64 {
        ((u - self.mean) / self.deviation).clamp(-Z_MAX, Z_MAX)
    }
}

impl Moments {
    fn add(&mut self, u: f64, count: f64) {
        let n = self.n + count;
        if count > 0.0 && u.is_finite() {
            let away = u - self.mean;
            self.mean += away * count / n;
            self.scatter += away * away * self.n * count / n;
            self.n = n;
        }
    }

    fn scale(&self) -> Option<Scale> {
        let deviation = (self.scatter / self.n).sqrt();
        let mean = self.mean;
        (deviation > 0.0).then_some(Scale { mean, deviation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bin(u: f64, a: u64, b: u64) -> Bin {
        Bin { u, a, b }
    }

    fn log_e(ticks: &[Vec<Bin>], share: f64, tail: Tail) -> f64 {
        let mut test = Label::new(tail);
        for tick in ticks {
            test.add(tick.iter().copied(), share);
        }
        test.log_e()
    }

    /// Scores 0 to 9, equally often on A; on B moved up by `shift`.
    fn tick(shift: usize) -> Vec<Bin> {
        let b = |i: usize| if i >= shift { 50 } else { 0 };
        (0..10)
            .map(|i| bin(i as f64, 50, b(i)))
            .chain([bin(9.0, 0, 50 * shift as u64)])
            .collect()
    }

    #[test]
    fn the_first_tick_only_sets_the_scale() {
        assert!(log_e(&[tick(5)], 0.5, Tail::Greater).abs() < 1e-12);
    }

    #[test]
    fn scores_that_are_all_equal_never_say_anything() {
        let equal = vec![bin(3.0, 10, 90)];
        assert!(log_e(&[equal.clone(), equal], 0.5, Tail::Greater).abs() < 1e-12);
    }

    #[test]
    fn larger_scores_on_b_are_found_on_that_side_only() {
        let ticks: Vec<_> = std::iter::once(0).chain([1; 9]).map(tick).collect();
        assert!(log_e(&ticks, 0.5, Tail::Greater) > 20.0_f64.ln());
        assert!(log_e(&ticks, 0.5, Tail::TwoSided) > 20.0_f64.ln());
        assert!(log_e(&ticks, 0.5, Tail::Less) < 0.0);
        let same: Vec<_> = [0; 10].map(tick).into();
        assert!(log_e(&same, 0.5, Tail::TwoSided) < 0.0);
    }

    /// E of the tick's factor over all ways to hand out the labels, exactly: 1, whatever the scores are.
    #[test]
    fn the_average_over_what_chance_may_do_is_one() {
        let scores = [-8.0, -1.0, 0.2, 0.7, 1.5, 12.0];
        let first = vec![bin(-1.0, 5, 5), bin(1.0, 5, 5)];
        for (share, tail) in [
            (0.5_f64, Tail::Greater),
            (0.05, Tail::Less),
            (0.3, Tail::TwoSided),
        ] {
            let mean: f64 = (0..1_u32 << scores.len())
                .map(|labels| {
                    let is_b = |i: usize| labels >> i & 1;
                    let second: Vec<_> = (0..scores.len())
                        .map(|i| bin(scores[i], u64::from(1 - is_b(i)), u64::from(is_b(i))))
                        .collect();
                    let b = f64::from(labels.count_ones());
                    let a = scores.len() as f64 - b;
                    let chance = share.powf(b) * (1.0 - share).powf(a);
                    chance * log_e(&[first.clone(), second], share, tail).exp()
                })
                .sum();
            assert!((mean - 1.0).abs() < 1e-12, "{share} {tail:?} {mean}");
        }
    }

    proptest! {
        #[test]
        fn evidence_is_that_of_the_definition(
            ticks in prop::collection::vec(prop::collection::vec((-5.0..5.0_f64, 0..20_u64, 0..20_u64), 1..8), 1..5),
            share in 0.05..0.95_f64,
        ) {
            let ticks: Vec<Vec<Bin>> = ticks
                .into_iter()
                .map(|tick| tick.into_iter().map(|(u, a, b)| bin(u, a, b)).collect())
                .collect();
            let (slow, fast) = (slow_log_e(&ticks, share), log_e(&ticks, share, Tail::TwoSided));
            prop_assert!((slow - fast).abs() < 1e-8 * slow.abs().max(1.0), "{} is not {}", fast, slow);
        }

        #[test]
        fn evidence_stays_a_number_at_any_size(u in -1e6..1e6_f64, a in 0..=1_000_000_000_u64, b in 0..=1_000_000_000_u64) {
            let ticks = [vec![bin(-u, 1, 1), bin(u, 1, 1)], vec![bin(1e9, a, b)], vec![bin(u, a, b)]];
            for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
                prop_assert!(log_e(&ticks, 0.5, tail).is_finite());
            }
        }
    }

    /// Two-sided, literally as STATISTICS writes it: every observation one by one.
    fn slow_log_e(ticks: &[Vec<Bin>], p: f64) -> f64 {
        let deltas = (0..12).map(|g| (0.03_f64.ln() + f64::from(g) * 20.0_f64.ln() / 11.0).exp());
        let deltas: Vec<f64> = deltas.flat_map(|delta| [delta, -delta]).collect();
        let mut earlier: Vec<f64> = vec![];
        let mut sums = vec![0.0; deltas.len()];
        for tick in ticks {
            let n = earlier.len() as f64;
            let mean = earlier.iter().sum::<f64>() / n;
            let sigma = (earlier.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n).sqrt();
            for bin in tick.iter().filter(|_| sigma > 1e-9) {
                let z = ((bin.u - mean) / sigma).clamp(-6.0, 6.0);
                for (sum, delta) in sums.iter_mut().zip(&deltas) {
                    let odds = (delta * z + delta * delta * (p - 0.5)).exp() * p / (1.0 - p);
                    let pi = odds / (1.0 + odds);
                    *sum +=
                        bin.b as f64 * (pi / p).ln() + bin.a as f64 * ((1.0 - pi) / (1.0 - p)).ln();
                }
            }
            for bin in tick {
                earlier.extend((0..bin.a + bin.b).map(|_| bin.u));
            }
        }
        (sums.iter().map(|sum: &f64| sum.exp()).sum::<f64>() / sums.len() as f64).ln()
    }
}

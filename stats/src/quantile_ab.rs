//! The exact A/B test of a quantile, two-sided, and the interval of the ratio of both arms' quantiles.
//!
//! If both arms have the same p-quantile, then at that place the number of observations below is a sum
//! of coin tosses with chance p on both arms, so the product of both arms' martingales stays small
//! there. E is the smallest product over all places. Howard and Ramdas, "Sequential estimation of
//! quantiles with applications to A/B testing and best-arm identification" (Bernoulli 28, 2022), §5 with
//! the beta-binomial mixture of §3.
//!
//! Where observations tie, or fall in one bin of a histogram, the count below the place lies between
//! those before and after them; the smallest product over that range is taken, so no sketch error enters.

use crate::{interval::Interval, special::ln_beta};

/// At how many observations the mixture is sharpest, unless something else is asked for.
pub const OPTIMUM: f64 = 2000.0;

/// The test of one quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileAb {
    p: f64,
    /// The parameters of the beta mixture.
    a: f64,
    b: f64,
}

/// Both arms' observations at one place, or in one bin; places are handed over in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is: the number of a bin, or any rank.
    pub at: i32,
    /// How many A has there.
    pub a: u64,
    /// How many B has there.
    pub b: u64,
}

impl QuantileAb {
    /// A test of the `p`-quantile that is sharpest at error rate `alpha` after `optimum` observations an
    /// arm.
    #[must_use]
    pub fn new(p: f64, alpha: f64, optimum: f64) -> Self {
        let (spread, evidence) = (p * (1.0 - p), -2.0 * alpha.ln());
        let rho = optimum * spread / (evidence + evidence.ln_1p());
        let r = (rho - spread).max(1e-3 * spread);
        Self {
            p,
            a: r / (1.0 - p),
            b: r / p,
        }
    }

    /// ln E that the arms' quantiles differ.
    #[must_use]
    pub fn log_e(&self, places: &[Place]) -> f64 {
        let [a, b] = self.arms(places);
        smallest_product(&a, &b, 0)
    }

    /// The ratios of B's quantile to A's that are not rejected at `alpha`, where bin i holds the numbers
    /// from γⁱ to γⁱ⁺¹ and `ln_gamma` is ln γ. None while any ratio at all would do.
    #[must_use]
    pub fn interval(&self, places: &[Place], alpha: f64, ln_gamma: f64) -> Option<Interval> {
        let [a, b] = self.arms(places);
        let threshold = -alpha.ln();
        let held = |shift: i32| smallest_product(&a, &b, shift) < threshold;
        let reach = i32::try_from(a.places.len() + b.places.len()).ok()?;
        let nearest = b.nearest()? - a.nearest()?;
        // M falls towards its nearest place and rises beyond it on both arms, so from any pair of places
        // that is not rejected there is a way to the nearest pair, place by place, of which none is: the
        // shifts that are not rejected leave no gap, and each end is found by halving.
        let end = |edge: i32| {
            let (mut inside, mut outside) = (nearest, edge);
            while (outside - inside).abs() > 1 {
                let middle = i32::midpoint(inside, outside);
                *(if held(middle) {
                    &mut inside
                } else {
                    &mut outside
                }) = middle;
            }
            inside
        };
        let bounded = held(nearest) && !held(-reach) && !held(reach);
        // Quantiles in bins i and j differ by j − i bins give or take one.
        let ratio = |bins: i32| (f64::from(bins) * ln_gamma).exp();
        bounded.then(|| Interval {
            low: ratio(end(-reach) - 1),
            high: ratio(end(reach) + 1),
        })
    }

    fn arms(&self, places: &[Place]) -> [Arm; 2] {
        let first = places.first().map_or(0, |place| place.at);
        [0, 1].map(|arm| {
            let count = |place: &Place| if arm == 0 { place.a } else { place.b };
            let n = places.iter().map(count).sum();
            let mut values = Vec::new();
            let mut below = 0;
            let mut next = first;
            for place in places {
                let empty = usize::try_from(place.at - next).unwrap_or(0);
                values.extend(std::iter::repeat_n(self.log_m(below, n), empty));
                let up_to = below + count(place);
                values.push(self.smallest(below, up_to, n));
                (below, next) = (up_to, place.at.saturating_add(1));
            }
            Arm {
                before: self.log_m(0, n),
                places: values,
                after: self.log_m(n, n),
            }
        })
    }

    /// ln M(k) = ln B(a + k, b + n − k) − ln B(a, b) − k ln p − (n − k) ln(1 − p).
    fn log_m(&self, k: u64, n: u64) -> f64 {
        let (k, rest) = (k as f64, n.saturating_sub(k) as f64);
        ln_beta(self.a + k, self.b + rest)
            - ln_beta(self.a, self.b)
            - k * self.p.ln()
            - rest * (-self.p).ln_1p()
    }

    /// The least ln M(k) from `low` to `high`. M is convex in k, and since b p = a (1 − p) = r its
    /// neighbours are equal at k = p(n − 1).
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of a count, clamped to counts"
    )]
    fn smallest(&self, low: u64, high: u64, n: u64) -> f64 {
        let turn = (self.p * (n as f64 - 1.0)).max(0.0).round() as u64;
        let near = [turn.saturating_sub(1), turn + 1].map(|k| k.clamp(low, high));
        let [from, to] = near;
        (from..=to)
            .map(|k| self.log_m(k, n))
            .fold(f64::INFINITY, f64::min)
    }
}

/// ln M of one arm, place by place, and before and after all of them.
struct Arm {
    before: f64,
    places: Vec<f64>,
    after: f64,
}

impl Arm {
    /// The place where the quantile fits best.
    fn nearest(&self) -> Option<i32> {
        let places = self.places.iter().zip(0..);
        let best = places.min_by(|(one, _), (two, _)| one.total_cmp(two));
        best.map(|(_, place)| place)
    }

    fn at(&self, place: i64) -> f64 {
        match usize::try_from(place) {
            Err(_) => self.before,
            Ok(place) => self.places.get(place).copied().unwrap_or(self.after),
        }
    }
}

/// The least ln M_a(x) M_b(x + shift) over all places x, those before and after all observations too.
fn smallest_product(a: &Arm, b: &Arm, shift: i32) -> f64 {
    let reach = i64::try_from(a.places.len().max(b.places.len())).unwrap_or(i64::MAX);
    let shift = i64::from(shift);
    let from = (-1).min(-1 - shift);
    let to = reach.max(reach - shift);
    (from..=to)
        .map(|x| a.at(x) + b.at(x + shift))
        .fold(f64::INFINITY, f64::min)
}

/// The places of two sorted samples: one for each different number.
#[must_use]
pub fn places(a: &[f64], b: &[f64]) -> Vec<Place> {
    let (mut a, mut b, mut places) = (a, b, Vec::new());
    while let Some(x) = [a.first(), b.first()]
        .into_iter()
        .flatten()
        .copied()
        .reduce(f64::min)
    {
        let take = |rest: &mut &[f64]| {
            let equal = rest.partition_point(|&y| y <= x);
            *rest = rest.get(equal..).unwrap_or_default();
            equal as u64
        };
        let (of_a, of_b) = (take(&mut a), take(&mut b));
        let at = i32::try_from(places.len()).unwrap_or(i32::MAX);
        places.push(Place {
            at,
            a: of_a,
            b: of_b,
        });
    }
    places
}

#[cfg(test)]
mod tests;

//! The likelihood of all ticks as a function of the odds, kept so that intervals cost no walk over
//! the past.
//!
//! An interval holds every null that is not rejected. Since all nulls share one function
//! L(w) = Σ_ticks ℓ(w), that function is kept, as its value and slope at 97 fixed nodes (1.6 KB), and
//! read in between by cubic Hermite interpolation: at 10⁶ events ln E is off by less than 0.01. The
//! tests that decide do not use it.

use serde::{Deserialize, Serialize};

use super::{FARTHEST, Table, distances, table::At};
use crate::{design::Side, interval::Interval, special::ln_mean_exp};

const NODES: u32 = 97;
const HALF: f64 = (NODES - 1) as f64 / 2.0;

/// Odds ratios from e⁻⁶ to e⁶ are told apart; nodes stand denser towards 1.
const EDGE: f64 = 6.0;
const DENSITY: f64 = 2.5;

/// ℓ summed over ticks, at fixed nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curve {
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Curve {
    pub(crate) fn new() -> Self {
        let zeros = || (0..NODES).map(|_| 0.0).collect();
        Self {
            values: zeros(),
            slopes: zeros(),
        }
    }

    pub(crate) fn add(&mut self, table: &Table) {
        if !table.informs() {
            return;
        }
        for ((value, slope), w) in self.values.iter_mut().zip(&mut self.slopes).zip(nodes()) {
            let at = table.log_likelihood(w);
            *value += at.value;
            *slope += at.slope;
        }
    }

    /// The odds ratios that neither one-sided test rejects at α/2. None while it has no upper end; a
    /// lower end that cannot be told from 0 is 0.
    pub(crate) fn interval(&self, alpha: f64) -> Option<Interval> {
        let threshold = (2.0 / alpha).ln();
        let reach = EDGE - FARTHEST;
        let rejects = |null: f64, side| self.log_e(null, side) >= threshold;
        if rejects(reach, Side::Greater) || !rejects(reach, Side::Less) {
            return None;
        }
        let low = if rejects(-reach, Side::Greater) {
            boundary(-reach, reach, |null| rejects(null, Side::Greater)).exp()
        } else {
            0.0
        };
        let high = boundary(reach, -reach, |null| rejects(null, Side::Less)).exp();
        Some(Interval { low, high })
    }

    fn log_e(&self, null: f64, side: Side) -> f64 {
        let at_null = self.value(null);
        let ratios: Vec<f64> = distances()
            .map(|distance| self.value(null + side.sign() * distance) - at_null)
            .collect();
        ln_mean_exp(&ratios)
    }

    /// L(w) between two nodes, from the values and slopes of both.
    fn value(&self, w: f64) -> f64 {
        let left = node_before(w);
        let (from, to) = (node(left), node(left + 1));
        hermite(
            (w - from) / (to - from),
            to - from,
            self.at(left),
            self.at(left + 1),
        )
    }

    fn at(&self, place: u32) -> At {
        let place = place as usize;
        At {
            value: self.values[place],
            slope: self.slopes[place],
        }
    }
}

fn nodes() -> impl Iterator<Item = f64> {
    (0..NODES).map(node)
}

/// The place of a node on the axis, and from a place on the axis the last node before it.
fn node(place: u32) -> f64 {
    EDGE * (DENSITY * (f64::from(place) / HALF - 1.0)).sinh() / DENSITY.sinh()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the places of nodes that have a neighbour"
)]
fn node_before(w: f64) -> u32 {
    let place = HALF * (1.0 + (w * DENSITY.sinh() / EDGE).asinh() / DENSITY);
    place.clamp(0.0, f64::from(NODES - 2)) as u32
}

fn hermite(t: f64, width: f64, from: At, to: At) -> f64 {
    let (square, cube) = (t * t, t * t * t);
    from.value * (2.0 * cube - 3.0 * square + 1.0)
        + to.value * (3.0 * square - 2.0 * cube)
        + width * (from.slope * (cube - 2.0 * square + t) + to.slope * (cube - square))
}

/// Where a test turns from rejecting, as at `from`, to not rejecting, as at `to`. ln E is monotone in
/// the null because L is concave, so halving finds it.
fn boundary(from: f64, to: f64, rejects: impl Fn(f64) -> bool) -> f64 {
    let (mut rejected, mut held) = (from, to);
    for _ in 0..40 {
        let middle = f64::midpoint(rejected, held);
        if rejects(middle) {
            rejected = middle
        } else {
            held = middle
        }
    }
    rejected
}

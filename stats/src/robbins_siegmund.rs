//! The Robbins–Siegmund boundary with delayed start, for differences of means.
//!
//! T sums the difference of the arms over epochs, V its variance. From the moment the gate holds,
//! where V is V₀, reject when T²/V ≥ a² + ln(V/V₀). The start is late enough for T to be close to
//! normal; the variance is pooled over arms, because a small arm misjudges its own. Asymptotic, so it
//! gives no e-value and is never averaged with any.
//!
//! Robbins and Siegmund, "Boundary crossing probabilities for the Wiener process and sample sums"
//! (1970); Bibaut, Kallus and Lindon, "Near-optimal non-parametric sequential tests and confidence
//! sequences with possibly dependent observations" (arXiv 2212.14411); Waudby-Smith, Arbour, Sinha,
//! Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", AoS
//! 2024.

mod gate;
mod walk;

use serde::{Deserialize, Serialize};

pub(crate) use gate::holds as gate_holds;
pub(crate) use walk::explained;
pub use walk::{Null, Second, Walk};

use crate::{
    design::Side,
    interval::Interval,
    special::{normal_density, normal_tail},
};

/// The test of one null on one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobbinsSiegmund {
    null: Null,
    side: Side,
    /// Solved once for the level of the test.
    a: f64,
    /// V when the gate first held.
    start: Option<f64>,
    walk: Walk,
}

/// How far a walk has come, and how far it must.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// T/√V, positive towards the side of the test.
    pub z: f64,
    /// √(a² + ln(V/V₀)).
    pub bound: f64,
}

impl RobbinsSiegmund {
    /// A one-sided test at this level.
    #[must_use]
    pub fn new(null: Null, side: Side, level: f64) -> Self {
        Self {
            null,
            side,
            a: boundary(2.0 * level),
            start: None,
            walk: Walk::default(),
        }
    }

    /// The null that it tests.
    #[must_use]
    pub fn null(&self) -> Null {
        self.null
    }

    /// Which direction it proves.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// The a of its boundary, solved for its level.
    #[must_use]
    pub fn a(&self) -> f64 {
        self.a
    }

    /// V when the gate first held.
    #[must_use]
    pub fn start(&self) -> Option<f64> {
        self.start
    }

    /// The walk as it stands.
    #[must_use]
    pub fn walk(&self) -> Walk {
        self.walk
    }

    /// Takes the walk as it stands after a tick, and whether the gate holds by now.
    pub fn move_to(&mut self, walk: Walk, gate: bool) {
        self.walk = walk;
        if self.start.is_none() && gate && walk.variance > 0.0 {
            self.start = Some(walk.variance);
        }
    }

    /// Lets the gate hold from this variance on, unless it holds already: for a recomputation that was
    /// told V₀.
    pub fn start_at(&mut self, variance: f64) {
        self.start.get_or_insert(variance);
    }

    /// Where it stands; none before the gate.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        let z = self.side.sign() * self.walk.sum / self.spread()?;
        Some(Position {
            z,
            bound: self.bound(self.a)?,
        })
    }

    /// The two-sided interval of the effect, (T ± √(V(a² + ln(V/V₀))))/Σh; none before the gate.
    /// `a` is [`boundary`] of its error rate.
    #[must_use]
    pub fn interval(&self, a: f64) -> Option<Interval> {
        let reach = self.spread()? * self.bound(a)?;
        let interval = Interval {
            low: self.walk.sum - reach,
            high: self.walk.sum + reach,
        };
        interval.map(|end| end / self.walk.weight)
    }

    fn spread(&self) -> Option<f64> {
        (self.start.is_some() && self.walk.variance > 0.0).then(|| self.walk.variance.sqrt())
    }

    /// A bucketed V may shrink below V₀ for a while; the boundary then stays where it began.
    fn bound(&self, a: f64) -> Option<f64> {
        let growth = (self.walk.variance / self.start?).ln().max(0.0);
        Some((a * a + growth).sqrt())
    }
}

/// The a that solves 2(1 − Φ(a) + aφ(a)) = α: two-sided at α, one-sided at α/2. The left side falls
/// from 1 at a = 0.
#[must_use]
pub fn boundary(alpha: f64) -> f64 {
    let (mut low, mut high) = (0.0, 40.0);
    // Halved until neighbouring doubles: 40 / 2⁶⁰ is below their spacing.
    for _ in 0..60 {
        let a = f64::midpoint(low, high);
        let level = 2.0 * (normal_tail(a) + a * normal_density(a));
        if level > alpha { low = a } else { high = a }
    }
    high
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod second;

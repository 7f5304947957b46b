//! One tick as a 2×2 table, and the likelihood of its split.

use statrs::function::factorial::ln_factorial;

/// The requests and events of both arms in one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Requests of the control.
    pub n_a: u64,
    /// Requests of the candidate.
    pub n_b: u64,
    /// Events of the control.
    pub s_a: u64,
    /// Events of the candidate.
    pub s_b: u64,
}

/// A function of the log odds ratio at one point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct At {
    pub(crate) value: f64,
    pub(crate) slope: f64,
}

/// Terms below this part of the largest are left out: e⁻⁴⁰ lies below what a sum in double precision
/// can hold of them.
const NEGLIGIBLE: f64 = 4.248_354_255_291_589e-18;

impl Table {
    /// Whether the split could have been another: else the likelihood does not depend on the odds.
    #[must_use]
    pub fn informs(&self) -> bool {
        let events = self.s_a + self.s_b;
        self.n_a > 0 && self.n_b > 0 && events > 0 && events < self.n_a + self.n_b
    }

    /// ln P(B has s_b of all events | log odds ratio w), and its derivative s_b − E_w[J].
    ///
    /// This is ℓ(w) of STATISTICS plus a constant that no difference of two ℓ sees, and it is small
    /// where ℓ is huge. The sum over j starts at its largest term and follows the ratios of
    /// neighbours both ways until they are negligible: O(√s) terms, one division each.
    pub(crate) fn log_likelihood(&self, w: f64) -> At {
        let support = Support::of(self);
        let mode = support.mode(w);
        let (up, lift) = support.sum_from(mode, w, 1.0);
        let (down, drop) = support.sum_from(mode, w, -1.0);
        let mass = 1.0 + up + down;
        let observed = self.s_b as f64;
        let value =
            support.log_term(observed) - support.log_term(mode) + (observed - mode) * w - mass.ln();
        At {
            value,
            slope: observed - mode - (lift - drop) / mass,
        }
    }
}

/// The possible splits, j events of B, in floating point: exact to 2⁵³.
struct Support {
    n_a: f64,
    n_b: f64,
    events: f64,
    low: f64,
    high: f64,
}

impl Support {
    fn of(table: &Table) -> Self {
        let events = table.s_a + table.s_b;
        Self {
            n_a: table.n_a as f64,
            n_b: table.n_b as f64,
            events: events as f64,
            low: events.saturating_sub(table.n_a) as f64,
            high: table.n_b.min(events) as f64,
        }
    }

    /// The largest term: the root of a quadratic in j (Liao and Rosen, The American Statistician 55,
    /// 2001), solved by whichever formula does not cancel. One off does no harm.
    fn mode(&self, w: f64) -> f64 {
        let odds = w.exp();
        let a = odds - 1.0;
        let b = (self.n_b + self.events + 2.0) * odds + self.n_a - self.events;
        let c = (self.n_b + 1.0) * (self.events + 1.0) * odds;
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let mode = if b >= 0.0 {
            2.0 * c / (b + root)
        } else {
            (b - root) / (2.0 * a)
        };
        mode.floor().clamp(self.low, self.high)
    }

    /// ln C(n_b, j) C(n_a, s − j), less what does not depend on j.
    fn log_term(&self, j: f64) -> f64 {
        let parts = [j, self.n_b - j, self.events - j, self.n_a - self.events + j];
        -parts.into_iter().map(ln_factorial_of).sum::<f64>()
    }

    /// Σ t and Σ |j − mode| t over the terms on one side of the mode, where t is 1 at the mode.
    fn sum_from(&self, mode: f64, w: f64, direction: f64) -> (f64, f64) {
        let odds = (direction * w).exp();
        let (mut term, mut distance, mut mass, mut moment) = (1.0, 0.0, 0.0, 0.0);
        loop {
            let j = mode + direction * distance;
            let ratio = if direction > 0.0 {
                (self.n_b - j) * (self.events - j)
                    / ((j + 1.0) * (self.n_a - self.events + j + 1.0))
            } else {
                j * (self.n_a - self.events + j) / ((self.n_b - j + 1.0) * (self.events - j + 1.0))
            };
            term *= ratio * odds;
            // The ratio is 0 past the last possible split.
            if term < NEGLIGIBLE {
                return (mass, moment);
            }
            distance += 1.0;
            mass += term;
            moment += distance * term;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "every part of a possible split is a whole number and not negative"
)]
fn ln_factorial_of(whole: f64) -> f64 {
    ln_factorial(whole as u64)
}

//! The sum that walks, and its variance.

use serde::{Deserialize, Serialize};

use crate::evidence::{Bucket, Cell};

/// What B's mean is compared with, as a function of A's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Null {
    /// The same.
    Equal,
    /// A's and this much more.
    Shift(f64),
    /// This many times A's.
    Scale(f64),
    /// The rate whose odds are this many times those of A's rate.
    Odds(f64),
}

/// T = Σ_k h_k(ȳ_b − g(ȳ_a)) over epochs k, h = n_a n_b / n, and its variance V. Lifetime means are
/// never differenced, or a ramp under a drifting base rate would look like an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// T.
    pub sum: f64,
    /// V.
    pub variance: f64,
    /// Σh.
    pub weight: f64,
}

/// One epoch of a walk.
struct Stretch {
    /// h.
    weight: f64,
    /// h(ȳ_b − g(ȳ_a)).
    sum: f64,
    /// g′(ȳ_a): what a change of A's mean does to the sum (delta method; exact but for odds).
    slope: f64,
}

impl Null {
    fn of(self, mean: f64) -> f64 {
        match self {
            Self::Equal => mean,
            Self::Shift(difference) => mean + difference,
            Self::Scale(ratio) => ratio * mean,
            Self::Odds(ratio) => ratio * mean / (1.0 + (ratio - 1.0) * mean),
        }
    }

    fn slope(self, mean: f64) -> f64 {
        match self {
            Self::Equal | Self::Shift(_) => 1.0,
            Self::Scale(ratio) => ratio,
            Self::Odds(ratio) => ratio / (1.0 + (ratio - 1.0) * mean).powi(2),
        }
    }
}

impl Walk {
    /// Over epochs, each a cell of the control and one of the candidate. By buckets where there are
    /// any: units that return are no independent observations.
    pub fn of<'a>(null: Null, epochs: impl Iterator<Item = (&'a Cell, &'a Cell)>) -> Self {
        let (mut walk, mut influence) = (Self::default(), Influence::default());
        for (control, candidate) in epochs {
            let Some(stretch) = Stretch::of(null, control, candidate) else {
                continue;
            };
            walk.sum += stretch.sum;
            walk.weight += stretch.weight;
            if control.buckets.is_some() || candidate.buckets.is_some() {
                influence.add(&stretch, control, candidate);
            } else {
                walk.variance += stretch.pooled_variance(control, candidate);
            }
        }
        walk.variance += influence.square();
        walk
    }
}

impl Stretch {
    fn of(null: Null, control: &Cell, candidate: &Cell) -> Option<Self> {
        let (mean_a, mean_b) = (control.tally.mean()?, candidate.tally.mean()?);
        let (n_a, n_b) = (control.tally.count(), candidate.tally.count());
        let weight = n_a * n_b / (n_a + n_b);
        Some(Self {
            weight,
            sum: weight * (mean_b - null.of(mean_a)),
            slope: null.slope(mean_a),
        })
    }

    /// h² s² (1/n_a + 1/n_b), s² pooled over both arms with A's deviations scaled by the slope; since
    /// h = n_a n_b / n that is h s².
    fn pooled_variance(&self, control: &Cell, candidate: &Cell) -> f64 {
        let freedom = control.tally.count() + candidate.tally.count() - 2.0;
        if freedom <= 0.0 {
            return 0.0;
        }
        let scatter = self.slope.powi(2) * control.tally.scatter() + candidate.tally.scatter();
        self.weight * scatter / freedom
    }
}

/// What each bucket of units adds to T: summed over arms and epochs before it is squared, because the
/// same units come back in later epochs, perhaps on the other arm.
#[derive(Default)]
struct Influence(Vec<f64>);

impl Influence {
    fn add(&mut self, stretch: &Stretch, control: &Cell, candidate: &Cell) {
        self.0.resize(usize::from(crate::evidence::BUCKETS), 0.0);
        for (cell, factor) in [
            (candidate, stretch.weight),
            (control, -stretch.weight * stretch.slope),
        ] {
            let (Some(mean), Some(buckets)) = (cell.tally.mean(), &cell.buckets) else {
                continue;
            };
            let per_observation = factor / cell.tally.count();
            for (influence, &Bucket { n, sum }) in self.0.iter_mut().zip(buckets.iter()) {
                *influence += per_observation * (sum - mean * n as f64);
            }
        }
    }

    fn square(&self) -> f64 {
        self.0.iter().map(|influence| influence * influence).sum()
    }
}

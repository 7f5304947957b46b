//! The sum that walks, and its variance.

use serde::{Deserialize, Serialize};

use crate::evidence::{Bucket, Buckets, Cell};

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

/// What a second number beside each observation is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Second {
    /// There is none.
    #[default]
    Nothing,
    /// A covariate, known before the arm was: θ times the difference of its means is chance, and is taken
    /// out (CUPED: Deng, Xu, Kohavi and Walker, WSDM 2013). θ comes from earlier ticks; whatever it is,
    /// T keeps its mean, because assignment does not depend on the covariate.
    Covariate(f64),
    /// What the observation is divided by, as sums: U = N − R·D.
    ///
    /// R is the control's own ratio Σy/Σx in the same epoch, mapped by the null, because the ratio drifts
    /// with the traffic. Being estimated, it adds to the variance: the control counts with
    /// x̄_b/x̄_a · g′(R) · (y − R·x), the delta method's first-order term, so that a candidate that changes
    /// the denominator too is judged by its ratio alone.
    Denominator,
}

/// T = Σ_k h_k(ȳ_b − g(ȳ_a)) over epochs k, h = n_a n_b / n, and its variance V. Lifetime means are
/// never differenced, or a ramp under a drifting base rate would look like an effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    /// T.
    pub sum: f64,
    /// V.
    pub variance: f64,
    /// Σh; of ratios Σh·x̄_b, so that T by it is a difference of ratios.
    pub weight: f64,
}

/// One epoch of a walk.
struct Stretch {
    /// h.
    h: f64,
    /// h(ȳ_b − g(ȳ_a)), or what a second number makes of it.
    sum: f64,
    /// What the sum is divided by to be an effect.
    weight: f64,
    /// What A's observations, and B's, do to the sum (delta method; exact but for odds and ratios).
    a: Share,
    b: Share,
}

/// How an observation and the number beside it enter: y·v + x·w.
struct Share {
    y: f64,
    x: f64,
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
        Self::with(Second::Nothing, null, epochs)
    }

    /// The same with a second number beside each observation.
    pub fn with<'a>(
        second: Second,
        null: Null,
        epochs: impl Iterator<Item = (&'a Cell, &'a Cell)>,
    ) -> Self {
        let (mut walk, mut influence) = (Self::default(), Influence::default());
        for (control, candidate) in epochs {
            let Some(stretch) = Stretch::of(second, null, control, candidate) else {
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
    fn of(second: Second, null: Null, control: &Cell, candidate: &Cell) -> Option<Self> {
        let (mean_a, mean_b) = (control.tally.mean()?, candidate.tally.mean()?);
        let (n_a, n_b) = (control.tally.count(), candidate.tally.count());
        let h = n_a * n_b / (n_a + n_b);
        let stretch = |difference: f64, weight: f64, a: Share, b: Share| Self {
            h,
            sum: h * difference,
            weight,
            a,
            b,
        };
        let second_means = || Some((second_mean(control)?, second_mean(candidate)?));
        Some(match second {
            Second::Nothing => stretch(
                mean_b - null.of(mean_a),
                h,
                Share::of(null.slope(mean_a), 0.0),
                Share::of(1.0, 0.0),
            ),
            Second::Covariate(theta) => {
                let (x_a, x_b) = second_means()?;
                stretch(
                    mean_b - null.of(mean_a) - theta * (x_b - x_a),
                    h,
                    Share::of(null.slope(mean_a), -theta),
                    Share::of(1.0, -theta),
                )
            }
            Second::Denominator => {
                let (x_a, x_b) = second_means().filter(|(a, b)| *a > 0.0 && *b > 0.0)?;
                let ratio = mean_a / x_a;
                let (worst, slope) = (null.of(ratio), null.slope(ratio) * x_b / x_a);
                stretch(
                    mean_b - worst * x_b,
                    h * x_b,
                    Share::of(slope, -slope * ratio),
                    Share::of(1.0, -worst),
                )
            }
        })
    }

    /// h² s² (1/n_a + 1/n_b), s² pooled over both arms with A's deviations scaled by the slope; since
    /// h = n_a n_b / n that is h s².
    fn pooled_variance(&self, control: &Cell, candidate: &Cell) -> f64 {
        let freedom = control.tally.count() + candidate.tally.count() - 2.0;
        if freedom <= 0.0 {
            return 0.0;
        }
        let scatter = self.a.scatter(control) + self.b.scatter(candidate);
        self.h * scatter / freedom
    }
}

fn second_mean(cell: &Cell) -> Option<f64> {
    cell.pair.as_ref()?.x.mean()
}

/// θ = ΣS_xy/ΣS_xx over arms and epochs, each within itself: what the covariate explains, and nothing of
/// what the arms or the traffic do. None where it explains nothing.
pub(crate) fn explained<'a>(cells: impl Iterator<Item = &'a Cell>) -> f64 {
    let (xy, xx) = cells.fold((0.0, 0.0), |(xy, xx), cell| {
        let second = cell.pair.as_ref();
        let scatter = second.map_or(0.0, |second| second.x.scatter());
        (xy + joint_scatter(cell), xx + scatter)
    });
    if xx > 0.0 { xy / xx } else { 0.0 }
}

/// S_xy = Σ(x − x̄)(y − ȳ).
fn joint_scatter(cell: &Cell) -> f64 {
    let mean = cell.tally.mean();
    mean.zip(cell.pair.as_ref())
        .map_or(0.0, |(mean, second)| second.xy - mean * second.x.sum)
}

impl Share {
    fn of(y: f64, x: f64) -> Self {
        Self { y, x }
    }

    /// The scatter of y·v + x·w.
    fn scatter(&self, cell: &Cell) -> f64 {
        let own = self.y * self.y * cell.tally.scatter();
        let Some(second) = &cell.pair else { return own };
        let joint = 2.0 * self.y * self.x * joint_scatter(cell);
        (own + joint + self.x * self.x * second.x.scatter()).max(0.0)
    }
}

/// What each bucket of units adds to T: summed over arms and epochs before it is squared, because the
/// same units come back in later epochs, perhaps on the other arm.
#[derive(Default)]
struct Influence(Vec<f64>);

impl Influence {
    fn add(&mut self, stretch: &Stretch, control: &Cell, candidate: &Cell) {
        self.0.resize(usize::from(crate::evidence::BUCKETS), 0.0);
        self.add_arm(stretch.h, &stretch.b, candidate);
        self.add_arm(-stretch.h, &stretch.a, control);
    }

    fn add_arm(&mut self, factor: f64, share: &Share, cell: &Cell) {
        let per_observation = factor / cell.tally.count();
        self.add_buckets(
            per_observation * share.y,
            cell.tally.mean(),
            cell.buckets.as_ref(),
        );
        if let Some(second) = &cell.pair {
            self.add_buckets(
                per_observation * share.x,
                second.x.mean(),
                second.buckets.as_ref(),
            );
        }
    }

    fn add_buckets(&mut self, factor: f64, mean: Option<f64>, buckets: Option<&Buckets>) {
        let Some((mean, buckets)) = mean.zip(buckets) else {
            return;
        };
        for (influence, &Bucket { n, sum }) in self.0.iter_mut().zip(buckets.iter()) {
            *influence += factor * (sum - mean * n as f64);
        }
    }

    fn square(&self) -> f64 {
        self.0.iter().map(|influence| influence * influence).sum()
    }
}

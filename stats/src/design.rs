//! What is to be decided: arms, metrics, error rate and end. Fixed before the first observation.

mod method;
mod problem;
mod provable;

use serde::{Deserialize, Serialize};

pub use method::Method;
pub use problem::Problem;
pub use provable::Typical;

/// How the evidence of one run is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// How many arms there are; the first is the control.
    pub arms: usize,
    /// Whether a user may be seen more than once.
    pub unit: Unit,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// The chance of a false promotion, and of a false roll-back, over the whole run.
    pub alpha: f64,
    /// After so many observations of all arms an undecided run ends and the control stays.
    pub end: Option<u64>,
    /// How many of the goals a promotion needs.
    pub goals: Goals,
}

/// How many of the goals a promotion needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goals {
    /// Each of them, at α.
    #[default]
    All,
    /// One of them; each is tested at its part of α.
    Any,
}

/// What is assigned to an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Each request on its own.
    Request,
    /// Someone who stays on one arm over many requests, which are then no independent observations.
    Sticky,
}

/// One thing that is measured on every arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What people call it.
    pub name: String,
    /// What kind of number an observation is.
    pub kind: Kind,
    /// Which direction is good.
    pub better: Better,
    /// What it has to show.
    pub role: Role,
    /// How much worse the candidate may be; what a guardrail proves it is not.
    pub margin: Option<Margin>,
    /// Whether any harm rolls back, not only harm beyond the margin.
    pub critical: bool,
    /// The smallest improvement worth having: a ratio less one for means on the log scale, quantiles
    /// and counts of requests, a difference for all others.
    pub worth: Option<f64>,
}

/// What kind of number an observation is, and what of it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 0 or 1.
    Proportion,
    /// Any number, compared by how often it lies above a limit that was fixed before the start.
    Exceedance {
        /// What is exceeded or not, in the unit of the observations.
        limit: f64,
    },
    /// Any number, compared by its mean.
    Mean {
        /// Arithmetic or geometric.
        scale: Scale,
    },
    /// A mean from which a covariate has taken what it explains.
    Adjusted {
        /// Arithmetic or geometric; of the observations and of the covariate alike.
        scale: Scale,
    },
    /// A positive number of which a quantile is compared.
    Quantile {
        /// Which, between 0 and 1.
        at: f64,
    },
    /// A positive number of which the whole distribution is compared.
    Distribution,
    /// The sum of one number by the sum of another.
    Ratio,
    /// How many events a request brought, compared by their rate.
    Count,
}

impl Kind {
    /// Whether an observation may have this value.
    #[must_use]
    pub fn fits(self, value: f64) -> bool {
        match self {
            Self::Proportion => value.total_cmp(&0.0).is_eq() || value.total_cmp(&1.0).is_eq(),
            Self::Mean { scale: Scale::Log } => value.is_finite() && value > 0.0,
            Self::Count => value >= 0.0 && value.fract().total_cmp(&0.0).is_eq(),
            Self::Mean { .. }
            | Self::Adjusted { .. }
            | Self::Exceedance { .. }
            | Self::Quantile { .. }
            | Self::Distribution
            | Self::Ratio => value.is_finite(),
        }
    }
}

/// On which scale a mean is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Of the logarithms: the geometric mean, for durations and other positive, skewed numbers.
    Log,
    /// Of the numbers themselves.
    Linear,
}

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better; of a proportion, 1 is a success and 0 a failure.
    Higher,
    /// Less is better; of a proportion, 1 is a failure.
    Lower,
}

/// What a metric has to show before a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// That the candidate is better.
    Goal,
    /// That the candidate is not worse by its margin.
    Guardrail,
}

/// How much worse than the control the candidate may be. Numbers are positive whichever direction is
/// good.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Margin {
    /// Its odds of failure stay below this many times the control's.
    Odds(f64),
    /// Its mean stays below (1 + m) times the control's, or above (1 − m) times where more is better.
    Relative(f64),
    /// Its mean is worse by less than this.
    Absolute(f64),
    /// Its own rate of failure stays below this, whatever the control's is.
    AtMost(f64),
}

/// The direction of a one-sided test: what its rejection proves about B's mean, or its odds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Greater than the null.
    Greater,
    /// Less than the null.
    Less,
}

/// Which departures from the null a test gathers evidence for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tail {
    /// Those above it.
    Greater,
    /// Those below it.
    Less,
    /// Both.
    TwoSided,
}

impl Design {
    /// How many arms are compared with the control.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.arms.saturating_sub(1)
    }

    /// The error rate of one candidate: several share it (Bonferroni).
    #[must_use]
    pub fn alpha_each(&self) -> f64 {
        self.alpha / count(self.candidates())
    }

    /// The error rate of one goal's proof: where any goal suffices, they share it.
    #[must_use]
    pub fn alpha_goal(&self) -> f64 {
        match self.goals {
            Goals::All => self.alpha_each(),
            Goals::Any => {
                let goals = self
                    .metrics
                    .iter()
                    .filter(|metric| metric.role == Role::Goal);
                self.alpha_each() / count(goals.count())
            }
        }
    }

    /// The error rate of one metric's boundary when harm is looked for in all of them.
    #[must_use]
    pub fn alpha_harm(&self) -> f64 {
        self.alpha_each() / count(self.metrics.len())
    }
}

impl Better {
    /// The side that proves an improvement.
    #[must_use]
    pub fn side(self) -> Side {
        match self {
            Self::Higher => Side::Greater,
            Self::Lower => Side::Less,
        }
    }
}

impl Side {
    /// The other direction.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Greater => Self::Less,
            Self::Less => Self::Greater,
        }
    }

    /// +1 or −1.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Greater => 1.0,
            Self::Less => -1.0,
        }
    }
}

impl From<Side> for Tail {
    fn from(side: Side) -> Self {
        match side {
            Side::Greater => Self::Greater,
            Side::Less => Self::Less,
        }
    }
}

impl Tail {
    /// The signs of the alternatives: +1 above the null, −1 below it.
    pub(crate) fn signs(self) -> &'static [f64] {
        match self {
            Self::Greater => &[1.0],
            Self::Less => &[-1.0],
            Self::TwoSided => &[1.0, -1.0],
        }
    }
}

/// A number of metrics or candidates as a divisor; no design has 2³² of them.
pub(crate) fn count(items: usize) -> f64 {
    f64::from(u32::try_from(items.max(1)).unwrap_or(u32::MAX))
}

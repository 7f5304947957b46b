//! Every number that a score is made of, so that an auditor can make it again.

use serde::{Deserialize, Serialize};

use super::Score;
use crate::{
    agreement,
    conditional::Conditional,
    design::{Side, Tail},
    event_split::{self, Split},
    evidence::Cell,
    robbins_siegmund::{Null, Second},
    special::ln_mean_exp,
};

/// What a score is made of, by method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// The conditional 2×2 test.
    #[serde(rename = "conditional_2x2")]
    Conditional {
        /// w₀, the log odds ratio of the null.
        null: f64,
        /// Σ over ticks of ℓ(w_g) − ℓ(w₀), by alternative; E averages them.
        gains: Vec<f64>,
    },
    /// The same on how often the quantile of earlier ticks was exceeded.
    QuantileExceedance {
        /// Which quantile.
        at: f64,
        /// By how many bins of 1% B may be larger.
        allowance: i32,
        /// The bin that the next tick is compared with.
        limit: Option<i32>,
        /// w₀, the log odds ratio of the null.
        null: f64,
        /// As above.
        gains: Vec<f64>,
    },
    /// The agreement of B's successes with a fixed rate.
    Agreement {
        /// p₀.
        null: f64,
        /// What it gathers evidence for.
        tail: Tail,
        /// k.
        prior: f64,
        /// How many succeeded ...
        successes: u64,
        /// ... of so many.
        n: u64,
    },
    /// The event split.
    EventSplit {
        /// The ratio of rates of the null; it is in the shares already.
        ratio: f64,
        /// k.
        prior: f64,
        /// What it gathers evidence for.
        tail: Tail,
        /// The events by epoch.
        splits: Vec<Split>,
    },
    /// The label e-process.
    Label {
        /// What it gathers evidence for.
        side: Side,
        /// By how many bins of 1% B may be larger.
        allowance: i32,
        /// Σ over ticks of ln E, by slope; E averages them.
        gains: Vec<f64>,
    },
    /// A walk against the Robbins–Siegmund boundary.
    RobbinsSiegmund {
        /// What B's mean is compared with.
        null: Null,
        /// Which direction it proves.
        side: Side,
        /// What the second number is for, with θ.
        second: Second,
        /// a, solved for the level.
        a: f64,
        /// V₀; none before the gate.
        start: Option<f64>,
        /// T.
        sum: f64,
        /// V.
        variance: f64,
        /// Σh.
        weight: f64,
        /// The sums that T is made of, and V too where units do not return.
        epochs: Vec<Stretch>,
    },
}

/// The sums of one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Of the control.
    pub control: ArmSums,
    /// Of the candidate.
    pub candidate: ArmSums,
}

/// The sums of one arm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmSums {
    /// How many were observed.
    pub n: u64,
    /// Σy.
    pub sum: f64,
    /// Σy².
    pub square: f64,
    /// Σx, Σx² and Σxy, where there is a second number.
    pub second: Option<[f64; 3]>,
}

impl Stretch {
    pub(crate) fn of((control, candidate): (&Cell, &Cell)) -> Self {
        let sums = |cell: &Cell| ArmSums {
            n: cell.tally.n,
            sum: cell.tally.sum,
            square: cell.tally.square,
            second: cell
                .pair
                .as_ref()
                .map(|pair| [pair.x.sum, pair.x.square, pair.xy]),
        };
        Self {
            control: sums(control),
            candidate: sums(candidate),
        }
    }
}

impl Numbers {
    pub(crate) fn of_conditional(test: &Conditional) -> Self {
        Self::Conditional {
            null: test.null(),
            gains: test.gains().to_vec(),
        }
    }

    /// The score that these numbers make, against a threshold of ln(1/α) where it is an e-value.
    #[must_use]
    pub fn score(&self, threshold: f64) -> Score {
        let log_e = match self {
            Self::Conditional { gains, .. }
            | Self::QuantileExceedance { gains, .. }
            | Self::Label { gains, .. } => ln_mean_exp(gains),
            Self::Agreement {
                null,
                tail,
                prior,
                successes,
                n,
            } => agreement::log_e(*null, *tail, *prior, *successes, *n),
            Self::EventSplit {
                prior,
                tail,
                splits,
                ..
            } => {
                let of = |split: &Split| {
                    event_split::log_e(split.share, *prior, *tail, [split.a, split.b])
                };
                splits.iter().map(of).sum()
            }
            Self::RobbinsSiegmund {
                side,
                a,
                start: Some(start),
                sum,
                variance,
                ..
            } if *variance > 0.0 => {
                return Score::Boundary {
                    z: side.sign() * sum / variance.sqrt(),
                    bound: (a * a + (variance / start).ln().max(0.0)).sqrt(),
                };
            }
            Self::RobbinsSiegmund { .. } => return Score::Gathering,
        };
        Score::Evidence { log_e, threshold }
    }
}

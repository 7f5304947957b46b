//! Why a verdict is what it is: all numbers for an auditor, one sentence for people.

mod sentence;

use serde::{Deserialize, Serialize};

use crate::{
    design::Margin,
    interval::{Effect, Interval},
    ledger::Ledger,
    report::Estimate,
    trial::{Crossing, Numbers, Question, Score, total},
};

/// Every number that a verdict rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Nothing is proven yet.
    Gathering {
        /// Closed observations of all arms.
        observations: u64,
        /// When the run ends.
        end: Option<u64>,
        /// What may still be true; filled in where it is asked for.
        open: Vec<Open>,
    },
    /// Every goal is superior, and every guardrail proves that it is not worse by its margin.
    Better {
        /// The candidate.
        arm: usize,
        /// One a metric, as it stood when it crossed.
        proofs: Vec<Proof>,
    },
    /// The candidate is worse, by the average of e-values or by a boundary.
    Worse {
        /// The candidate.
        arm: usize,
        /// The tick whose evidence showed it.
        tick: u64,
        /// ln of the average e-value.
        log_e: Option<f64>,
        /// ln(1/α).
        threshold: f64,
        /// α, a candidate's part of it where there are several.
        alpha: f64,
        /// Over how many metrics the e-values are averaged.
        metrics: usize,
        /// One a metric, as it stood at that moment.
        proofs: Vec<Proof>,
    },
    /// The arms did not get their shares.
    Unbalanced {
        /// ln E of the sample ratio now.
        log_e: f64,
        /// What it must stay below.
        threshold: f64,
        /// Requests by arm.
        exposures: Vec<u64>,
        /// Units by arm.
        units: Vec<u64>,
    },
    /// The end came without a proof.
    Ended {
        /// Closed observations of all arms.
        observations: u64,
        /// When the run ends.
        end: u64,
        /// What may be true all the same.
        open: Vec<Open>,
    },
    /// Every candidate's effect is smaller than what is worth having.
    NotWorth {
        /// One a candidate.
        findings: Vec<Finding>,
    },
}

/// One test of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The metric.
    pub metric: String,
    /// What was asked.
    pub question: Question,
    /// How far the test had come at the tick below.
    pub score: Score,
    /// The tick of that score.
    pub tick: u64,
    /// The error rate of this test.
    pub alpha: f64,
    /// What was proven or exceeded; none for equality.
    pub margin: Option<Margin>,
    /// What the score was made of.
    pub numbers: Numbers,
    /// What both arms are estimated at now.
    pub estimate: Estimate,
    /// What the interval is about.
    pub scale: Effect,
    /// Where the effect may lie now.
    pub interval: Option<Interval>,
    /// Closed observations of the control and the candidate now.
    pub n: [u64; 2],
}

/// What no proof excludes yet: that nothing was found does not say that nothing is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The candidate.
    pub arm: usize,
    /// The metric.
    pub metric: String,
    /// What the interval is about.
    pub effect: Effect,
    /// Where the effect may lie; none before there is enough to say, and then anything may be true.
    pub interval: Option<Interval>,
    /// Whether an alarm behind the metric has gone off.
    pub alarm: bool,
}

impl Open {
    pub(super) fn all(ledger: &Ledger) -> Vec<Self> {
        let design = ledger.design();
        let pairs = ledger.measured().iter().zip(&design.metrics);
        pairs
            .flat_map(|(measured, metric)| {
                measured.trials.iter().map(|trial| Self {
                    arm: trial.arm,
                    metric: metric.name.clone(),
                    effect: Effect::of(metric, design.unit),
                    interval: trial.interval(metric, design.unit, &measured.epochs),
                    alarm: trial.is_alarmed(),
                })
            })
            .collect()
    }
}

/// An interval that excludes whatever is worth having.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The candidate.
    pub arm: usize,
    /// The goal.
    pub metric: String,
    /// What the interval is about.
    pub effect: Effect,
    /// Where the effect may lie.
    pub interval: Interval,
    /// The smallest effect worth having, on the same scale.
    pub smallest: f64,
}

impl Proof {
    /// A crossing with what is known around it; `place` is the metric's position.
    pub(super) fn of(
        ledger: &Ledger,
        place: usize,
        arm: usize,
        question: Question,
        crossing: Crossing,
    ) -> Option<Self> {
        let (design, measured) = (ledger.design(), ledger.measured().get(place)?);
        let (metric, trial) = (design.metrics.get(place)?, measured.trials.get(arm - 1)?);
        Some(Self {
            metric: metric.name.clone(),
            question,
            score: crossing.score,
            tick: crossing.tick,
            alpha: match question {
                Question::Superior => design.alpha_goal(),
                Question::NotWorse => design.alpha_each(),
                Question::Worse => design.alpha_harm(),
            },
            margin: metric.null(question)?,
            numbers: crossing.numbers,
            estimate: Estimate::of(metric, &measured.epochs, arm),
            scale: Effect::of(metric, design.unit),
            interval: trial.interval(metric, design.unit, &measured.epochs),
            n: [0, arm].map(|arm| total(&measured.epochs, arm).n),
        })
    }
}

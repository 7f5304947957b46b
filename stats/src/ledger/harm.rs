//! Whether a candidate does harm: all of its metrics together.
//!
//! The e-values "B is worse" are averaged over all G metrics, which is an e-value whatever depends on
//! what; metrics without an e-value take their part of α, α/G, each on its own. The sum of both errors
//! is at most α.

use serde::{Deserialize, Serialize};

use crate::{
    design::{Design, count},
    special::ln_sum_exp,
    trial::{Numbers, Question, Score},
};

use super::Measured;

/// The moment when harm was found, with every number that went into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmCrossing {
    /// The tick whose evidence did it.
    pub tick: u64,
    /// ln Σ_g E_g / G; none if no metric has an e-value.
    pub log_e: Option<f64>,
    /// ln(1/α).
    pub threshold: f64,
    /// The score of "B is worse" by metric; none where it is not asked.
    pub scores: Vec<Option<Score>>,
    /// What each of them was made of.
    pub numbers: Vec<Option<Numbers>>,
}

/// `candidate` counts from 0, without the control.
pub(super) fn found(
    design: &Design,
    measured: &[Measured],
    candidate: usize,
    tick: u64,
) -> Option<HarmCrossing> {
    let score = |measured: &Measured| {
        let test = measured.trials.get(candidate)?.test(Question::Worse)?;
        Some(test.score())
    };
    let scores: Vec<Option<Score>> = measured.iter().map(score).collect();
    let (log_e, threshold) = (mixture(&scores), -design.alpha_each().ln());
    let boundary = |score: &Score| matches!(score, Score::Boundary { .. }) && score.crosses();
    let crossed =
        log_e.is_some_and(|log_e| log_e >= threshold) || scores.iter().flatten().any(boundary);
    let numbers = |measured: &Measured| {
        let trial = measured.trials.get(candidate)?;
        Some(
            trial
                .test(Question::Worse)?
                .numbers(measured.pairs(trial.arm)),
        )
    };
    crossed.then(|| HarmCrossing {
        tick,
        log_e,
        threshold,
        scores,
        numbers: measured.iter().map(numbers).collect(),
    })
}

fn mixture(scores: &[Option<Score>]) -> Option<f64> {
    let evidence = scores.iter().flatten().filter_map(Score::log_e);
    let sum = ln_sum_exp(evidence);
    sum.is_finite().then(|| sum - count(scores.len()).ln())
}

//! Whether a candidate does harm: all of its metrics together.
//!
//! The e-values "B is worse" are averaged over all G metrics, which is an e-value whatever depends on
//! what and as long as all of them have closed the same ticks. Metrics that wait longer than others are
//! therefore averaged among themselves, each still weighing 1/G: a process that has seen the errors of a
//! tick may not be stopped by them before the feedback of that tick is in, so their sum would be no
//! e-value. Each average of group c, of G_c metrics, crosses 1/α with chance α G_c/G at most (Ville), and
//! these add up to α. Metrics without an e-value take their part of α, α/G, each on its own. The sum of both errors
//! is at most α.

use serde::{Deserialize, Serialize};

use crate::{
    design::{Design, count},
    special::ln_sum_exp,
    trial::{Numbers, Question, Score},
};

use super::{Measured, Wait};

/// The moment when harm was found, with every number that went into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmCrossing {
    /// The tick whose evidence did it.
    pub tick: u64,
    /// ln Σ_g E_g / G over the metrics of one window, of which there may be several: the greatest; none if
    /// no metric has an e-value.
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
    let (log_e, threshold) = (greatest(measured, &scores), -design.alpha_each().ln());
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

fn greatest(measured: &[Measured], scores: &[Option<Score>]) -> Option<f64> {
    let metrics = measured.iter().zip(scores);
    let mixture = |wait: Wait| {
        let alike = metrics
            .clone()
            .filter(|(measured, _)| measured.wait == wait);
        let sum = ln_sum_exp(alike.filter_map(|(_, score)| score.as_ref()?.log_e()));
        sum.is_finite().then(|| sum - count(scores.len()).ln())
    };
    let mixtures = measured
        .iter()
        .filter_map(|measured| mixture(measured.wait));
    mixtures.reduce(f64::max)
}

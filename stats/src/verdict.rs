//! What follows from the evidence: the only place where tests become a decision.

mod reason;
mod worth;

use serde::{Deserialize, Serialize};

pub use reason::{Finding, Proof, Reason};

use crate::{
    design::{Metric, Role},
    ledger::Ledger,
    sample_ratio,
    trial::Question,
};

/// A decision and everything that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// Why, with every number.
    pub reason: Reason,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Go on.
    Wait,
    /// This arm has shown all that it had to.
    Promote {
        /// Its position.
        arm: usize,
    },
    /// A candidate does harm: keep the control.
    RollBack,
    /// Nothing worth having will be found: keep the control.
    Futile,
    /// Requests are not assigned as asked, so no comparison is sound; nothing is promoted.
    Unsound,
}

/// Harm first, so that it wins a tie and needs no sound assignment; then the end, then promotion.
pub(crate) fn reach(ledger: &Ledger) -> Verdict {
    let verdict = |decision, reason| Verdict { decision, reason };
    if let Some(reason) = harm(ledger) {
        return verdict(Decision::RollBack, reason);
    }
    if let Some(reason) = unbalanced(ledger) {
        return ended(ledger).map_or(verdict(Decision::Unsound, reason), |reason| {
            verdict(Decision::Futile, reason)
        });
    }
    if let Some(arm) = (1..ledger.design().arms).find(|&arm| proven(ledger, arm)) {
        return verdict(Decision::Promote { arm }, promotion(ledger, arm));
    }
    if let Some(reason) = ended(ledger).or_else(|| worth::none_left(ledger)) {
        return verdict(Decision::Futile, reason);
    }
    let (observations, end) = (ledger.observations(), ledger.design().end);
    verdict(Decision::Wait, Reason::Gathering { observations, end })
}

fn harm(ledger: &Ledger) -> Option<Reason> {
    let (candidate, crossing) = ledger
        .harm()
        .iter()
        .enumerate()
        .find_map(|(i, harm)| Some((i, harm.as_ref()?)))?;
    let arm = candidate + 1;
    let proofs = ledger
        .design()
        .metrics
        .iter()
        .zip(&crossing.scores)
        .enumerate();
    let proofs = proofs.filter_map(|(place, (_, score))| {
        Proof::of(
            ledger,
            place,
            arm,
            Question::Worse,
            (*score)?,
            crossing.tick,
        )
    });
    Some(Reason::Worse {
        arm,
        tick: crossing.tick,
        log_e: crossing.log_e,
        threshold: crossing.threshold,
        proofs: proofs.collect(),
    })
}

fn unbalanced(ledger: &Ledger) -> Option<Reason> {
    let ratio = ledger.sample_ratio();
    let arms = 0..ledger.design().arms;
    ratio.alarm().then(|| Reason::Unbalanced {
        log_e: ratio.log_e(),
        threshold: -sample_ratio::ALPHA.ln(),
        exposures: arms.clone().map(|arm| ratio.exposures(arm)).collect(),
        units: arms.map(|arm| ratio.units(arm)).collect(),
    })
}

fn ended(ledger: &Ledger) -> Option<Reason> {
    let (observations, end) = (ledger.observations(), ledger.design().end?);
    (observations >= end).then_some(Reason::Ended { observations, end })
}

/// What a metric has to show before a promotion.
fn wanted(metric: &Metric) -> Question {
    match metric.role {
        Role::Goal => Question::Superior,
        Role::Guardrail => Question::NotWorse,
    }
}

/// Whether every metric has shown what it had to. Each at α, without correction: the candidate is
/// promoted only if all of them cross, so that one true null suffices to keep the error at α
/// (intersection–union).
fn proven(ledger: &Ledger, arm: usize) -> bool {
    let metrics = &ledger.design().metrics;
    let mut shown = ledger
        .measured()
        .iter()
        .zip(metrics)
        .map(|(measured, metric)| {
            measured
                .trials
                .get(arm - 1)
                .is_some_and(|trial| trial.answered(wanted(metric)))
        });
    !metrics.is_empty() && shown.all(|shown| shown)
}

fn promotion(ledger: &Ledger, arm: usize) -> Reason {
    let proofs = ledger
        .design()
        .metrics
        .iter()
        .enumerate()
        .filter_map(|(place, metric)| {
            let question = wanted(metric);
            let test = ledger
                .measured()
                .get(place)?
                .trials
                .get(arm - 1)?
                .test(question)?;
            let crossing = test.crossed?;
            Proof::of(ledger, place, arm, question, crossing.score, crossing.tick)
        });
    Reason::Better {
        arm,
        proofs: proofs.collect(),
    }
}

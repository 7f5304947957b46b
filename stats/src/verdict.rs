//! What follows from the evidence: the only place where tests become a decision.

mod reason;
mod worth;

use serde::{Deserialize, Serialize};

pub use reason::{Finding, Open, Proof, Reason};

use crate::{
    design::{Better, Goals, Kind, Metric, Role},
    ledger::{Ledger, Measured},
    report::Estimate,
    sample_ratio,
    trial::{Crossing, Question},
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
    if let Some(arm) = best_proven(ledger) {
        return verdict(Decision::Promote { arm }, promotion(ledger, arm));
    }
    if let Some(reason) = ended(ledger).or_else(|| worth::none_left(ledger)) {
        return verdict(Decision::Futile, reason);
    }
    let (observations, end) = (ledger.observations(), ledger.design().end);
    let open = Vec::new();
    verdict(
        Decision::Wait,
        Reason::Gathering {
            observations,
            end,
            open,
        },
    )
}

/// The verdict with what is still open named, where it waits: for people, since the intervals cost more
/// than the verdict.
pub(crate) fn explain(ledger: &Ledger) -> Verdict {
    let mut verdict = reach(ledger);
    if let Reason::Gathering { open, .. } = &mut verdict.reason {
        *open = Open::all(ledger);
    }
    verdict
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
        let numbers = crossing.numbers.get(place)?.clone()?;
        let crossing = Crossing {
            tick: crossing.tick,
            score: (*score)?,
            numbers,
        };
        Proof::of(ledger, place, arm, Question::Worse, crossing)
    });
    Some(Reason::Worse {
        arm,
        tick: crossing.tick,
        log_e: crossing.log_e,
        threshold: crossing.threshold,
        alpha: ledger.design().alpha_each(),
        metrics: crossing.scores.len(),
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
    (observations >= end).then(|| Reason::Ended {
        observations,
        end,
        open: Open::all(ledger),
    })
}

/// What a metric has to show before a promotion; nothing, where it only raises alarms.
fn wanted(metric: &Metric) -> Option<Question> {
    match (metric.kind, metric.role) {
        (Kind::Distribution, _) => None,
        (_, Role::Goal) => Some(Question::Superior),
        (_, Role::Guardrail) => Some(Question::NotWorse),
    }
}

/// Of the candidates that have shown all they had to, the one with the greatest improvement of the first
/// goal; of equal ones the first. Each of them may be promoted at its own part of α, so which one is taken
/// needs no test.
fn best_proven(ledger: &Ledger) -> Option<usize> {
    let proven = (1..ledger.design().arms).filter(|&arm| proven(ledger, arm));
    proven.reduce(|best, arm| {
        if improvement(ledger, arm) > improvement(ledger, best) {
            arm
        } else {
            best
        }
    })
}

/// By how much a candidate is estimated to improve the first goal; candidates share the control but not
/// its epochs' weights, so differences are compared, not values.
fn improvement(ledger: &Ledger, arm: usize) -> f64 {
    let mut pairs = ledger.measured().iter().zip(&ledger.design().metrics);
    let improvement = pairs
        .find(|(_, metric)| metric.role == Role::Goal)
        .and_then(|(Measured { epochs, .. }, metric)| {
            let Estimate { control, candidate } = Estimate::of(metric, epochs, arm);
            let gain = candidate? - control?;
            Some(match metric.better {
                Better::Higher => gain,
                Better::Lower => -gain,
            })
        });
    improvement.unwrap_or(f64::NEG_INFINITY)
}

/// Whether every metric has shown what it had to. Each at α, without correction: the candidate is
/// promoted only if all of them cross, so that one true null suffices to keep the error at α
/// (intersection–union). Where any goal suffices, goals share α instead.
fn proven(ledger: &Ledger, arm: usize) -> bool {
    let design = ledger.design();
    let shown = |role: Role| {
        let pairs = ledger.measured().iter().zip(&design.metrics);
        pairs
            .filter(move |(_, metric)| metric.role == role)
            .filter_map(move |(measured, metric)| {
                let question = wanted(metric)?;
                let trial = measured.trials.get(arm - 1);
                Some(trial.is_some_and(|trial| trial.answered(question)))
            })
    };
    let goals = match design.goals {
        // Nothing can be better than the control at nothing.
        Goals::All => shown(Role::Goal).all(|shown| shown) && is_sound(ledger),
        Goals::Any => shown(Role::Goal).any(|shown| shown) && is_sound(ledger),
    };
    goals && shown(Role::Guardrail).all(|shown| shown)
}

/// Whether there is anything to prove.
fn is_sound(ledger: &Ledger) -> bool {
    let mut metrics = ledger.design().metrics.iter();
    metrics.any(|metric| wanted(metric).is_some())
}

fn promotion(ledger: &Ledger, arm: usize) -> Reason {
    let metrics = ledger.design().metrics.iter().enumerate();
    let proofs = metrics.filter_map(|(place, metric)| {
        let question = wanted(metric)?;
        let trial = ledger.measured().get(place)?.trials.get(arm - 1)?;
        let crossing = trial.test(question)?.crossed.clone()?;
        Proof::of(ledger, place, arm, question, crossing)
    });
    Reason::Better {
        arm,
        proofs: proofs.collect(),
    }
}

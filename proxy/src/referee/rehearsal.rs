//! The shadow phase: candidates are asked the same as the control, and whether they agree decides if the ramp
//! begins.

use policy::{Experiment, Outcome, Policy, ShadowFirst, Target};
use serde::Serialize;
use serde_json::json;
use stats::Tail;
use stats::agreement::{self, PRIOR};

use super::ruling::{Ruling, is_over};
use super::run::Run;
use crate::shadow;

/// What the comparisons say about one candidate.
#[derive(Debug, Serialize)]
struct Rehearsed {
    arm: String,
    agreed: u64,
    compared: u64,
    /// The part that has to agree.
    wanted: f64,
    /// That more agree than that, and that fewer do: decided at `threshold`.
    log_e: LogE,
    threshold: f64,
}

#[derive(Debug, Serialize)]
struct LogE {
    more: f64,
    fewer: f64,
}

/// What follows for a run in its shadow phase, if anything does.
pub(super) fn ruling(
    run: &Run,
    policy: &Policy,
    shadows: &shadow::Desk,
    now_ms: u64,
) -> Option<Ruling> {
    let experiment = &run.experiment;
    let wanted = experiment.shadow_first.as_ref()?;
    let rehearsed = rehearsed(experiment, wanted, policy, shadows, run.record.run);
    let disagrees = rehearsed.iter().find(|it| it.log_e.fewer >= it.threshold);
    let is_ready =
        |it: &Rehearsed| it.log_e.more >= it.threshold && it.compared >= wanted.observations;
    let (outcome, kind, reason) = if let Some(it) = disagrees {
        let reason = format!("fewer agree than {}%: {}", 100.0 * it.wanted, it.told());
        (Outcome::RollBack, "rolled_back", reason)
    } else if rehearsed.iter().all(is_ready) {
        let told: Vec<String> = rehearsed.iter().map(Rehearsed::told).collect();
        let reason = format!(
            "more agree than {}%: {}",
            100.0 * wanted.agreement,
            told.join("; ")
        );
        (Outcome::Open, "opened", reason)
    } else if is_over(run, now_ms) {
        let told: Vec<String> = rehearsed.iter().map(Rehearsed::told).collect();
        let reason = format!("the time is over in the shadow phase: {}", told.join("; "));
        (Outcome::Futile, "futile", reason)
    } else {
        return None;
    };
    let stage = run.stage().after(experiment, outcome)?;
    let evidence = json!({ "shadow": rehearsed });
    let detail =
        json!({ "decision": kind, "reason": reason, "at_observations": 0, "evidence": evidence });
    let verdict = (outcome != Outcome::Open).then(|| detail.to_string());
    let mut ruling = Ruling::new(run, stage, kind, &reason, detail, now_ms);
    let record = &mut ruling.record;
    if verdict.is_some() {
        record.at_observations = Some(0);
        record.reason = Some(reason);
    } else {
        (record.started_ms, record.step_started_ms) = (now_ms, now_ms);
    }
    ruling.verdict = verdict;
    Some(ruling)
}

/// What each candidate's answers say, in the order of the document.
fn rehearsed(
    experiment: &Experiment,
    first: &ShadowFirst,
    policy: &Policy,
    shadows: &shadow::Desk,
    run: u32,
) -> Vec<Rehearsed> {
    let target = Target::Experiment(experiment.id);
    let routes = policy.routes().iter().filter(|it| it.target == target);
    let routes: Vec<&str> = routes.map(|route| &*route.name).collect();
    let candidates = experiment.arms.iter().skip(1);
    let threshold = (f64::from(experiment.candidates()) / experiment.design.alpha).ln();
    let candidate = |arm: &policy::Arm| {
        let (agreed, compared) = shadows.agreement(&routes, &policy.backend(&arm.target), run);
        let log_e = |tail| agreement::log_e(first.agreement, tail, PRIOR, agreed, compared);
        Rehearsed {
            arm: arm.name.to_string(),
            agreed,
            compared,
            wanted: first.agreement,
            log_e: LogE {
                more: log_e(Tail::Greater),
                fewer: log_e(Tail::Less),
            },
            threshold,
        }
    };
    candidates.map(candidate).collect()
}

impl Rehearsed {
    /// In words.
    fn told(&self) -> String {
        let log_e = self.log_e.more.max(self.log_e.fewer);
        format!(
            "{} of {} answers of arm {} agree with the control's (log e {log_e:.1}, threshold {:.1})",
            self.agreed, self.compared, self.arm, self.threshold
        )
    }
}

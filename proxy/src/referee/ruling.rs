//! What follows from a run's evidence at this moment: the next step, a verdict, or nothing.

use std::time::Duration;

use policy::{ArmId, Decide, Outcome, Stage, State};
use serde_json::{Value, json};
use stats::{Decision, Verdict};

use super::run::Run;
use crate::audit::{Event, time};
use crate::store::{Milestone, Proposal, RunRecord};

/// A change of a run, ready to be written down and then to take effect.
pub(super) struct Ruling {
    pub(super) record: RunRecord,
    pub(super) ledger: stats::Ledger,
    pub(super) event: Event,
    /// The verdict as JSON, if this is one.
    pub(super) verdict: Option<String>,
}

impl Ruling {
    /// A run that goes to a stage, perhaps the one that it has, as its history and the audit trail tell it.
    pub(super) fn new(
        run: &Run,
        stage: Stage,
        kind: &'static str,
        reason: &str,
        detail: Value,
        now_ms: u64,
    ) -> Self {
        let mut record = run.record.clone();
        record.set_stage(stage);
        let observations = run.ledger.observations();
        let told = milestone(run, stage, kind, observations, reason, now_ms);
        record.history.push(told);
        Self {
            record,
            ledger: run.ledger.clone(),
            event: event(run, kind, detail, now_ms),
            verdict: None,
        }
    }

    /// What follows now, if anything does.
    pub(super) fn of(run: &Run, now_ms: u64) -> Option<Self> {
        if !run.is_counting() {
            return None;
        }
        if let Some(alarm) = Self::alarm(run, now_ms) {
            return Some(alarm);
        }
        let verdict = run.ledger.verdict();
        let outcome = match verdict.decision {
            Decision::Promote { arm } => Outcome::Promote(ArmId(u8::try_from(arm).ok()?)),
            Decision::RollBack => Outcome::RollBack,
            Decision::Futile => Outcome::Futile,
            Decision::Wait | Decision::Unsound if is_over(run, now_ms) => Outcome::Futile,
            Decision::Wait if may_step(run, now_ms) => Outcome::NextStep,
            Decision::Wait | Decision::Unsound => return None,
        };
        // Who is told that nothing was found is told what may be there all the same.
        let verdict = match outcome {
            Outcome::Futile => run.ledger.explain(),
            _ => verdict,
        };
        let stage = run.stage().after(&run.experiment, outcome)?;
        if let (Outcome::Promote(ArmId(arm)), 1..) = (outcome, run.experiment.approvals)
            && run.experiment.decide == Decide::Automatic
        {
            return Self::proposal(run, arm, &verdict, now_ms);
        }
        match run.experiment.decide {
            Decide::Advise if outcome != Outcome::NextStep => {
                Self::advice(run, stage, &verdict, now_ms)
            }
            Decide::Advise | Decide::Automatic => Some(Self::change(run, stage, &verdict, now_ms)),
        }
    }

    /// The beginning of a run that had to wait after a rollback, once it may begin.
    pub(super) fn after_cooling(run: &Run, now_ms: u64) -> Option<Self> {
        let until_ms = run.record.held_until_ms?;
        if now_ms < until_ms {
            return None;
        }
        let stage = run.stage().after(&run.experiment, Outcome::Start)?;
        let reason = "the time after the rollback is over";
        let detail = json!({ "reason": reason });
        let mut started = Self::new(run, stage, "started", reason, detail, now_ms);
        started.record.held_until_ms = None;
        started.record.started_ms = now_ms;
        started.record.step_started_ms = now_ms;
        Some(started)
    }

    fn change(run: &Run, stage: Stage, verdict: &Verdict, now_ms: u64) -> Self {
        let observations = run.ledger.observations();
        let (kind, is_step) = (kind(stage.state()), stage.state() == State::Running);
        let reason = sentence(run, verdict, is_step, now_ms);
        let verdict = (!is_step).then(|| verdict_json(verdict, kind, &reason, observations));
        let detail = verdict
            .clone()
            .unwrap_or_else(|| json!({ "step": stage.step(), "reason": reason }));
        let mut change = Self::new(run, stage, kind, &reason, detail, now_ms);
        let record = &mut change.record;
        if is_step {
            change.ledger.open_epoch(&stage.shares(&run.experiment));
            record.step_started_ms = now_ms;
            record.step_exposures = run.exposures();
        } else {
            record.at_observations = Some(observations);
            record.reason = Some(reason);
        }
        change.verdict = verdict.map(|verdict| verdict.to_string());
        change
    }

    /// An alarm that has gone off and has not been told in this run. It changes nothing by itself.
    fn alarm(run: &Run, now_ms: u64) -> Option<Self> {
        let ratio = run.ledger.sample_ratio();
        if !ratio.alarm() && !run.ledger.is_alarmed() {
            return None;
        }
        let is_new = |name: &String| !run.record.alarms.contains(name);
        let metrics = run.ledger.report().metrics.into_iter();
        let behind = metrics.filter(|metric| metric.alarm).map(|metric| {
            let arm = run.experiment.arms.get(metric.arm).map_or("", |arm| &*arm.name);
            let name = format!("{}/{arm}", metric.name);
            let reason = format!(
                "{} of {arm} may be worse than its margin allows somewhere in its distribution: the ramp stays",
                metric.name
            );
            (name, reason)
        });
        let shares = ratio.alarm().then(|| {
            let reason = format!(
                "the arms do not get their shares (log e {:.1}): nothing is promoted",
                ratio.log_e()
            );
            ("sample_ratio".to_owned(), reason)
        });
        let (name, reason) = shares
            .into_iter()
            .chain(behind)
            .find(|(name, _)| is_new(name))?;
        let observations = run.ledger.observations();
        let detail = json!({ "alarm": name, "reason": reason, "at_observations": observations });
        let mut alarm = Self::new(run, run.stage(), "alarm", &reason, detail, now_ms);
        alarm.record.alarms.push(name);
        Some(alarm)
    }

    /// A promotion that waits for people, once a run.
    fn proposal(run: &Run, arm: u8, verdict: &Verdict, now_ms: u64) -> Option<Self> {
        if run.record.proposal.is_some() {
            return None;
        }
        let proof = sentence(run, verdict, false, now_ms);
        let needed = run.experiment.approvals;
        let reason = format!("{proof}; waits for {needed} approvals");
        let observations = run.ledger.observations();
        let evidence = verdict_json(verdict, "promoted", &proof, observations);
        let told = evidence.clone();
        let mut proposed = Self::new(run, run.stage(), "proposed", &reason, told, now_ms);
        proposed.record.proposal = Some(Proposal {
            arm,
            at_observations: observations,
            reason: proof,
            evidence,
            approvals: Vec::new(),
        });
        proposed.record.reason = Some(reason);
        Some(proposed)
    }

    /// A verdict that is told and not acted upon, once a run.
    fn advice(run: &Run, advised: Stage, verdict: &Verdict, now_ms: u64) -> Option<Self> {
        if run.record.advised {
            return None;
        }
        let kind = kind(advised.state());
        let reason = format!(
            "advice only, {kind}: {}",
            sentence(run, verdict, false, now_ms)
        );
        let observations = run.ledger.observations();
        let detail = verdict_json(verdict, kind, &reason, observations);
        let mut advised = Self::new(run, run.stage(), "advised", &reason, detail, now_ms);
        advised.record.advised = true;
        advised.record.reason = Some(reason);
        Some(advised)
    }
}

/// The first line of a run's history and of its audit trail.
pub(super) fn opening(run: &mut Run, why: &str, now_ms: u64) -> Event {
    let kind = match run.stage().state() {
        State::Draft => "drafted",
        State::Shadow => "shadowing",
        _ => "started",
    };
    let first = milestone(run, run.stage(), kind, 0, why, now_ms);
    run.record.history.push(first);
    let detail = json!({ "reason": why, "definition": run.record.definition });
    event(run, kind, detail, now_ms)
}

/// How long a run waits after a rollback, in words.
pub(super) fn cools(until_ms: u64) -> String {
    format!("it waits until {}", time(until_ms))
}

pub(super) fn is_over(run: &Run, now_ms: u64) -> bool {
    let ran = Duration::from_millis(now_ms.saturating_sub(run.record.started_ms));
    run.experiment.end.time.is_some_and(|end| ran >= end)
}

fn may_step(run: &Run, now_ms: u64) -> bool {
    let minimum = run.experiment.step_minimum;
    let lasted = Duration::from_millis(now_ms.saturating_sub(run.record.step_started_ms));
    let exposed = run.exposures().saturating_sub(run.record.step_exposures);
    run.stage().step() + 1 < run.experiment.ramp.len()
        && !run.ledger.is_alarmed()
        && lasted >= minimum.time
        && exposed >= minimum.observations
}

fn sentence(run: &Run, verdict: &Verdict, is_step: bool, now_ms: u64) -> String {
    match verdict.decision {
        Decision::Wait if is_step => {
            "the step has seen its minimum and nothing speaks against the next".to_owned()
        }
        Decision::Wait | Decision::Unsound if is_over(run, now_ms) => {
            format!(
                "the time is over without a proof; {}",
                run.told(&verdict.reason)
            )
        }
        _ => run.told(&verdict.reason),
    }
}

fn kind(state: State) -> &'static str {
    match state {
        State::Draft => "drafted",
        State::Shadow => "shadowing",
        State::Running => "stepped",
        State::Paused => "paused",
        State::Promoted(_) => "promoted",
        State::RolledBack => "rolled_back",
        State::Futile => "futile",
        State::Stopped => "stopped",
    }
}

fn milestone(
    run: &Run,
    stage: Stage,
    kind: &str,
    observations: u64,
    reason: &str,
    now_ms: u64,
) -> Milestone {
    let share = stage
        .shares(&run.experiment)
        .get(1)
        .copied()
        .unwrap_or_default();
    Milestone {
        time: time(now_ms),
        kind: kind.to_owned(),
        step: stage.step(),
        share,
        at_observations: observations,
        reason: reason.to_owned(),
    }
}

pub(super) fn verdict_json(
    verdict: &Verdict,
    kind: &str,
    reason: &str,
    observations: u64,
) -> Value {
    json!({ "decision": kind, "reason": reason, "at_observations": observations, "evidence": verdict.reason })
}

pub(super) fn event(run: &Run, kind: &'static str, detail: Value, now_ms: u64) -> Event {
    Event {
        at_ms: now_ms,
        kind,
        experiment: run.experiment.name.to_string(),
        run: run.record.run,
        actor: None,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::policy;

    const DOCUMENT: &str = r#"
version: wald/v1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
upstreams: [{ name: both, endpoints: ["http://127.0.0.1:8001"] }]
routes: [{ name: all, match: {}, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: request
    arms:
      - { name: control, backend: { upstream: both } }
      - { name: candidate, backend: { upstream: both } }
    metrics:
      - { name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 1s }
"#;

    /// A run in which each arm was given so many requests.
    fn run(exposures: [u64; 2]) -> Run {
        let policy = policy(DOCUMENT);
        let experiment = &policy.experiments()[0];
        let mut run = Run::begin(experiment, 1, 0);
        let mut delta = stats::Delta::new(&experiment.design);
        for (arm, count) in exposures.into_iter().enumerate() {
            for unit in 0..count {
                delta.expose(0, 1, arm, unit);
            }
        }
        run.absorb(delta);
        run.close_ticks(60_000);
        run
    }

    #[test]
    fn arms_that_do_not_get_their_shares_are_told_once_a_run() {
        let mut run = run([600, 400]);
        let told = Ruling::of(&run, 60_000).unwrap();
        assert_eq!((told.event.kind, told.verdict), ("alarm", None));
        assert_eq!(told.event.detail["alarm"], "sample_ratio");
        run.record = told.record;
        assert!(Ruling::of(&run, 61_000).is_none(), "it was told");
    }

    #[test]
    fn arms_that_get_their_shares_raise_no_alarm() {
        assert!(Ruling::of(&run([510, 490]), 60_000).is_none());
    }
}

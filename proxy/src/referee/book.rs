//! What the referee tells others: how each experiment stands, ready to be shown.

use std::collections::BTreeMap;

use policy::{Decide, State};
use serde::Serialize;
use stats::{Effect, Estimate, Interval, LogE, Methods, Role, Score, WatchReport};

use super::ruling::cools;
use super::run::Run;
use crate::store::{Approval, Milestone};

/// The decision of a run that has none.
const UNDECIDED: &str = "undecided";

/// All experiments at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// In the order of the document.
    pub(crate) experiments: Vec<Entry>,
    /// What was counted since the start.
    pub(crate) tally: Tally,
}

/// What the referee counted since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Verdicts by experiment and kind.
    pub(crate) decisions: BTreeMap<(String, &'static str), u64>,
    /// Writes that failed.
    pub(crate) store_failures: u64,
    /// Reports that were counted.
    pub(crate) feedback_accepted: u64,
    /// Reports that had been counted before.
    pub(crate) feedback_duplicate: u64,
    /// Reports that were not counted.
    pub(crate) feedback_refused: u64,
    /// Evidence of runs that are no longer in force.
    pub(crate) orphaned: u64,
    /// Observations that the recording had no room for.
    pub(crate) record_shed: u64,
}

/// How one experiment stands.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) state: &'static str,
    /// `undecided` until there is a verdict.
    pub(crate) decision: &'static str,
    /// When it began, in milliseconds since 1970.
    pub(crate) started_ms: u64,
    pub(crate) run: u32,
    pub(crate) epoch: u32,
    pub(crate) step: usize,
    /// How many steps the ramp has.
    pub(crate) steps: usize,
    /// Each candidate's share, step by step.
    pub(crate) ramp: Vec<f64>,
    pub(crate) alpha: f64,
    /// Whether verdicts are only told.
    pub(crate) advises: bool,
    /// How many people must approve a promotion.
    pub(crate) approvals_needed: usize,
    /// A promotion that is proven and waits for them.
    pub(crate) proposal: Option<Proposal>,
    pub(crate) arms: Vec<Arm>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) sample_ratio: SampleRatio,
    /// How what was promoted stands since; none if it is not watched.
    pub(crate) watch: Option<Watch>,
    /// Closed observations of all arms.
    pub(crate) observations: u64,
    /// The same at the verdict.
    pub(crate) at_observations: Option<u64>,
    /// Observations that came after their tick had closed.
    pub(crate) late: u64,
    /// Why it was decided, or what it waits for.
    pub(crate) reason: String,
    pub(crate) history: Vec<Milestone>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Proposal {
    /// The candidate's name.
    pub(crate) arm: String,
    pub(crate) reason: String,
    /// Closed observations of all arms at the proof.
    pub(crate) at_observations: u64,
    pub(crate) approvals: Vec<Approval>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) share: f64,
    pub(crate) exposures: u64,
    pub(crate) units: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    /// The candidate's name.
    pub(crate) arm: String,
    pub(crate) role: Role,
    pub(crate) scale: Effect,
    pub(crate) estimate: Estimate,
    pub(crate) interval: Option<Interval>,
    pub(crate) log_e: LogE,
    /// Whether a list of better candidates would hold this one.
    pub(crate) listed: bool,
    /// Whether the alarm behind the metric has gone off, which stops the ramp.
    pub(crate) alarm: bool,
    /// Which test answers each question.
    pub(crate) methods: Methods,
    pub(crate) superior: Option<Score>,
    pub(crate) not_worse: Option<Score>,
    pub(crate) worse: Option<Score>,
    pub(crate) n: [u64; 2],
    /// Where values are cut off: means are then of what is left.
    pub(crate) winsorized_at: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Watch {
    /// The arm's name.
    pub(crate) arm: String,
    /// Whether an alarm takes the promotion back.
    pub(crate) reverts: bool,
    /// The chance of a false alarm ...
    pub(crate) false_alarm: f64,
    /// ... within so many ticks.
    pub(crate) ticks: u64,
    pub(crate) metrics: Vec<WatchReport>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SampleRatio {
    pub(crate) log_e: f64,
    pub(crate) threshold: f64,
    pub(crate) alarm: bool,
    /// One unit of so many is counted.
    pub(crate) sampling: u64,
}

impl Entry {
    pub(super) fn of(run: &Run) -> Self {
        let (experiment, record, report) = (&run.experiment, &run.record, run.ledger.report());
        let state = run.stage().state();
        let ratio = report.sample_ratio;
        Self {
            name: experiment.name.to_string(),
            state: word(state),
            decision: if is_over(state) {
                word(state)
            } else {
                UNDECIDED
            },
            started_ms: record.started_ms,
            run: record.run,
            epoch: record.epoch,
            step: record.step,
            steps: experiment.ramp.len(),
            ramp: experiment.ramp.iter().map(|share| share.value()).collect(),
            alpha: experiment.design.alpha,
            advises: experiment.decide == Decide::Advise,
            approvals_needed: experiment.approvals,
            proposal: Proposal::of(run),
            arms: arms(run, &report),
            metrics: report
                .metrics
                .iter()
                .map(|metric| Metric::of(run, metric))
                .collect(),
            sample_ratio: SampleRatio {
                log_e: ratio.log_e,
                threshold: ratio.threshold,
                alarm: ratio.alarm,
                sampling: ratio.sampling,
            },
            watch: Watch::of(run),
            observations: report.observations,
            at_observations: record.at_observations,
            late: report.late,
            reason: record.reason.clone().unwrap_or_else(|| waits_for(run)),
            history: record.history.clone(),
        }
    }
}

impl Entry {
    /// How far the candidate that is nearest to a promotion has come, by the proof that it is farthest from, and
    /// how far the farthest proof of harm has: both from 0 to 1, for people.
    pub(crate) fn progress(&self) -> [f64; 2] {
        let part = |score: Option<Score>| score.map_or(0.0, |score| score.progress());
        let candidates = self.arms.iter().skip(1).map(|arm| {
            let its = self.metrics.iter().filter(|metric| metric.arm == arm.name);
            let wanted = its.filter_map(|metric| match metric.role {
                Role::Goal => metric.superior,
                Role::Guardrail => metric.not_worse,
            });
            wanted
                .map(|score| score.progress())
                .reduce(f64::min)
                .unwrap_or_default()
        });
        let harm = self.metrics.iter().map(|metric| part(metric.worse));
        [candidates.fold(0.0, f64::max), harm.fold(0.0, f64::max)]
    }

    /// What has gone off: metrics, and `sample ratio`.
    pub(crate) fn alarms(&self) -> Vec<&str> {
        let metrics = self.metrics.iter().filter(|metric| metric.alarm);
        let ratio = self.sample_ratio.alarm.then_some("sample ratio");
        metrics.map(|metric| &*metric.name).chain(ratio).collect()
    }
}

impl Proposal {
    fn of(run: &Run) -> Option<Self> {
        let proposal = run.record.proposal.as_ref()?;
        Some(Self {
            arm: arm_name(run, proposal.arm.into()),
            reason: proposal.reason.clone(),
            at_observations: proposal.at_observations,
            approvals: proposal.approvals.clone(),
        })
    }
}

impl Watch {
    fn of(run: &Run) -> Option<Self> {
        let (State::Promoted(arm), Some(watch)) =
            (run.stage().state(), run.experiment.watch.as_ref())
        else {
            return None;
        };
        Some(Self {
            arm: arm_name(run, arm.index()),
            reverts: watch.reverts,
            false_alarm: watch.allowed.chance,
            ticks: watch.allowed.ticks,
            metrics: run.ledger.watched()?,
        })
    }
}

fn arms(run: &Run, report: &stats::Report) -> Vec<Arm> {
    let shares = run.stage().shares(&run.experiment);
    let seen = report.arms.iter().zip(shares).enumerate();
    seen.map(|(place, (arm, share))| Arm {
        name: arm_name(run, place),
        share,
        exposures: arm.exposures,
        units: arm.units,
    })
    .collect()
}

fn arm_name(run: &Run, arm: usize) -> String {
    let arm = run.experiment.arms.get(arm);
    arm.map(|arm| arm.name.to_string()).unwrap_or_default()
}

impl Metric {
    fn of(run: &Run, metric: &stats::MetricReport) -> Self {
        Self {
            name: metric.name.clone(),
            arm: arm_name(run, metric.arm),
            role: metric.role,
            scale: metric.scale,
            estimate: metric.estimate,
            interval: metric.interval,
            log_e: metric.log_e,
            listed: metric.listed,
            alarm: metric.alarm,
            methods: metric.methods,
            superior: metric.superior,
            not_worse: metric.not_worse,
            worse: metric.worse,
            n: metric.n,
            winsorized_at: cap(run, &metric.name),
        }
    }
}

fn cap(run: &Run, metric: &str) -> Option<f64> {
    run.record.caps.get(metric).copied()
}

/// What a run without a verdict waits for.
fn waits_for(run: &Run) -> String {
    match (run.stage().state(), run.record.held_until_ms) {
        (State::Draft, Some(until_ms)) => {
            format!("the run before was rolled back: {}", cools(until_ms))
        }
        (State::Shadow, _) => {
            "the candidates' answers to copies are compared with the control's".to_owned()
        }
        _ => run.told(&run.ledger.explain().reason),
    }
}

/// Whether there is a verdict.
pub(super) fn is_decided(entry: &Entry) -> bool {
    entry.decision != UNDECIDED
}

fn is_over(state: State) -> bool {
    matches!(
        state,
        State::Promoted(_) | State::RolledBack | State::Futile | State::Stopped
    )
}

/// The words of the API.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Draft => "draft",
        State::Shadow => "shadow",
        State::Running => "running",
        State::Paused => "paused",
        State::Promoted(_) => "promoted",
        State::RolledBack => "rolled_back",
        State::Futile => "futile",
        State::Stopped => "stopped",
    }
}

//! How a verdict came about, moment by moment.

use std::fmt::Write;

use policy::Experiment;
use serde::Serialize;
use stats::{Decision, Estimate, Interval, LogE, Report, Verdict};

use crate::audit::time;
use crate::referee;

/// What came of a replay.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    experiment: String,
    run: u32,
    /// Rows of this run.
    pub(super) rows: u64,
    /// Rows of earlier runs that came after its first.
    pub(super) skipped: u64,
    /// Observations that came after their tick had closed.
    pub(super) late: u64,
    /// Observations that could not be one of their metric's.
    pub(super) unusable: u64,
    timeline: Vec<Moment>,
    verdict: Option<Final>,
}

/// How things stood after a tick.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Moment {
    time: String,
    observations: u64,
    share: f64,
    decision: &'static str,
    arm: Option<String>,
    reason: String,
    metrics: Vec<Metric>,
    /// Every number that the decision rests on.
    evidence: stats::Reason,
}

#[derive(Clone, Debug, Serialize)]
struct Metric {
    name: String,
    arm: String,
    estimate: Estimate,
    interval: Option<Interval>,
    log_e: LogE,
}

/// The last moment, as a verdict.
#[derive(Clone, Debug, Serialize)]
struct Final {
    decision: &'static str,
    arm: Option<String>,
    at_observations: u64,
    time: String,
    reason: String,
}

impl Judged {
    pub(super) fn new(experiment: &str, run: u32) -> Self {
        Self {
            experiment: experiment.to_owned(),
            run,
            rows: 0,
            skipped: 0,
            late: 0,
            unusable: 0,
            timeline: Vec::new(),
            verdict: None,
        }
    }

    /// Whether there is a decision that ends a run.
    pub(super) fn is_decided(&self) -> bool {
        self.timeline.last().is_some_and(Moment::decides)
    }

    pub(super) fn add(&mut self, moment: Moment) {
        self.verdict = Some(Final {
            decision: moment.decision,
            arm: moment.arm.clone(),
            at_observations: moment.observations,
            time: moment.time.clone(),
            reason: moment.reason.clone(),
        });
        let repeats = |last: &Moment| {
            last.decision == moment.decision && last.observations == moment.observations
        };
        if !self.timeline.last().is_some_and(repeats) {
            self.timeline.push(moment);
        }
    }

    #[cfg(test)]
    pub(super) fn verdict(&self) -> (&'static str, u64) {
        let verdict = self.verdict.as_ref();
        verdict.map_or(("", 0), |verdict| {
            (verdict.decision, verdict.at_observations)
        })
    }
}

impl Moment {
    pub(super) fn new(
        experiment: &Experiment,
        now_ms: u64,
        share: f64,
        report: &Report,
        verdict: &Verdict,
        is_over: bool,
    ) -> Self {
        let name = |arm: usize| experiment.arms.get(arm).map(|arm| arm.name.to_string());
        let (decision, arm) = match verdict.decision {
            Decision::Promote { arm } => ("promoted", name(arm)),
            Decision::RollBack => ("rolled_back", None),
            Decision::Wait | Decision::Unsound | Decision::Futile if is_over => ("futile", None),
            Decision::Futile => ("futile", None),
            Decision::Unsound => ("unsound", None),
            Decision::Wait => ("undecided", None),
        };
        let metrics = report.metrics.iter().map(|metric| Metric {
            name: metric.name.clone(),
            arm: name(metric.arm).unwrap_or_default(),
            estimate: metric.estimate,
            interval: metric.interval,
            log_e: metric.log_e,
        });
        Self {
            time: time(now_ms),
            observations: report.observations,
            share,
            decision,
            arm,
            reason: referee::told(experiment, &verdict.reason),
            metrics: metrics.collect(),
            evidence: verdict.reason.clone(),
        }
    }

    fn decides(&self) -> bool {
        !matches!(self.decision, "undecided" | "unsound")
    }
}

/// For people.
pub(super) fn page(judged: &Judged) -> String {
    let mut page = format!(
        "{}, run {}: {} rows, {} late, {} unusable\n",
        judged.experiment, judged.run, judged.rows, judged.late, judged.unusable
    );
    let mut line = |text: String| writeln!(page, "{text}").unwrap_or_default();
    for moment in &judged.timeline {
        line(format!(
            "{}  {:>9} observations at {:>5.2}%  {:<11}  {}",
            moment.time,
            moment.observations,
            moment.share * 100.0,
            moment.decision,
            moment.reason
        ));
    }
    if let Some(verdict) = &judged.verdict {
        let arm = verdict
            .arm
            .as_ref()
            .map_or(String::new(), |arm| format!(" ({arm})"));
        line(format!(
            "verdict: {}{arm} after {} observations",
            verdict.decision, verdict.at_observations
        ));
    }
    page
}

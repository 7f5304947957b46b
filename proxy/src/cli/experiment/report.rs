//! Experiments as the admin API reports them. Only what is shown is read, so a newer server may say more.

use serde::Deserialize;

/// What `GET /api/v1/experiments` answers.
#[derive(Debug, Deserialize)]
pub(crate) struct Experiments {
    pub(crate) experiments: Vec<Experiment>,
}

/// One experiment.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Experiment {
    pub(crate) name: String,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) run: u32,
    /// The step of the ramp, from 0, ...
    #[serde(default)]
    pub(crate) step: usize,
    /// ... of so many.
    #[serde(default)]
    pub(crate) steps: usize,
    /// Closed observations of all arms.
    #[serde(default)]
    pub(crate) observations: u64,
    /// Closed observations when it ended.
    #[serde(default)]
    pub(crate) at_observations: Option<u64>,
    /// Why it ended, or what is missing.
    #[serde(default)]
    pub(crate) reason: String,
    /// How many people must approve a promotion.
    #[serde(default)]
    pub(crate) approvals_needed: usize,
    /// A promotion that waits for them.
    #[serde(default)]
    pub(crate) proposal: Option<Proposal>,
    #[serde(default)]
    pub(crate) arms: Vec<Arm>,
    #[serde(default)]
    pub(crate) metrics: Vec<Metric>,
    #[serde(default)]
    pub(crate) sample_ratio: Option<SampleRatio>,
    /// How what was promoted stands since.
    #[serde(default)]
    pub(crate) watch: Option<Watch>,
    #[serde(default)]
    pub(crate) history: Vec<Entry>,
}

/// A promoted arm that is watched.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Watch {
    pub(crate) arm: String,
    pub(crate) reverts: bool,
    pub(crate) metrics: Vec<WatchedMetric>,
}

/// One metric of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct WatchedMetric {
    pub(crate) metric: String,
    /// What it is compared with; none if it cannot be watched.
    pub(crate) frozen: Option<Frozen>,
    pub(crate) n: u64,
    pub(crate) events: u64,
    pub(crate) log_e: f64,
    pub(crate) threshold: f64,
    pub(crate) alarm: bool,
}

/// What a metric of it was.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Frozen {
    pub(crate) allowed: f64,
}

/// A promotion that is proven and waits for people.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Proposal {
    /// The candidate's name.
    pub(crate) arm: String,
    pub(crate) approvals: Vec<Approval>,
}

/// One person's approval.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Approval {
    pub(crate) by: String,
}

/// One thing that happened to a run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) time: String,
    pub(crate) kind: String,
    pub(crate) at_observations: u64,
    pub(crate) reason: String,
}

/// One of the things compared.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) share: f64,
    pub(crate) exposures: u64,
    #[serde(default)]
    pub(crate) units: u64,
}

/// One candidate, measured by one metric.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metric {
    pub(crate) name: String,
    /// The candidate's name.
    pub(crate) arm: String,
    pub(crate) role: Role,
    /// What the interval is about: `odds_ratio`, `ratio`, `rate_ratio`, `quantile_ratio`, `difference`,
    /// `exceedance_difference` or `none`.
    pub(crate) scale: String,
    pub(crate) estimate: Estimate,
    /// Where values are cut off.
    #[serde(default)]
    pub(crate) winsorized_at: Option<f64>,
    pub(crate) interval: Option<[f64; 2]>,
    #[serde(default)]
    pub(crate) superior: Option<Score>,
    #[serde(default)]
    pub(crate) not_worse: Option<Score>,
    #[serde(default)]
    pub(crate) worse: Option<Score>,
    /// Whether the alarm behind the metric has gone off, which stops the ramp.
    #[serde(default)]
    pub(crate) alarm: bool,
    /// Whether a list of better candidates would hold this one.
    #[serde(default)]
    pub(crate) listed: bool,
}

/// What a metric is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Goal,
    Guardrail,
}

/// What both arms are estimated at.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) control: Option<f64>,
    pub(crate) candidate: Option<f64>,
}

/// How far a test has come, and how far it must.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Score {
    /// The logarithm of an e-value.
    Evidence { log_e: f64, threshold: f64 },
    /// A walk against its boundary.
    Boundary { z: f64, bound: f64 },
    /// Not judged yet.
    Gathering,
}

/// Whether units arrive on the arms as the shares say.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SampleRatio {
    pub(crate) log_e: Option<f64>,
    pub(crate) alarm: bool,
    /// One unit in so many is counted.
    #[serde(default)]
    pub(crate) sampling: u64,
}

impl Experiment {
    /// Whether nothing more will be decided.
    pub(crate) fn is_over(&self) -> bool {
        matches!(
            &*self.state,
            "promoted" | "rolled_back" | "futile" | "stopped"
        )
    }

    /// The part of the traffic that does not go to the control.
    pub(crate) fn candidates_share(&self) -> f64 {
        self.arms.iter().skip(1).map(|arm| arm.share).sum()
    }
}

impl Metric {
    /// How far the test has come whose answer a promotion waits for.
    pub(crate) fn wanted(&self) -> Option<Score> {
        match self.role {
            Role::Goal => self.superior,
            Role::Guardrail => self.not_worse,
        }
    }
}

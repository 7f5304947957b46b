//! Where a run of an experiment stands, as it is kept.

use std::collections::BTreeMap;

use policy::{ArmId, Stage, State};
use serde::{Deserialize, Serialize};

/// One run of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    /// Which attempt.
    pub(crate) run: u32,
    /// The hash of what is being decided: another one is another run.
    pub(crate) definition: String,
    /// The stretch of constant shares.
    pub(crate) epoch: u32,
    /// The step of the ramp.
    pub(crate) step: usize,
    state: StateRecord,
    /// When the run began, in milliseconds since 1970.
    pub(crate) started_ms: u64,
    /// When its step began.
    pub(crate) step_started_ms: u64,
    /// Exposures of all arms when its step began.
    pub(crate) step_exposures: u64,
    /// Closed observations of all arms at the decision.
    pub(crate) at_observations: Option<u64>,
    /// Why it was decided, in a sentence.
    pub(crate) reason: Option<String>,
    /// Whether a verdict was given as advice only.
    pub(crate) advised: bool,
    /// Until when it waits to begin, in milliseconds since 1970, because the run before was rolled back.
    #[serde(default)]
    pub(crate) held_until_ms: Option<u64>,
    /// A promotion that waits for people.
    #[serde(default)]
    pub(crate) proposal: Option<Proposal>,
    /// Alarms that have gone off, by name: each is told once a run.
    #[serde(default)]
    pub(crate) alarms: Vec<String>,
    /// At which values metrics are cut off.
    #[serde(default)]
    pub(crate) caps: BTreeMap<String, f64>,
    /// What happened so far.
    pub(crate) history: Vec<Milestone>,
}

/// A promotion that has been proven and waits for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// The arm that is to win.
    pub(crate) arm: u8,
    /// Closed observations of all arms at the proof.
    pub(crate) at_observations: u64,
    /// Why, in a sentence.
    pub(crate) reason: String,
    /// The proof, as the audit trail has it.
    pub(crate) evidence: serde_json::Value,
    /// Who has approved so far.
    pub(crate) approvals: Vec<Approval>,
}

/// One person's approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Approval {
    /// Whose.
    pub(crate) by: String,
    /// When (RFC 3339).
    pub(crate) time: String,
    /// Why, in the person's words.
    pub(crate) reason: String,
}

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Milestone {
    /// When (RFC 3339).
    pub(crate) time: String,
    /// What: `started`, `stepped`, `promoted` and so on.
    pub(crate) kind: String,
    /// The step of the ramp since then.
    pub(crate) step: usize,
    /// The share of each candidate since then.
    pub(crate) share: f64,
    /// Closed observations of all arms by then.
    pub(crate) at_observations: u64,
    /// Why, in a sentence.
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateRecord {
    Draft,
    Shadow,
    Running,
    Paused,
    Promoted(u8),
    RolledBack,
    Futile,
    Stopped,
}

impl RunRecord {
    /// A run that begins now.
    pub(crate) fn begin(stage: Stage, definition: u128, now_ms: u64) -> Self {
        Self {
            run: stage.run(),
            definition: hex(definition),
            epoch: stage.epoch(),
            step: stage.step(),
            state: stage.state().into(),
            started_ms: now_ms,
            step_started_ms: now_ms,
            step_exposures: 0,
            at_observations: None,
            reason: None,
            advised: false,
            held_until_ms: None,
            proposal: None,
            alarms: Vec::new(),
            caps: BTreeMap::new(),
            history: Vec::new(),
        }
    }

    /// Whether the run decides what this definition says.
    pub(crate) fn decides(&self, definition: u128) -> bool {
        self.definition == hex(definition)
    }

    /// Where it stands.
    pub(crate) fn stage(&self) -> Stage {
        Stage::from_parts(self.run, self.epoch, self.step, self.state.into())
    }

    /// Puts it there.
    pub(crate) fn set_stage(&mut self, stage: Stage) {
        self.epoch = stage.epoch();
        self.step = stage.step();
        self.state = stage.state().into();
    }
}

fn hex(definition: u128) -> String {
    format!("{definition:032x}")
}

impl From<State> for StateRecord {
    fn from(state: State) -> Self {
        match state {
            State::Draft => Self::Draft,
            State::Shadow => Self::Shadow,
            State::Running => Self::Running,
            State::Paused => Self::Paused,
            State::Promoted(ArmId(arm)) => Self::Promoted(arm),
            State::RolledBack => Self::RolledBack,
            State::Futile => Self::Futile,
            State::Stopped => Self::Stopped,
        }
    }
}

impl From<StateRecord> for State {
    fn from(state: StateRecord) -> Self {
        match state {
            StateRecord::Draft => Self::Draft,
            StateRecord::Shadow => Self::Shadow,
            StateRecord::Running => Self::Running,
            StateRecord::Paused => Self::Paused,
            StateRecord::Promoted(arm) => Self::Promoted(ArmId(arm)),
            StateRecord::RolledBack => Self::RolledBack,
            StateRecord::Futile => Self::Futile,
            StateRecord::Stopped => Self::Stopped,
        }
    }
}

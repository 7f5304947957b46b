//! What `wald demo --once` prints at the end.

use serde::Serialize;

use crate::cli::experiment::Experiment;

/// The verdicts of one demo.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seed: u64,
    experiments: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    decision: &'static str,
    at_observations: u64,
    reason: String,
}

/// The decision of an experiment that has none.
const UNDECIDED: &str = "undecided";

impl Summary {
    pub(super) fn new(seed: u64, experiments: &[Experiment]) -> Self {
        Self {
            seed,
            experiments: experiments.iter().map(Row::of).collect(),
        }
    }

    /// Whether every experiment has its verdict.
    pub(super) fn decided(&self) -> bool {
        !self.experiments.is_empty() && self.experiments.iter().all(|row| row.decision != UNDECIDED)
    }
}

impl Row {
    fn of(experiment: &Experiment) -> Self {
        let decision = match &*experiment.state {
            "promoted" => "promoted",
            "rolled_back" => "rolled_back",
            "futile" => "futile",
            "stopped" => "stopped",
            _ => UNDECIDED,
        };
        Self {
            name: experiment.name.clone(),
            decision,
            at_observations: experiment
                .at_observations
                .unwrap_or(experiment.observations),
            reason: experiment.reason.clone(),
        }
    }
}

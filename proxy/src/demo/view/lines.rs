//! Progress without a terminal: a line for each event, and now and then a sign of life.

use std::time::Duration;

use tokio::time::Instant;

use super::event;
use crate::cli::experiment::Experiment;
use crate::demo::replay::Tally;

/// Time between two signs of life.
const SIGN: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Lines {
    before: Vec<Experiment>,
    sign: Option<Instant>,
}

impl Lines {
    /// The lines that are new.
    pub(super) fn show(&mut self, experiments: &[Experiment], tally: Tally) -> Vec<String> {
        let mut lines: Vec<String> = experiments
            .iter()
            .filter_map(|now| {
                event(
                    self.before.iter().find(|before| before.name == now.name),
                    now,
                )
            })
            .collect();
        if self.sign.get_or_insert_with(Instant::now).elapsed() >= SIGN {
            self.sign = Some(Instant::now());
            lines.push(tally.to_string());
        }
        self.before = experiments.to_vec();
        lines
    }
}

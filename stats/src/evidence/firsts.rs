//! The outcome of each returning unit's first request, where one arm is held against a ceiling: requests of
//! one unit are no independent successes, but its first requests are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Outcomes of units that one delta tells apart; those beyond are left out, which only delays a proof.
const OUTCOMES_MAX: usize = 1 << 16;

/// What was seen of units' earliest requests, by metric, unit and arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FirstOutcomes(BTreeMap<Whose, FirstOutcome>);

/// Of which metric, unit and arm.
pub(crate) type Whose = (usize, u64, usize);

/// The outcome of a request; ordered so that the earlier is the lesser, and of one moment the bad one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct FirstOutcome {
    /// The tick in which the request started.
    pub(crate) tick: u64,
    /// When within it.
    pub(crate) moment: u64,
    pub(crate) is_good: bool,
}

impl FirstOutcomes {
    /// Keeps an outcome if it is the earliest.
    pub(crate) fn add(&mut self, whose: Whose, outcome: FirstOutcome) {
        if let Some(seen) = self.0.get_mut(&whose) {
            *seen = (*seen).min(outcome);
        } else if self.0.len() < OUTCOMES_MAX {
            self.0.insert(whose, outcome);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Whose, FirstOutcome)> + '_ {
        self.0.iter().map(|(&whose, &outcome)| (whose, outcome))
    }
}

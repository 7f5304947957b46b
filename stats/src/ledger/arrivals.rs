//! How many returning units a metric may count: those whose first tick has closed for it, so that its gate
//! never counts a user before what became of them is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The units of one metric, by arm. A unit is new to each arm that it meets: a ramp moves returning ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Arrivals {
    /// Of cohorts that are open, by their last tick.
    open: BTreeMap<u64, Vec<u64>>,
    settled: Vec<u64>,
}

impl Arrivals {
    pub(super) fn new(arms: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            settled: vec![0; arms],
        }
    }

    /// Counts a unit that an arm met for the first time, in the cohort that closes with this tick.
    pub(super) fn expect(&mut self, tick: u64, arm: usize) {
        let arms = self.settled.len();
        let arrived = self.open.entry(tick).or_insert_with(|| vec![0; arms]);
        if let Some(count) = arrived.get_mut(arm) {
            *count += 1;
        }
    }

    /// Lets the units of a tick that closes, and of all before it, count.
    pub(super) fn settle(&mut self, tick: u64) {
        let open = self.open.split_off(&tick.saturating_add(1));
        for arrived in std::mem::replace(&mut self.open, open).into_values() {
            for (ours, theirs) in self.settled.iter_mut().zip(arrived) {
                *ours += theirs;
            }
        }
    }

    /// How many units each arm had met by the last tick that closed.
    pub(super) fn settled(&self) -> &[u64] {
        &self.settled
    }
}

//! The first request of each returning unit on each arm, and what became of it: what a ceiling is tested by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{evidence::FirstOutcome, sample_ratio::Arrival};

/// The first requests of one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Firsts {
    /// Units whose first tick is open, by that tick; none while the outcome is not known.
    open: BTreeMap<u64, BTreeMap<(u64, usize), Option<Seen>>>,
    /// By arm, of ticks that are closed.
    counts: Vec<Count>,
}

/// The earliest request of a unit in its first tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Seen {
    moment: u64,
    is_good: bool,
}

/// How many first requests an arm answered, and how many of them were good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) n: u64,
    pub(crate) successes: u64,
}

impl Firsts {
    pub(super) fn new(arms: usize) -> Self {
        Self {
            open: BTreeMap::new(),
            counts: vec![Count::default(); arms],
        }
    }

    /// A unit has met an arm: the outcome of that request will count.
    pub(super) fn expect(&mut self, arrival: Arrival) {
        let tick = self.open.entry(arrival.tick).or_default();
        tick.insert((arrival.unit, arrival.arm), None);
    }

    /// Takes an outcome if it is that of a unit's first request.
    pub(super) fn add(&mut self, unit: u64, arm: usize, outcome: FirstOutcome) {
        let tick = self.open.get_mut(&outcome.tick);
        let Some(first) = tick.and_then(|tick| tick.get_mut(&(unit, arm))) else {
            return;
        };
        let seen = Seen {
            moment: outcome.moment,
            is_good: outcome.is_good,
        };
        *first = Some(first.map_or(seen, |before| before.min(seen)));
    }

    /// Counts the units of a tick that closes, and of all before it.
    pub(super) fn settle(&mut self, tick: u64) {
        let open = self.open.split_off(&tick.saturating_add(1));
        let closed = std::mem::replace(&mut self.open, open);
        for ((_, arm), seen) in closed.into_values().flatten() {
            if let (Some(seen), Some(count)) = (seen, self.counts.get_mut(arm)) {
                count.n += 1;
                count.successes += u64::from(seen.is_good);
            }
        }
    }

    pub(super) fn counts(&self) -> &[Count] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRIVAL: Arrival = Arrival {
        tick: 5,
        arm: 1,
        unit: 7,
    };

    fn outcome(tick: u64, moment: u64, is_good: bool) -> FirstOutcome {
        FirstOutcome {
            tick,
            moment,
            is_good,
        }
    }

    #[test]
    fn only_the_first_request_of_a_unit_counts() {
        let mut firsts = Firsts::new(2);
        firsts.expect(ARRIVAL);
        // Reported out of order: the second of its tick, the first, one of the next tick.
        firsts.add(7, 1, outcome(5, 20, false));
        firsts.add(7, 1, outcome(5, 10, true));
        firsts.add(7, 1, outcome(6, 30, false));
        firsts.add(8, 1, outcome(5, 10, false));
        firsts.settle(5);
        assert_eq!(
            firsts.counts(),
            [Count::default(), Count { n: 1, successes: 1 }]
        );
        firsts.add(7, 1, outcome(5, 1, false));
        firsts.settle(9);
        assert_eq!(firsts.counts()[1].n, 1, "a closed tick stays as it is");
    }

    #[test]
    fn a_unit_whose_outcome_never_came_counts_nowhere() {
        let mut firsts = Firsts::new(2);
        firsts.expect(ARRIVAL);
        firsts.settle(5);
        assert_eq!(firsts.counts(), [Count::default(); 2]);
    }
}

//! How long a metric's observations are waited for: each metric has its own patience, so that an alarm
//! on errors never waits for feedback that takes a day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A metric keeps its open ticks in at most so many cohorts an epoch, give or take the one that grows and
/// the one that closes: memory is then bounded however long feedback may take.
const COHORTS: u64 = 64;

/// How long after a tick closes the workers have surely heard of it: they are asked twice a second.
const NEWS: Duration = Duration::from_secs(2);

/// The patience of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Metrics that wait alike close their ticks together.
    window: Duration,
    /// How many ticks are judged as one.
    cohort: u64,
    /// How many ticks after one that closes begins the first that knows of it.
    lead: u64,
}

impl Wait {
    /// Waiting this long, with ticks of this length. Where that is many ticks, consecutive ones are judged
    /// as one, which delays a tick's evidence by at most 1/64 of its window.
    #[must_use]
    pub fn new(window: Duration, tick: Duration) -> Self {
        let ticks = |time: Duration| {
            let ticks = time.as_millis().div_ceil(tick.as_millis().max(1));
            u64::try_from(ticks).unwrap_or(u64::MAX)
        };
        Self {
            window,
            cohort: ticks(window).div_ceil(COHORTS).max(1),
            lead: ticks(window.saturating_add(NEWS)).saturating_add(1),
        }
    }

    /// The last tick of the cohort that a tick belongs to: it closes when that one does.
    #[must_use]
    pub fn cohort(&self, tick: u64) -> u64 {
        let cohort = self.cohort.max(1);
        (tick - tick % cohort).saturating_add(cohort - 1)
    }

    /// The first tick that can know what a tick has shown.
    pub(super) fn aware_of(&self, tick: u64) -> u64 {
        tick.saturating_add(self.lead)
    }
}

impl Default for Wait {
    /// Alike for all, each tick on its own.
    fn default() -> Self {
        Self {
            window: Duration::ZERO,
            cohort: 1,
            lead: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_judged_tick_by_tick() {
        let wait = Wait::new(Duration::from_secs(60), Duration::from_secs(1));
        assert_eq!([7, 8].map(|tick| wait.cohort(tick)), [7, 8]);
    }

    #[test]
    fn a_day_is_judged_in_cohorts_of_a_64th_of_it() {
        let wait = Wait::new(Duration::from_secs(86_400), Duration::from_secs(1));
        assert_eq!(
            [0, 1349, 1350].map(|tick| wait.cohort(tick)),
            [1349, 1349, 2699]
        );
    }
}

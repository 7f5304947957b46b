//! How many retries there may be beside the requests of a route: a server that is overloaded must not get more
//! for being so.

use std::cell::Cell;
use std::time::Instant;

/// In what time what was counted has lost all but 1/e of its weight.
const DECAY_SECONDS: f64 = 10.0;

/// So many retries there may be in any case, as few requests would otherwise have none.
const RETRIES_MIN: f64 = 3.0;

/// What one worker counted of one route.
#[derive(Default)]
pub(crate) struct Budget {
    requests: Cell<f64>,
    retries: Cell<f64>,
    seen: Cell<Option<Instant>>,
}

impl Budget {
    /// A request came that may be tried again.
    pub(crate) fn request(&self, now: Instant) {
        self.fade(now);
        self.requests.set(self.requests.get() + 1.0);
    }

    /// Counts one more retry, if there may be one: retries are no more than this share of the requests.
    pub(crate) fn spend(&self, share: f64, now: Instant) -> bool {
        self.fade(now);
        let retries = self.retries.get();
        let may = retries < (self.requests.get() * share).max(RETRIES_MIN);
        if may {
            self.retries.set(retries + 1.0);
        }
        may
    }

    fn fade(&self, now: Instant) {
        let Some(seen) = self.seen.replace(Some(now)) else {
            return;
        };
        let seconds = now.saturating_duration_since(seen).as_secs_f64();
        let kept = (-seconds / DECAY_SECONDS).exp();
        self.requests.set(self.requests.get() * kept);
        self.retries.set(self.retries.get() * kept);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spent(budget: &Budget, now: Instant) -> usize {
        (0..1_000).filter(|_| budget.spend(0.2, now)).count()
    }

    #[test]
    fn a_few_retries_are_always_there_and_then_a_share_of_the_requests() {
        let (budget, now) = (Budget::default(), Instant::now());
        assert_eq!(spent(&budget, now), 3);
        for _ in 0..100 {
            budget.request(now);
        }
        assert_eq!(spent(&budget, now), 17, "20% of 100, of which 3 are spent");
    }

    #[test]
    fn what_was_spent_is_forgotten() {
        let (budget, now) = (Budget::default(), Instant::now());
        assert_eq!(spent(&budget, now), 3);
        assert_eq!(spent(&budget, now + Duration::from_secs(1)), 1);
        assert_eq!(spent(&budget, now + Duration::from_secs(60)), 3);
    }
}

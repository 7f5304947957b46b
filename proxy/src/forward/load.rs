//! How fast and how busy a server is, as one worker sees it.
//!
//! The latency is a moving average that rises to a peak at once and falls slowly, as in Finagle's "Peak EWMA"
//! (Twitter, 2013): a server that begins to stall is avoided from its first slow answer on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::count::{Count, Counted};

/// In what time an old latency has lost all but 1/e of its weight.
const DECAY_SECONDS: f64 = 10.0;

/// What a request in flight to a server costs that has not answered any yet: so much, that no second one goes
/// there while others are free.
const UNKNOWN_COST: f64 = 1e6;

/// What one worker knows about one server.
#[derive(Default)]
pub(super) struct Load {
    in_flight: Count,
    seconds: Cell<f64>,
    seen: Cell<Option<Instant>>,
}

impl Load {
    /// One more request, until that is dropped.
    pub(super) fn begin(&self) -> Counted {
        self.in_flight.always_one_more()
    }

    /// Requests without a whole answer.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.number()
    }

    /// An answer began after this time.
    pub(super) fn observe(&self, latency: Duration, now: Instant) {
        let latency = latency.as_secs_f64();
        let before = self.latency(now).unwrap_or_default();
        let seen = self.seen.replace(Some(now));
        let kept = seen.map_or(0.0, |seen| kept(seen, now));
        // What was lost to time in `before` is made up for by the new one.
        self.seconds.set(if latency > before {
            latency
        } else {
            before + latency * (1.0 - kept)
        });
    }

    /// The average in seconds; none before the first answer. It falls while nobody asks, so that a server that
    /// was slow is tried again.
    pub(super) fn latency(&self, now: Instant) -> Option<f64> {
        Some(self.seconds.get() * kept(self.seen.get()?, now))
    }

    /// What one more request would cost: the time of those that are there, and its own.
    pub(super) fn cost(&self, now: Instant) -> f64 {
        let in_flight = f64::from(self.in_flight());
        match self.latency(now) {
            Some(latency) => latency * (in_flight + 1.0),
            None => UNKNOWN_COST * in_flight,
        }
    }
}

/// The weight that something keeps from `seen` to `now`.
fn kept(seen: Instant, now: Instant) -> f64 {
    (-now.saturating_duration_since(seen).as_secs_f64() / DECAY_SECONDS).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_peak_counts_at_once_and_is_forgotten_slowly() {
        let (load, start) = (Load::default(), Instant::now());
        load.observe(10 * MS, start);
        load.observe(500 * MS, start + MS);
        let at = |seconds| load.latency(start + Duration::from_secs(seconds)).unwrap();
        assert!(at(0) > 0.49 && at(10) < 0.19 && at(10) > 0.17, "{}", at(10));
        let later = start + Duration::from_secs(10);
        load.observe(10 * MS, later);
        let mixed = load.latency(later).unwrap();
        assert!(mixed > 0.18 && mixed < 0.2, "{mixed}");
    }

    #[test]
    fn requests_in_flight_make_a_server_dearer() {
        let (load, now) = (Load::default(), Instant::now());
        assert!(load.cost(now).total_cmp(&0.0).is_eq(), "worth a try");
        let one = load.begin();
        assert!(load.cost(now) > 1e5, "one try is enough");
        load.observe(10 * MS, now);
        assert!((load.cost(now) - 0.02).abs() < 1e-9);
        drop(one);
        assert!((load.cost(now) - 0.01).abs() < 1e-9);
    }
}

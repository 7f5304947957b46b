//! Whether a worker gives requests to a server: whether it is well, set aside, or has just come.

use std::cell::Cell;
use std::time::{Duration, Instant};

use policy::Eviction;

/// What a server that has just come gets at least of its part, so that it is noticed at all.
const SHARE_MIN: f64 = 0.1;

/// Where one server stands with one worker.
pub(super) struct Standing {
    is_well: Cell<bool>,
    failures: Cell<u32>,
    /// How often in a row it was set aside, and until when the last time.
    evictions: Cell<u32>,
    evicted_until: Cell<Option<Instant>>,
    rests_until: Cell<Option<Instant>>,
    joined: Cell<Option<Instant>>,
    evictions_ever: Cell<u64>,
}

impl Standing {
    /// A server that joins now; none if all of its upstream do.
    pub(super) fn new(is_well: bool, joined: Option<Instant>) -> Self {
        Self {
            is_well: Cell::new(is_well),
            failures: Cell::new(0),
            evictions: Cell::new(0),
            evicted_until: Cell::new(None),
            rests_until: Cell::new(None),
            joined: Cell::new(joined),
            evictions_ever: Cell::new(0),
        }
    }

    /// What the last health check said.
    pub(super) fn hear(&self, is_well: bool, now: Instant) {
        if is_well && !self.is_well.replace(is_well) {
            self.joined.set(Some(now));
        }
        self.is_well.set(is_well);
    }

    /// Whether it may get requests.
    pub(super) fn is_available(&self, now: Instant) -> bool {
        self.is_well.get() && self.away_until(now).is_none()
    }

    /// Until when it is set aside or rests.
    pub(super) fn away_until(&self, now: Instant) -> Option<Instant> {
        let ends = [self.evicted_until.get(), self.rests_until.get()];
        ends.into_iter().flatten().filter(|end| *end > now).max()
    }

    /// Whether it was set aside for failing.
    pub(super) fn is_evicted(&self, now: Instant) -> bool {
        self.evicted_until.get().is_some_and(|until| until > now)
    }

    /// How often it was set aside since it came.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions_ever.get()
    }

    /// It answered.
    pub(super) fn succeeded(&self) {
        self.failures.set(0);
    }

    /// It did not, or said that it cannot. Whether it is set aside for that.
    pub(super) fn failed(&self, eviction: &Eviction, now: Instant) -> bool {
        let failures = self.failures.get() + 1;
        self.failures.set(failures);
        if failures < eviction.consecutive_failures || self.is_evicted(now) {
            return false;
        }
        // Whoever has been well for as long as it could have been away begins anew.
        let behind = self.evicted_until.get();
        let is_old = behind.is_none_or(|until| now.duration_since(until) > eviction.max);
        let times = if is_old { 0 } else { self.evictions.get() };
        let away = eviction.base.saturating_mul(1 << times.min(30));
        let until = now + away.min(eviction.max);
        self.evictions.set(times + 1);
        self.evicted_until.set(Some(until));
        self.joined.set(Some(until));
        self.failures.set(0);
        self.evictions_ever.set(self.evictions_ever.get() + 1);
        true
    }

    /// It asked to be left alone for a while.
    pub(super) fn rest(&self, until: Instant) {
        self.rests_until.set(Some(until));
    }

    /// The part of its requests that it gets, as it comes slowly; 1 when it has come.
    pub(super) fn share(&self, slow_start: Duration, now: Instant) -> f64 {
        let Some(joined) = self.joined.get().filter(|_| !slow_start.is_zero()) else {
            return 1.0;
        };
        let here = now.saturating_duration_since(joined).as_secs_f64();
        (here / slow_start.as_secs_f64()).clamp(SHARE_MIN, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVICTION: Eviction = Eviction {
        consecutive_failures: 2,
        base: Duration::from_secs(1),
        max: Duration::from_secs(3),
    };

    fn fail_until_evicted(standing: &Standing, now: Instant) -> Duration {
        assert!(!standing.failed(&EVICTION, now));
        assert!(standing.failed(&EVICTION, now));
        standing.away_until(now).unwrap() - now
    }

    #[test]
    fn failures_in_a_row_set_a_server_aside_and_each_time_for_longer() {
        let (standing, start) = (Standing::new(true, None), Instant::now());
        let mut now = start;
        for seconds in [1, 2, 3, 3] {
            let away = Duration::from_secs(seconds);
            assert_eq!(fail_until_evicted(&standing, now), away);
            assert!(!standing.is_available(now));
            now += away;
            assert!(standing.is_available(now));
        }
        now += Duration::from_secs(4);
        assert_eq!(fail_until_evicted(&standing, now), EVICTION.base);
    }

    #[test]
    fn an_answer_between_two_failures_forgives_the_first() {
        let (standing, now) = (Standing::new(true, None), Instant::now());
        assert!(!standing.failed(&EVICTION, now));
        standing.succeeded();
        assert!(!standing.failed(&EVICTION, now));
        assert!(standing.is_available(now));
    }

    #[test]
    fn whoever_joins_or_comes_back_gets_its_part_slowly() {
        let slow = Duration::from_secs(10);
        let start = Instant::now();
        let share = |standing: &Standing, seconds| {
            let share = standing.share(slow, start + Duration::from_secs(seconds));
            format!("{share:.2}")
        };
        let joined = Standing::new(true, Some(start));
        let seen = [0, 5, 10, 60].map(|seconds| share(&joined, seconds));
        assert_eq!(seen, ["0.10", "0.50", "1.00", "1.00"]);
        let sick = Standing::new(true, None);
        assert_eq!(share(&sick, 0), "1.00");
        sick.hear(false, start);
        assert!(!sick.is_available(start));
        sick.hear(true, start);
        assert_eq!(share(&sick, 5), "0.50");
    }
}

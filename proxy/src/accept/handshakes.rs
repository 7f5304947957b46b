//! How many TLS handshakes one listener has going on, and how fast they may follow each other.
//!
//! A handshake costs a worker a hundred times what a request costs. Without a limit, whoever opens connections
//! fast enough would take the worker's time from requests on connections that are open.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use policy::ListenerLimits;

/// What may come at once after a quiet time, as a time of the average rate.
const BURST: Duration = Duration::from_secs(1);

/// The handshakes of one listener on one worker.
pub(super) struct Handshakes {
    limits: ListenerLimits,
    open: Rc<Cell<u32>>,
    /// When all that has begun would have been due at the average rate: a leaky bucket in one number.
    due: Cell<Instant>,
}

/// One handshake, for as long as it goes on.
pub(super) struct Handshake(Rc<Cell<u32>>);

impl Handshakes {
    /// None yet.
    pub(super) fn new(limits: ListenerLimits) -> Self {
        Self {
            limits,
            open: Rc::default(),
            due: Cell::new(Instant::now()),
        }
    }

    /// One more, or the name of the limit that keeps it out.
    pub(super) fn begin(&self, now: Instant) -> Result<Handshake, &'static str> {
        let open = self.open.get();
        if open >= self.limits.handshakes {
            return Err("listener_handshakes");
        }
        let due = self.due.get().max(now) + self.limits.handshake_pause;
        if due.saturating_duration_since(now) > BURST.max(self.limits.handshake_pause) {
            return Err("listener_handshake_rate");
        }
        self.due.set(due);
        self.open.set(open + 1);
        Ok(Handshake(Rc::clone(&self.open)))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(handshakes: u32, pause: Duration) -> ListenerLimits {
        ListenerLimits {
            handshakes,
            handshake_pause: pause,
            ..ListenerLimits::default()
        }
    }

    #[test]
    fn no_more_than_the_limit_go_on_at_once() {
        let handshakes = Handshakes::new(limits(1, Duration::from_millis(1)));
        let now = Instant::now();
        let first = handshakes.begin(now);
        assert!(first.is_ok());
        assert_eq!(handshakes.begin(now).err(), Some("listener_handshakes"));
        drop(first);
        assert!(handshakes.begin(now).is_ok());
    }

    #[test]
    fn the_rate_holds_after_a_burst_of_one_second() {
        let handshakes = Handshakes::new(limits(u32::MAX, Duration::from_millis(100)));
        let now = Instant::now();
        let begun = |at| (0..100).filter(|_| handshakes.begin(at).is_ok()).count();
        assert_eq!(begun(now), 10);
        assert_eq!(handshakes.begin(now).err(), Some("listener_handshake_rate"));
        assert_eq!(begun(now + Duration::from_millis(500)), 5);
        assert_eq!(begun(now + Duration::from_secs(60)), 10);
    }

    #[test]
    fn a_rate_below_one_a_second_lets_one_through() {
        let handshakes = Handshakes::new(limits(9, Duration::from_secs(60)));
        let now = Instant::now();
        assert!(handshakes.begin(now).is_ok());
        assert!(handshakes.begin(now + Duration::from_secs(30)).is_err());
        assert!(handshakes.begin(now + Duration::from_secs(61)).is_ok());
    }
}

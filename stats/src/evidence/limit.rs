//! What the numbers of returning units are held against where a quantile has no limit of its own: the
//! quantile of all arms in ticks that were closed by then.
//!
//! Which unit exceeds a limit is summed by bucket as it is seen, so the limit of a tick must be known
//! before the tick begins. It is decided when an earlier tick closes, for ticks far enough ahead for
//! every worker to have heard of it; a replay of the same observations then finds the same limits.

use serde::{Deserialize, Serialize};

use super::Histogram;

/// The limit of one metric, by tick, as a bin of its histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovingLimit {
    /// From which tick on which bin, in order.
    steps: Vec<(u64, i32)>,
}

impl MovingLimit {
    /// What numbers of this tick are held against; none before there was anything to know it from.
    pub(crate) fn at(&self, tick: u64) -> Option<i32> {
        let begun = self.steps.partition_point(|(from, _)| *from <= tick);
        let (_, bin) = self.steps.get(begun.checked_sub(1)?)?;
        Some(*bin)
    }

    /// Whether a number lies above the limit of its tick, when numbers may be so many bins larger.
    pub(crate) fn is_exceeded(&self, tick: u64, y: f64, allowance: i32) -> Option<bool> {
        let limit = self.at(tick)?.saturating_add(allowance);
        Some(Histogram::bin(y).is_some_and(|bin| bin > limit))
    }

    /// Holds from this tick on; calls come in the order of ticks.
    pub(crate) fn move_to(&mut self, from: u64, bin: i32) {
        if self.steps.last().is_none_or(|(_, last)| *last != bin) {
            self.steps.push((from, bin));
        }
    }

    /// Forgets what no tick from this one on is held against.
    pub(crate) fn forget_before(&mut self, tick: u64) {
        let begun = self.steps.partition_point(|(from, _)| *from <= tick);
        self.steps.drain(..begun.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_has_the_limit_that_was_known_before_it() {
        let mut limit = MovingLimit::default();
        assert_eq!(limit.at(9), None);
        limit.move_to(10, 3);
        limit.move_to(20, 3);
        limit.move_to(30, 4);
        assert_eq!(
            [9, 10, 29, 30].map(|tick| limit.at(tick)),
            [None, Some(3), Some(3), Some(4)]
        );
        limit.forget_before(29);
        assert_eq!([29, 30].map(|tick| limit.at(tick)), [Some(3), Some(4)]);
        limit.forget_before(30);
        assert_eq!(limit.steps, [(30, 4)]);
    }

    #[test]
    fn what_is_allowed_moves_the_limit_and_not_the_number() {
        let mut limit = MovingLimit::default();
        limit.move_to(0, Histogram::bin(1.0).unwrap_or_default());
        let exceeded = |y, allowance| limit.is_exceeded(0, y, allowance);
        assert_eq!(exceeded(1.2, 0), Some(true));
        assert_eq!(exceeded(1.2, 22), Some(false));
        assert_eq!(exceeded(1.3, 22), Some(true));
        assert_eq!(exceeded(0.0, 0), Some(false), "nought lies below every bin");
    }
}

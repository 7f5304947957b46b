//! How long a receiver is left alone after a delivery has failed.

use std::time::Duration;

/// After the first failure; doubled after each that follows.
const FIRST: Duration = Duration::from_millis(500);

/// The longest, whatever the receiver says.
const LONGEST: Duration = Duration::from_secs(300);

/// The pause after so many failures in a row. What the document's many Walds send is spread by `chance`, over the
/// upper half of the time; what the receiver asks for is kept.
pub(super) fn pause(failures: u32, asked: Option<Duration>, chance: u32) -> Duration {
    if let Some(asked) = asked {
        return asked.clamp(FIRST, LONGEST);
    }
    let doublings = failures.saturating_sub(1).min(16);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let part = f64::from(chance) / f64::from(u32::MAX);
    whole.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_five_minutes() {
        let longest = |failures| pause(failures, None, u32::MAX).as_millis();
        let pauses: Vec<_> = [1, 2, 3, 10, 11, 60, u32::MAX].map(longest).to_vec();
        assert_eq!(
            pauses,
            [500, 1000, 2000, 256_000, 300_000, 300_000, 300_000]
        );
    }

    #[test]
    fn chance_takes_away_half_at_most() {
        assert_eq!(pause(3, None, 0), Duration::from_secs(1));
        let middle = pause(3, None, u32::MAX / 2);
        assert!(middle > Duration::from_secs(1) && middle < Duration::from_secs(2));
    }

    #[test]
    fn what_a_receiver_asks_for_is_kept_within_limits() {
        let asked = |seconds| pause(9, Some(Duration::from_secs(seconds)), 7).as_millis();
        assert_eq!([asked(0), asked(7), asked(86_400)], [500, 7000, 300_000]);
    }
}

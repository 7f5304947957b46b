//! Lengths of time.

use super::{Malformed, decimal, number_and_unit, spelled};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time. Written `500us`, `250ms`, `10s`, `5m`, `2h`, `14d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

spelled!(
    Period,
    "A time with its unit: `500us`, `250ms`, `10s`, `5m`, `2h`, `14d`.",
    r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h|d)$"
);

/// From the longest, so that a time is written with the first that divides it. In microseconds.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1_000),
    ("us", 1),
];

/// More than any deadline means, and little enough to be added to a clock: a hundred years.
const MICROSECONDS_MAX: u64 = 36_525 * 86_400_000_000;

impl FromStr for Period {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, unit) = number_and_unit(text);
        let unit = UNITS
            .iter()
            .find(|(name, _)| *name == unit.trim_start())
            .map(|(_, unit)| *unit);
        unit.and_then(|unit| microseconds(number, unit))
            .filter(|microseconds| *microseconds <= MICROSECONDS_MAX)
            .map(|microseconds| Self(Duration::from_micros(microseconds)))
            .ok_or(Malformed {
                wanted: "a time such as 250ms, 10s or 5m",
            })
    }
}

/// `number` times `unit`: exact for whole numbers, else to the nearest microsecond.
fn microseconds(number: &str, unit: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let seconds = decimal(number)? * Duration::from_micros(unit).as_secs_f64();
    u64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_micros()).ok()
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        let fits = UNITS
            .iter()
            .find(|(_, unit)| microseconds > 0 && microseconds.is_multiple_of(u128::from(*unit)));
        let (name, unit) = fits.unwrap_or(&("s", 1_000_000));
        write!(f, "{}{name}", microseconds / u128::from(*unit))
    }
}

impl serde::Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_and_is_written_with_its_longest_unit() {
        for (text, microseconds, written) in [
            ("500us", 500, "500us"),
            ("250ms", 250_000, "250ms"),
            ("1.5s", 1_500_000, "1500ms"),
            ("60s", 60_000_000, "1m"),
            ("14d", 1_209_600_000_000, "14d"),
            ("0s", 0, "0s"),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Period(Duration::from_micros(microseconds)))
            );
            assert_eq!(
                Period(Duration::from_micros(microseconds)).to_string(),
                written
            );
        }
    }

    #[test]
    fn a_time_without_a_unit_or_without_end_is_none() {
        for text in [
            "10",
            "s",
            "",
            "10 years",
            "-1s",
            "1e3s",
            "36526d",
            "99999999999999999999d",
            "1m30s",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}

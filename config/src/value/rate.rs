//! Events in a time.

use super::{Malformed, Period, decimal, spelled};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Events in a time. Written `100/s`, `6000/m`, `10/h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many events.
    pub events: f64,
    /// In what time.
    pub per: Duration,
}

spelled!(
    Rate,
    "Events in a time: `100/s`, `6000/m`, `10/h`.",
    r"^[0-9]+(\.[0-9]+)?/(s|m|h)$"
);

const UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

impl FromStr for Rate {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let parsed = text.split_once('/').and_then(|(events, unit)| {
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
            let events = decimal(events.trim())?;
            Some(Self {
                events,
                per: Duration::from_secs(*seconds),
            })
        });
        parsed.ok_or(Malformed {
            wanted: "a rate such as 100/s",
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS
            .iter()
            .find(|(_, seconds)| self.per == Duration::from_secs(*seconds))
        {
            Some((unit, _)) => write!(f, "{}/{unit}", self.events),
            None => write!(f, "{}/{}", self.events, Period(self.per)),
        }
    }
}

impl serde::Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_reads_and_is_written_alike() {
        for (text, events, seconds) in [
            ("100/s", 100.0, 1),
            ("6000/m", 6000.0, 60),
            ("0.5/h", 0.5, 3600),
        ] {
            let rate = Rate {
                events,
                per: Duration::from_secs(seconds),
            };
            assert_eq!(text.parse(), Ok(rate));
            assert_eq!(rate.to_string(), text);
        }
    }

    #[test]
    fn a_number_without_a_time_is_no_rate() {
        for text in ["100", "100/", "/s", "100/d", "-1/s", "inf/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}

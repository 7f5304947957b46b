//! Parts of a whole, and ratios.

use super::{Malformed, decimal, spelled};
use std::str::FromStr;

/// A part of a whole, from 0 to 1. Written `5%` or `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize)]
#[serde(transparent)]
pub struct Share(f64);

spelled!(Share, "A part of a whole: `5%` or `0.05`.", r"^[0-9]+(\.[0-9]+)?%$", { "type": "number", "minimum": 0, "maximum": 1 });

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0.0);
    /// The whole.
    pub const ALL: Self = Self(1.0);

    /// A share of `value`, if that lies between 0 and 1.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        ratio(text).and_then(Self::new).ok_or(Malformed {
            wanted: "a share such as 5% or 0.05",
        })
    }
}

/// One value by another; more than 1 is fine. Written `25%` or `0.25`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize)]
#[serde(transparent)]
pub struct Ratio(pub f64);

spelled!(Ratio, "One value by another: `25%` or `0.25`.", r"^[0-9]+(\.[0-9]+)?%$", { "type": "number", "minimum": 0 });

impl FromStr for Ratio {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        ratio(text).map(Self).ok_or(Malformed {
            wanted: "a ratio such as 25% or 0.25",
        })
    }
}

fn ratio(text: &str) -> Option<f64> {
    match text.strip_suffix('%') {
        Some(percent) => decimal(percent.trim_end()).map(|percent| percent / 100.0),
        None => decimal(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<f64>) {
        assert_eq!(text.parse().ok().map(Share::value), expected, "{text}");
    }

    #[test]
    fn a_share_is_written_in_percent_or_as_a_part_of_one() {
        check("5%", Some(0.05));
        check("0.05", Some(0.05));
        check("0.5%", Some(0.005));
        check("100%", Some(1.0));
        check("0", Some(0.0));
    }

    #[test]
    fn a_share_is_neither_negative_nor_more_than_the_whole() {
        for text in [
            "5", "101%", "-5%", "+5%", "", "%", "nan", "inf", "1e-2", ".5", "0.5.5",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_ratio_may_be_more_than_one() {
        assert_eq!("150%".parse(), Ok(Ratio(1.5)));
    }
}

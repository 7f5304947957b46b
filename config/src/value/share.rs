//! Parts of a whole, and ratios.

use super::{Malformed, decimal, spelled};
use std::str::FromStr;

/// A part of a whole, from 0 to 1. Written `5%` or `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, serde::Serialize)]
#[serde(transparent)]
pub struct Share(f64);

spelled!(Share, "A part of a whole: `5%` or `0.05`.", r"^[0-9]+(\.[0-9]+)?%$", { "type": "number", "minimum": 0, "maximum": 1 });

impl Share {
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

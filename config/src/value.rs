//! Values with a unit, as the document spells them: `5%`, `250ms`, `1MiB`, `100/s`.

use std::time::Duration;

/// A part of a whole, from 0 to 1. Written `5%` or `0.05`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

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

/// A number of bytes. Written `512`, `64KiB`, `1MiB`, `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

/// Events per time. Written `100/s`, `6000/m`, `10/h`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many events.
    pub events: f64,
    /// In what time.
    pub per: Duration,
}

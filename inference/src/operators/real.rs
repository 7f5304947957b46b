//! The two precisions that trees are computed with.

use std::fmt;
use std::ops::{AddAssign, Div, Neg, Sub};

use tract_onnx::prelude::Datum;

/// A floating-point number of 32 or 64 bits. The conversions name what rounding would change.
pub(super) trait Real:
    Datum
    + Copy
    + Default
    + PartialOrd
    + fmt::Debug
    + AddAssign
    + Div<Output = Self>
    + Sub<Output = Self>
    + Neg<Output = Self>
{
    /// A threshold that no number is below or equal to.
    const NEVER: Self;

    fn nearest(number: f64) -> Self;

    /// The largest number that is not above this one.
    fn at_most(number: f64) -> Self;

    /// The largest number below this one, or [`Self::NEVER`].
    fn below(number: f64) -> Self;

    fn wide(self) -> f64;

    fn single(self) -> f32;

    fn exp(self) -> Self;
}

impl Real for f32 {
    const NEVER: Self = Self::NAN;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding is what is asked for"
    )]
    fn nearest(number: f64) -> Self {
        number as Self
    }

    fn at_most(number: f64) -> Self {
        let nearest = Self::nearest(number);
        if nearest.wide() > number {
            nearest.next_down()
        } else {
            nearest
        }
    }

    fn below(number: f64) -> Self {
        let at_most = Self::at_most(number);
        if at_most.wide() < number {
            at_most
        } else if at_most <= Self::NEG_INFINITY {
            Self::NEVER
        } else {
            at_most.next_down()
        }
    }

    fn wide(self) -> f64 {
        self.into()
    }

    fn single(self) -> f32 {
        self
    }

    fn exp(self) -> Self {
        Self::exp(self)
    }
}

impl Real for f64 {
    const NEVER: Self = Self::NAN;

    fn nearest(number: f64) -> Self {
        number
    }

    fn at_most(number: f64) -> Self {
        number
    }

    fn below(number: f64) -> Self {
        if number <= Self::NEG_INFINITY {
            Self::NEVER
        } else {
            number.next_down()
        }
    }

    fn wide(self) -> f64 {
        self
    }

    fn single(self) -> f32 {
        f32::nearest(self)
    }

    fn exp(self) -> Self {
        Self::exp(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f32, expected: f32) {
        assert_eq!(found.to_bits(), expected.to_bits(), "{found} {expected}");
    }

    #[test]
    fn a_threshold_between_two_floats_goes_down_to_the_lower() {
        let between = 1.0 - f64::from(f32::EPSILON) / 8.0;
        check(f32::nearest(between), 1.0);
        check(f32::at_most(between), 1.0_f32.next_down());
        check(f32::below(between), 1.0_f32.next_down());
    }

    #[test]
    fn what_is_below_a_float_is_its_neighbour() {
        check(f32::at_most(1.0), 1.0);
        check(f32::below(1.0), 1.0_f32.next_down());
        check(f32::below(-0.0), -f32::from_bits(1));
        assert_eq!(f64::below(1.0).to_bits(), 1.0_f64.next_down().to_bits());
    }

    #[test]
    fn nothing_is_below_the_least() {
        assert!(f32::below(f64::NEG_INFINITY).is_nan());
        assert!(f64::below(f64::NEG_INFINITY).is_nan());
        assert!(f32::below(f64::NAN).is_nan());
    }
}

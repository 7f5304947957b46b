//! How far an output is from what was expected of it.

use std::fmt;

use crate::{Datatype, Tensor, Values};

/// The first thing in which an output differs. Its text is for whoever loads the model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum Difference {
    #[error("output `{output}` is missing")]
    Missing { output: String },
    #[error("output `{output}` is {found}, expected {expected}")]
    Datatype {
        output: String,
        found: Datatype,
        expected: Datatype,
    },
    #[error("output `{output}` has shape {found:?}, expected {expected:?}")]
    Shape {
        output: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error("value {index} of output `{output}` is {found}, expected {expected}")]
    Value {
        output: String,
        index: usize,
        found: String,
        expected: String,
    },
}

/// Looks for every expected output among those that were found, by name. Numbers with a fraction may differ by
/// `tolerance`, as a part of the expected one or of 1, whichever is more; NaN is NaN.
pub fn differences(
    expected: &[Tensor],
    found: &[Tensor],
    tolerance: f64,
) -> Result<(), Difference> {
    for expected in expected {
        let found = found.iter().find(|found| found.name == expected.name);
        let found = found.ok_or_else(|| Difference::Missing {
            output: expected.name.clone(),
        })?;
        if let Some(difference) = difference(expected, found, tolerance) {
            return Err(difference);
        }
    }
    Ok(())
}

/// What differs between two tensors, if anything does.
pub(crate) fn difference(expected: &Tensor, found: &Tensor, tolerance: f64) -> Option<Difference> {
    let output = || expected.name.clone();
    if expected.datatype() != found.datatype() {
        return Some(Difference::Datatype {
            output: output(),
            found: found.datatype(),
            expected: expected.datatype(),
        });
    }
    if expected.shape != found.shape {
        return Some(Difference::Shape {
            output: output(),
            found: found.shape.clone(),
            expected: expected.shape.clone(),
        });
    }
    let near = |expected: f64, found: f64| {
        (expected - found).abs() <= tolerance * expected.abs().max(1.0)
            || expected.total_cmp(&found).is_eq()
            || (expected.is_nan() && found.is_nan())
    };
    let (index, found, expected) = match (&expected.values, &found.values) {
        (Values::Fp32(expected), Values::Fp32(found)) => first(expected, found, |one, other| {
            near((*one).into(), (*other).into())
        }),
        (Values::Fp16(expected), Values::Fp16(found)) => first(expected, found, |one, other| {
            near((*one).into(), (*other).into())
        }),
        (Values::Bf16(expected), Values::Bf16(found)) => first(expected, found, |one, other| {
            near((*one).into(), (*other).into())
        }),
        (Values::Fp64(expected), Values::Fp64(found)) => {
            first(expected, found, |one, other| near(*one, *other))
        }
        (expected, found) => exactly(expected, found),
    }?;
    Some(Difference::Value {
        output: output(),
        index,
        found,
        expected,
    })
}

/// Where two lists differ, and what stands there.
type Place = (usize, String, String);

fn first<T: fmt::Debug>(
    expected: &[T],
    found: &[T],
    is_near: impl Fn(&T, &T) -> bool,
) -> Option<Place> {
    let mut pairs = expected.iter().zip(found).enumerate();
    let (index, (expected, found)) = pairs.find(|(_, (one, other))| !is_near(one, other))?;
    Some((index, format!("{found:?}"), format!("{expected:?}")))
}

fn exactly(expected: &Values, found: &Values) -> Option<Place> {
    macro_rules! of_one_kind {
        ($($datatype:ident)*) => {
            match (expected, found) {
                $((Values::$datatype(one), Values::$datatype(other)) => first(one, other, PartialEq::eq),)*
                (Values::Bytes(one), Values::Bytes(other)) => {
                    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
                    let (one, other): (Vec<_>, Vec<_>) =
                        (one.iter().map(text).collect(), other.iter().map(text).collect());
                    first(&one, &other, PartialEq::eq)
                }
                _ => None,
            }
        };
    }
    of_one_kind!(Bool Uint8 Uint16 Uint32 Uint64 Int8 Int16 Int32 Int64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: Values) -> Tensor {
        Tensor {
            name: "y".to_owned(),
            shape: vec![values.len()],
            values,
        }
    }

    #[track_caller]
    fn check(expected: Values, found: Values, says: &str) {
        let said = difference(&tensor(expected), &tensor(found), 1e-3);
        assert_eq!(said.map(|it| it.to_string()).unwrap_or_default(), says);
    }

    #[test]
    fn fractions_may_differ_by_the_tolerance_and_nothing_else_may() {
        let fractions = |value| Values::Fp32(vec![0.0, value]);
        check(fractions(2000.0), fractions(2001.9), "");
        check(fractions(0.1), fractions(0.1009), "");
        check(fractions(f32::NAN), fractions(f32::NAN), "");
        let says = "value 1 of output `y` is 0.102, expected 0.1";
        check(fractions(0.1), fractions(0.102), says);
        let says = "value 1 of output `y` is NaN, expected 0.1";
        check(fractions(0.1), fractions(f32::NAN), says);
        let says = "value 0 of output `y` is 3, expected 4";
        check(Values::Int64(vec![4]), Values::Int64(vec![3]), says);
        let text = |text: &str| Values::Bytes(vec![text.as_bytes().to_vec()]);
        let says = "value 0 of output `y` is \"b\", expected \"a\"";
        check(text("a"), text("b"), says);
    }

    #[test]
    fn what_cannot_be_compared_differs() {
        let two = Values::Fp32(vec![0.0; 2]);
        let says = "output `y` is FP32, expected FP64";
        check(Values::Fp64(vec![0.0; 2]), two.clone(), says);
        let says = "output `y` has shape [2], expected [3]";
        check(Values::Fp32(vec![0.0; 3]), two.clone(), says);
        let missing = differences(&[tensor(two)], &[], 0.0).unwrap_err();
        assert_eq!(missing.to_string(), "output `y` is missing");
    }
}

//! Whether the tensors of a request are what the model takes, and if not, what it wanted.

use crate::limits::{BATCH_MAX, LENGTH_MAX};
use crate::signature::Shape;
use crate::{Datatype, Signature, Tensor, Values};

/// The first thing wrong with the inputs of a request. Its text is for who sent them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum Mismatch {
    /// The request lacks an input.
    #[error("input `{input}` is missing, expected {expected}")]
    MissingInput { input: String, expected: Signature },
    /// The model has no such input.
    #[error("input `{input}` is unknown, expected {}", names(expected))]
    UnknownInput {
        input: String,
        expected: Vec<String>,
    },
    /// Two inputs have one name.
    #[error("input `{input}` is given twice, expected once")]
    DuplicateInput { input: String },
    /// The values are of another kind.
    #[error("input `{input}` is {found}, expected {expected}")]
    Datatype {
        input: String,
        expected: Datatype,
        found: Datatype,
    },
    /// Another number of dimensions, or another length of a fixed one.
    #[error("input `{input}` has shape {found:?}, expected {}", Shape(expected))]
    Shape {
        input: String,
        expected: Vec<Option<usize>>,
        found: Vec<usize>,
    },
    /// A length that the request chooses is zero or too large.
    #[error("dimension {axis} of input `{input}` is {found}, expected 1 to {max}")]
    Length {
        input: String,
        axis: usize,
        max: usize,
        found: usize,
    },
    /// Two dimensions that the model takes to be one, usually the batch, have different lengths.
    #[error(
        "dimension {axis} of input `{input}` is {found}, expected {expected} as in input `{like}`"
    )]
    Uneven {
        input: String,
        axis: usize,
        like: String,
        expected: usize,
        found: usize,
    },
    /// More or fewer values than the shape asks for.
    #[error("input `{input}` has {found} values, expected {expected} for its shape")]
    ValueCount {
        input: String,
        expected: usize,
        found: usize,
    },
    /// Models take text, and this is not UTF-8.
    #[error("value {index} of input `{input}` is not text, expected UTF-8")]
    NotText { input: String, index: usize },
    /// It would take too much memory to read.
    #[error("text {index} has {found} bytes, expected {max} at the most")]
    LongText {
        index: usize,
        max: usize,
        found: usize,
    },
    /// Tokens are not cut, as texts are.
    #[error("text {index} has {found} tokens, expected 1 to {max}")]
    TokenCount {
        index: usize,
        max: usize,
        found: usize,
    },
    /// The tokenizer has no such token.
    #[error("text {index} has a token {found}, expected less than {known}")]
    UnknownToken {
        index: usize,
        known: usize,
        found: u32,
    },
}

fn names(expected: &[String]) -> String {
    let quoted: Vec<_> = expected.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" or ")
}

/// Two open dimensions of inputs that must have the same length. Each is (input, axis).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tie {
    pub(crate) first: (usize, usize),
    pub(crate) other: (usize, usize),
}

/// Compares inputs and signatures of the same name, whatever their order.
pub(crate) fn check(
    expected: &[Signature],
    ties: &[Tie],
    found: &[Tensor],
) -> Result<(), Mismatch> {
    refuse_strangers(expected, found)?;
    let inputs: Vec<_> = expected
        .iter()
        .map(|signature| pick(signature, found))
        .collect::<Result<_, _>>()?;
    for (signature, tensor) in expected.iter().zip(&inputs) {
        check_one(signature, tensor)?;
    }
    ties.iter().try_for_each(|tie| check_tie(*tie, &inputs))
}

fn refuse_strangers(expected: &[Signature], found: &[Tensor]) -> Result<(), Mismatch> {
    match found.iter().find(|tensor| {
        expected
            .iter()
            .all(|signature| signature.name != tensor.name)
    }) {
        Some(stranger) => Err(Mismatch::UnknownInput {
            input: stranger.name.clone(),
            expected: expected
                .iter()
                .map(|signature| signature.name.clone())
                .collect(),
        }),
        None => Ok(()),
    }
}

fn pick<'a>(signature: &Signature, found: &'a [Tensor]) -> Result<&'a Tensor, Mismatch> {
    let input = || signature.name.clone();
    let mut named = found.iter().filter(|tensor| tensor.name == signature.name);
    let first = named.next().ok_or_else(|| Mismatch::MissingInput {
        input: input(),
        expected: signature.clone(),
    })?;
    match named.next() {
        Some(_) => Err(Mismatch::DuplicateInput { input: input() }),
        None => Ok(first),
    }
}

fn check_one(expected: &Signature, tensor: &Tensor) -> Result<(), Mismatch> {
    let input = || tensor.name.clone();
    if tensor.datatype() != expected.datatype {
        return Err(Mismatch::Datatype {
            input: input(),
            expected: expected.datatype,
            found: tensor.datatype(),
        });
    }
    let fits = |(fixed, found): (&Option<usize>, &usize)| fixed.is_none_or(|fixed| fixed == *found);
    if tensor.shape.len() != expected.shape.len()
        || !expected.shape.iter().zip(&tensor.shape).all(fits)
    {
        let (expected, found) = (expected.shape.clone(), tensor.shape.clone());
        return Err(Mismatch::Shape {
            input: input(),
            expected,
            found,
        });
    }
    check_lengths(expected, tensor)?;
    // Saturates above any count of values that memory can hold.
    let count = tensor
        .shape
        .iter()
        .fold(1, |count: usize, length| count.saturating_mul(*length));
    if tensor.values.len() != count {
        return Err(Mismatch::ValueCount {
            input: input(),
            expected: count,
            found: tensor.values.len(),
        });
    }
    check_text(tensor)
}

fn check_lengths(expected: &Signature, tensor: &Tensor) -> Result<(), Mismatch> {
    for (axis, (fixed, found)) in expected.shape.iter().zip(&tensor.shape).enumerate() {
        let max = if axis == 0 { BATCH_MAX } else { LENGTH_MAX };
        if fixed.is_none() && !(1..=max).contains(found) {
            return Err(Mismatch::Length {
                input: tensor.name.clone(),
                axis,
                max,
                found: *found,
            });
        }
    }
    Ok(())
}

fn check_text(tensor: &Tensor) -> Result<(), Mismatch> {
    let Values::Bytes(values) = &tensor.values else {
        return Ok(());
    };
    match values
        .iter()
        .position(|value| str::from_utf8(value).is_err())
    {
        Some(index) => Err(Mismatch::NotText {
            input: tensor.name.clone(),
            index,
        }),
        None => Ok(()),
    }
}

fn check_tie(tie: Tie, inputs: &[&Tensor]) -> Result<(), Mismatch> {
    let length = |(input, axis): (usize, usize)| {
        inputs
            .get(input)
            .and_then(|tensor: &&Tensor| Some((*tensor, *tensor.shape.get(axis)?)))
    };
    match (length(tie.first), length(tie.other)) {
        (Some((like, expected)), Some((input, found))) if expected != found => {
            Err(Mismatch::Uneven {
                input: input.name.clone(),
                axis: tie.other.1,
                like: like.name.clone(),
                expected,
                found,
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! Requests as the rows of one: joined before a run, and what the model gave split again.

use std::ops::Range;

use tract_onnx::prelude::TDim;

use crate::{Tensor, Values};

/// Why the requests to a model cannot run together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum Unbatchable {
    /// Rows could not be joined, or not be told apart again.
    #[error("the first dimension of `{tensor}` is not the batch that all other inputs have")]
    Fixed { tensor: String },
    /// What is found out by running it.
    #[error("`{output}` of a row depends on the other rows of its batch")]
    Mixed { output: String },
}

/// Whether the first dimension of all these tensors is one open dimension, which stands nowhere else.
pub(super) fn share_a_batch(tensors: &[(&str, &[TDim])]) -> Result<(), Unbatchable> {
    let first = tensors.first().and_then(|(_, shape)| shape.first());
    let batch = first.filter(|length| matches!(length, TDim::Sym(_)));
    let is_row = |shape: &[TDim]| match (batch, shape.split_first()) {
        (Some(batch), Some((first, rest))) => {
            let symbols = batch.symbols();
            first == batch && rest.iter().all(|it| it.symbols().is_disjoint(&symbols))
        }
        _ => false,
    };
    match tensors.iter().find(|(_, shape)| !is_row(shape)) {
        None => Ok(()),
        Some((tensor, _)) => Err(Unbatchable::Fixed {
            tensor: (*tensor).to_owned(),
        }),
    }
}

/// How many rows a request has that fits a model with a batch.
pub(crate) fn rows(inputs: &[Tensor]) -> usize {
    let first = inputs.first().and_then(|input| input.shape.first());
    first.copied().unwrap_or(1)
}

/// Whether two requests that fit the model could be rows of one: all dimensions but the first are equal.
pub(crate) fn are_alike(one: &[Tensor], other: &[Tensor]) -> bool {
    let columns = |tensor: &Tensor| tensor.shape.get(1..).map(<[usize]>::to_vec);
    let are_equal = |tensor: &Tensor| {
        named(other, &tensor.name).is_some_and(|other| columns(tensor) == columns(other))
    };
    one.len() == other.len() && one.iter().all(are_equal)
}

/// Requests that are alike as one, row after row; none if they are not.
pub(crate) fn join(first: &[Tensor], others: &[&[Tensor]]) -> Option<Vec<Tensor>> {
    if !others.iter().all(|other| are_alike(first, other)) {
        return None;
    }
    let mut joined = first.to_vec();
    for tensor in &mut joined {
        for other in others {
            let other = named(other, &tensor.name)?;
            append(&mut tensor.values, &other.values)?;
            *tensor.shape.first_mut()? += other.shape.first()?;
        }
    }
    Some(joined)
}

/// What belongs to each request of a batch, by its number of rows; none if there are not as many rows as they had.
pub(crate) fn split(outputs: &[Tensor], rows: &[usize]) -> Option<Vec<Vec<Tensor>>> {
    let whole = rows.iter().sum();
    let fits = |output: &Tensor| output.shape.first() == Some(&whole);
    if !outputs.iter().all(fits) {
        return None;
    }
    let mut start = 0;
    let part = |rows: &usize| {
        let range = start..start + rows;
        start = range.end;
        outputs
            .iter()
            .map(|output| cut(output, range.clone()))
            .collect()
    };
    rows.iter().map(part).collect()
}

fn named<'a>(tensors: &'a [Tensor], name: &str) -> Option<&'a Tensor> {
    tensors.iter().find(|tensor| tensor.name == name)
}

fn cut(tensor: &Tensor, rows: Range<usize>) -> Option<Tensor> {
    let (_, columns) = tensor.shape.split_first()?;
    let width: usize = columns.iter().product();
    let shape = [&[rows.len()], columns].concat();
    let values = part(&tensor.values, rows.start * width..rows.end * width)?;
    Some(Tensor {
        name: tensor.name.clone(),
        shape,
        values,
    })
}

macro_rules! of_each_datatype {
    ($($datatype:ident)*) => {
        fn append(values: &mut Values, more: &Values) -> Option<()> {
            match (values, more) {
                $((Values::$datatype(values), Values::$datatype(more)) => {
                    values.extend_from_slice(more);
                    Some(())
                })*
                _ => None,
            }
        }

        fn part(values: &Values, range: Range<usize>) -> Option<Values> {
            match values {
                $(Values::$datatype(values) => Some(Values::$datatype(values.get(range)?.to_vec())),)*
            }
        }
    };
}

of_each_datatype!(Bool Uint8 Uint16 Uint32 Uint64 Int8 Int16 Int32 Int64 Fp16 Bf16 Fp32 Fp64 Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[usize], values: &[f32]) -> Vec<Tensor> {
        vec![Tensor {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            values: Values::Fp32(values.to_vec()),
        }]
    }

    #[test]
    fn what_was_joined_is_split_again() {
        let (one, two) = (
            floats(&[1, 2], &[1.0, 2.0]),
            floats(&[2, 2], &[3.0, 4.0, 5.0, 6.0]),
        );
        let joined = join(&one, &[&two]).unwrap();
        assert_eq!(joined, floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        assert_eq!(split(&joined, &[1, 2]), Some(vec![one, two]));
    }

    #[test]
    fn inputs_are_joined_by_name_whatever_their_order() {
        let named = |name: &str, value| Tensor {
            name: name.to_owned(),
            shape: vec![1],
            values: Values::Int64(vec![value]),
        };
        let (one, two) = (
            vec![named("a", 1), named("b", 2)],
            vec![named("b", 20), named("a", 10)],
        );
        assert!(are_alike(&one, &two));
        let joined = join(&one, &[&two]).unwrap();
        let values: Vec<_> = joined.iter().map(|it| it.values.clone()).collect();
        assert_eq!(
            values,
            [Values::Int64(vec![1, 10]), Values::Int64(vec![2, 20])]
        );
    }

    #[test]
    fn requests_with_other_columns_are_not_alike() {
        let wide = floats(&[1, 3], &[0.0; 3]);
        assert!(!are_alike(&floats(&[1, 2], &[0.0; 2]), &wide));
        assert!(are_alike(&floats(&[9, 3], &[0.0; 27]), &wide));
    }

    #[test]
    fn outputs_of_another_length_are_not_split() {
        assert_eq!(split(&floats(&[2], &[0.0; 2]), &[1, 2]), None);
    }
}

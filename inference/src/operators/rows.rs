//! The input of a model as rows of numbers.

use std::borrow::Cow;

use tract_onnx::prelude::{Datum, TDim, Tensor, TractResult};
use tract_onnx::tract_core::internal::bail;
use tract_onnx::tract_hir::internal::DimLike;

use super::Fact;

/// Rows of one width; a tensor of one dimension is one row.
pub(super) struct Rows<'a> {
    tensor: Cow<'a, Tensor>,
    pub(super) count: usize,
    pub(super) width: usize,
}

impl<'a> Rows<'a> {
    /// In the given precision.
    pub(super) fn of<T: Datum>(tensor: &'a Tensor) -> TractResult<Self> {
        let (count, width) = match *tensor.shape() {
            [width] => (1, width),
            [count, width] => (count, width),
            ref shape => bail!("its input has shape {shape:?}, expected rows and columns"),
        };
        let tensor = tensor.cast_to::<T>()?;
        Ok(Self {
            tensor,
            count,
            width,
        })
    }

    /// Refuses rows that lack a column which a model looks at, where their width was left open.
    pub(super) fn refuse_narrow(&self, wanted: usize) -> TractResult<()> {
        wide_enough(&self.width.into(), wanted)
    }

    /// Row after row.
    pub(super) fn values<T: Datum>(&self) -> TractResult<&[T]> {
        self.tensor.try_as_plain_ram()?.as_slice()
    }
}

/// How many rows an input has, and how many columns.
pub(super) fn dimensions(fact: &Fact) -> TractResult<(TDim, TDim)> {
    match &*fact.shape {
        [width] => Ok((1.into(), width.clone())),
        [count, width] => Ok((count.clone(), width.clone())),
        shape => bail!(
            "its input has {} dimensions, expected rows and columns",
            shape.len()
        ),
    }
}

/// The only input of a node that has one.
pub(super) fn only<T>(inputs: &[T]) -> TractResult<&T> {
    match inputs {
        [input] => Ok(input),
        _ => bail!("it has {} inputs, expected 1", inputs.len()),
    }
}

/// Refuses an input that is known to be narrower than what a model looks at.
pub(super) fn wide_enough(width: &TDim, wanted: usize) -> TractResult<()> {
    match width.to_usize() {
        Ok(width) if width < wanted => {
            bail!(
                "it looks at column {}, and its input has {width}",
                wanted - 1
            )
        }
        _ => Ok(()),
    }
}

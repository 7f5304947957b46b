//! Operators that change each column or row of numbers: `Scaler`, `Normalizer`, `Imputer`, `Binarizer`.

use std::sync::Arc;

use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, DatumType, IntoTValue, TVec, Tensor, TractResult, tvec};
use tract_onnx::tract_core::internal::bail;
use tract_onnx::tract_hir::internal::DimLike;

use super::attributes::{Attributes, width};
use super::rows::{Rows, dimensions, only};
use super::{Fact, Kernel, Operator};

/// `Scaler`: (x - offset) * scale, one of each for all columns or for each.
#[derive(Clone, Debug)]
pub(super) struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

impl Operator for Scaler {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let (offset, scale) = (node.floats("offset"), node.floats("scale"));
        if scale.is_empty() || offset.len() != scale.len() {
            bail!("it has {} offsets and {} scales", offset.len(), scale.len());
        }
        Ok(Self {
            offset: offset.to_vec(),
            scale: scale.to_vec(),
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        columns(only(inputs)?, self.scale.len())?;
        Ok(tvec![Fact::new(
            f32::datum_type(),
            only(inputs)?.shape.clone()
        )])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let Self { offset, scale } = self.clone();
        by_row(move |row: &mut [f32]| {
            let each = row.iter_mut();
            match (&*offset, &*scale) {
                ([offset], [scale]) => each.for_each(|x| *x = (*x - offset) * scale),
                _ => {
                    let by = offset.iter().zip(&scale);
                    each.zip(by)
                        .for_each(|(x, (offset, scale))| *x = (*x - offset) * scale);
                }
            }
        })
    }
}

/// `Normalizer`: each row divided by its norm, unless that is nought.
#[derive(Clone, Copy, Debug)]
pub(super) enum Normalizer {
    Max,
    L1,
    L2,
}

impl Operator for Normalizer {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        match node.text("norm")? {
            None | Some("MAX") => Ok(Self::Max),
            Some("L1") => Ok(Self::L1),
            Some("L2") => Ok(Self::L2),
            Some(other) => bail!("norm is {other}, which is unknown"),
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        dimensions(only(inputs)?)?;
        Ok(tvec![Fact::new(
            f32::datum_type(),
            only(inputs)?.shape.clone()
        )])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let norm = *self;
        by_row(move |row| {
            let by = norm.of(row);
            if by.abs() > 0.0 {
                row.iter_mut().for_each(|x| *x /= by);
            }
        })
    }
}

impl Normalizer {
    /// The largest is taken with its sign, as ONNX Runtime takes it.
    fn of(self, row: &[f32]) -> f32 {
        match self {
            Self::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
            Self::L1 => row.iter().map(|x| x.abs()).sum(),
            Self::L2 => row.iter().map(|x| x * x).sum::<f32>().sqrt(),
        }
    }
}

/// `Binarizer`: 1 above a threshold, else 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binarizer(f32);

impl Operator for Binarizer {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        Ok(Self(node.float("threshold").unwrap_or_default()))
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        dimensions(only(inputs)?)?;
        Ok(tvec![Fact::new(
            f32::datum_type(),
            only(inputs)?.shape.clone()
        )])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let Self(threshold) = *self;
        by_row(move |row| {
            row.iter_mut()
                .for_each(|x| *x = f32::from(u8::from(*x > threshold)));
        })
    }
}

/// `Imputer`: what is missing becomes a number, one for all columns or for each.
#[derive(Clone, Debug)]
pub(super) enum Imputer {
    Floats { missing: f32, by: Vec<f32> },
    Ints { missing: i64, by: Vec<i64> },
}

impl Operator for Imputer {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let (floats, ints) = (
            node.floats("imputed_value_floats"),
            node.ints("imputed_value_int64s"),
        );
        match (floats, ints) {
            ([], []) => bail!("it says nothing to put in"),
            (floats, []) => Ok(Self::Floats {
                missing: node.float("replaced_value_float").unwrap_or_default(),
                by: floats.to_vec(),
            }),
            ([], ints) => Ok(Self::Ints {
                missing: node.int("replaced_value_int64").unwrap_or_default(),
                by: ints.to_vec(),
            }),
            _ => bail!("it puts in both floats and integers"),
        }
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (count, datum_type) = match self {
            Self::Floats { by, .. } => (by.len(), f32::datum_type()),
            Self::Ints { by, .. } => (by.len(), i64::datum_type()),
        };
        columns(only(inputs)?, count)?;
        Ok(tvec![Fact::new(datum_type, only(inputs)?.shape.clone())])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        match self.clone() {
            Self::Floats { missing, by } => by_row(move |row: &mut [f32]| {
                let is = |x: f32| {
                    let both_nan = x.is_nan() && missing.is_nan();
                    both_nan
                        || x.partial_cmp(&missing)
                            .is_some_and(std::cmp::Ordering::is_eq)
                };
                put_in(row, &by, |x| is(*x));
            }),
            Self::Ints { missing, by } => {
                by_row(move |row: &mut [i64]| put_in(row, &by, |x| *x == missing))
            }
        }
    }
}

fn put_in<T: Copy>(row: &mut [T], by: &[T], missing: impl Fn(&T) -> bool) {
    for (x, by) in row.iter_mut().zip(by.iter().cycle()) {
        if missing(x) {
            *x = *by;
        }
    }
}

/// Refuses numbers that are neither one for all columns nor one for each.
fn columns(input: &Fact, numbers: usize) -> TractResult<()> {
    let (_, width) = dimensions(input)?;
    fits(width.to_usize().ok(), numbers)
}

fn fits(width: Option<usize>, numbers: usize) -> TractResult<()> {
    match width {
        Some(width) if numbers != 1 && numbers != width => {
            bail!("it has numbers for {numbers} columns, and its input has {width}")
        }
        _ => Ok(()),
    }
}

/// A kernel that changes each row.
fn by_row<T: Datum + Copy>(
    change: impl Fn(&mut [T]) + Send + Sync + 'static,
) -> TractResult<Kernel> {
    Ok(Arc::new(move |inputs| {
        let input = only(inputs)?;
        let rows = Rows::of::<T>(input)?;
        let mut values = rows.values::<T>()?.to_vec();
        if rows.width > 0 {
            values.chunks_mut(rows.width).for_each(&change);
        }
        let output: Tensor = ArrayD::from_shape_vec(input.shape(), values)?.into();
        Ok(tvec![output.into_tvalue()])
    }))
}

/// `FeatureVectorizer`: columns of several inputs side by side, each cut or filled to a width.
#[derive(Clone, Debug)]
pub(super) struct FeatureVectorizer(Vec<usize>);

impl Operator for FeatureVectorizer {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let widths = node.ints("inputdimensions").iter();
        let widths = widths.map(|value| width("inputdimensions", *value));
        Ok(Self(widths.collect::<TractResult<_>>()?))
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (Some(first), true) = (inputs.first(), inputs.len() == self.0.len()) else {
            bail!("it has {} inputs, expected {}", inputs.len(), self.0.len())
        };
        let (rows, _) = dimensions(first)?;
        let width: usize = self.0.iter().sum();
        Ok(tvec![Fact::new(f32::datum_type(), [rows, width.into()])])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let widths = self.0.clone();
        Ok(Arc::new(move |inputs| {
            let parts: Vec<Rows<'_>> = inputs
                .iter()
                .map(|input| Rows::of::<f32>(input))
                .collect::<TractResult<_>>()?;
            let count = parts.first().map_or(0, |part| part.count);
            let width: usize = widths.iter().sum();
            let mut all = Vec::with_capacity(count * width);
            for row in 0..count {
                for (part, wanted) in parts.iter().zip(&widths) {
                    let start = row * part.width;
                    let found = part.values::<f32>()?.get(start..start + part.width);
                    let found = found.unwrap_or_default().iter().copied();
                    let filled = found.chain(std::iter::repeat(0.0));
                    all.extend(filled.take(*wanted));
                }
            }
            let output: Tensor = ArrayD::from_shape_vec(&[count, width][..], all)?.into();
            Ok(tvec![output.into_tvalue()])
        }))
    }
}

/// `ZipMap`: a map from each class to its score in ONNX, and here the scores as they are. Their
/// names stand in the signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct ZipMap;

impl Operator for ZipMap {
    fn read(_node: &Attributes<'_>) -> TractResult<Self> {
        Ok(Self)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let input = only(inputs)?;
        if input.datum_type != DatumType::F32 {
            bail!("its input is {:?}, expected F32", input.datum_type);
        }
        Ok(tvec![input.clone()])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        Ok(Arc::new(|inputs| Ok(tvec![only(inputs)?.clone()])))
    }
}

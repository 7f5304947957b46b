//! `ArrayFeatureExtractor`: columns by their numbers.

use std::sync::Arc;

use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{Datum, DatumType, IntoTValue, TVec, Tensor, TractResult, tvec};
use tract_onnx::tract_core::internal::bail;

use super::attributes::Attributes;
use super::{Fact, Kernel, Operator};

#[derive(Debug)]
pub(super) struct ArrayFeatureExtractor;

impl Operator for ArrayFeatureExtractor {
    fn read(_node: &Attributes<'_>) -> TractResult<Self> {
        Ok(Self)
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let [values, numbers] = inputs else {
            bail!("it has {} inputs, expected 2", inputs.len())
        };
        let count = numbers.shape.iter().product();
        let rows = match &*values.shape {
            [] => bail!("its first input is a single value"),
            [_] => vec![1.into()],
            [rows @ .., _] => rows.to_vec(),
        };
        Ok(tvec![Fact::new(
            values.datum_type,
            rows.into_iter().chain([count])
        )])
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        let kernel: fn(&Tensor, &[i64]) -> TractResult<Tensor> =
            match inputs.first().map(|input| input.datum_type) {
                Some(DatumType::F32) => extract::<f32>,
                Some(DatumType::F64) => extract::<f64>,
                Some(DatumType::I32) => extract::<i32>,
                Some(DatumType::I64) => extract::<i64>,
                Some(DatumType::String) => extract::<String>,
                other => bail!("its input is {other:?}, which it does not take"),
            };
        Ok(Arc::new(move |inputs| {
            let [values, numbers] = inputs else {
                bail!("it has {} inputs, expected 2", inputs.len())
            };
            let numbers = numbers.cast_to::<i64>()?;
            let columns = numbers.try_as_plain_ram()?.as_slice::<i64>()?.to_vec();
            Ok(tvec![kernel(values, &columns)?.into_tvalue()])
        }))
    }
}

fn extract<T: Datum + Clone>(tensor: &Tensor, columns: &[i64]) -> TractResult<Tensor> {
    let shape = tensor.shape();
    let Some((width, rows)) = shape.split_last() else {
        bail!("its first input is a single value")
    };
    let values = tensor.try_as_plain_ram()?;
    let mut found = Vec::new();
    for row in values.as_slice::<T>()?.chunks((*width).max(1)) {
        for column in columns {
            match usize::try_from(*column)
                .ok()
                .and_then(|column| row.get(column))
            {
                Some(value) => found.push(value.clone()),
                None => bail!("it is asked for column {column} of {width}"),
            }
        }
    }
    let rows = if rows.is_empty() { &[1] } else { rows };
    let shape: Vec<_> = rows.iter().copied().chain([columns.len()]).collect();
    Ok(ArrayD::from_shape_vec(shape, found)?.into())
}

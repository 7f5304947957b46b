//! Our tensors and Tract's, one into the other.

use half::bf16;
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{
    Datum, DatumType, IntoTValue, TValue, Tensor as TractTensor, TractResult,
};
use tract_onnx::tract_core::internal::bail;

use crate::{Datatype, Signature, Tensor, Values};

/// The datatype of what Tract computes with, if it is one that can cross the wire.
pub(super) fn datatype(of: DatumType) -> Option<Datatype> {
    match of {
        DatumType::Bool => Some(Datatype::Bool),
        DatumType::U8 => Some(Datatype::Uint8),
        DatumType::U16 => Some(Datatype::Uint16),
        DatumType::U32 => Some(Datatype::Uint32),
        DatumType::U64 => Some(Datatype::Uint64),
        DatumType::I8 => Some(Datatype::Int8),
        DatumType::I16 => Some(Datatype::Int16),
        DatumType::I32 => Some(Datatype::Int32),
        DatumType::I64 => Some(Datatype::Int64),
        DatumType::F16 => Some(Datatype::Fp16),
        DatumType::F32 => Some(Datatype::Fp32),
        DatumType::F64 => Some(Datatype::Fp64),
        DatumType::String => Some(Datatype::Bytes),
        _ => None,
    }
}

pub(super) fn to_tract(tensor: Tensor) -> TractResult<TValue> {
    let shape = &tensor.shape;
    match tensor.values {
        Values::Bool(values) => array(shape, values),
        Values::Uint8(values) => array(shape, values),
        Values::Uint16(values) => array(shape, values),
        Values::Uint32(values) => array(shape, values),
        Values::Uint64(values) => array(shape, values),
        Values::Int8(values) => array(shape, values),
        Values::Int16(values) => array(shape, values),
        Values::Int32(values) => array(shape, values),
        Values::Int64(values) => array(shape, values),
        Values::Fp16(values) => array(shape, values),
        // Tract has no such numbers: see `bfloats`.
        Values::Bf16(values) => array(shape, values.iter().map(|value| value.to_f32()).collect()),
        Values::Fp32(values) => array(shape, values),
        Values::Fp64(values) => array(shape, values),
        Values::Bytes(values) => array(shape, text(values)?),
    }
}

fn array<T: Datum>(shape: &[usize], values: Vec<T>) -> TractResult<TValue> {
    Ok(TractTensor::from(ArrayD::from_shape_vec(shape, values)?).into_tvalue())
}

fn text(values: Vec<Vec<u8>>) -> TractResult<Vec<String>> {
    Ok(values
        .into_iter()
        .map(String::from_utf8)
        .collect::<Result<_, _>>()?)
}

/// The output that this signature has told of.
pub(super) fn from_tract(signature: &Signature, tensor: &TractTensor) -> TractResult<Tensor> {
    let name = &signature.name;
    let values = match tensor.datum_type() {
        DatumType::Bool => Values::Bool(elements(tensor)?),
        DatumType::U8 => Values::Uint8(elements(tensor)?),
        DatumType::U16 => Values::Uint16(elements(tensor)?),
        DatumType::U32 => Values::Uint32(elements(tensor)?),
        DatumType::U64 => Values::Uint64(elements(tensor)?),
        DatumType::I8 => Values::Int8(elements(tensor)?),
        DatumType::I16 => Values::Int16(elements(tensor)?),
        DatumType::I32 => Values::Int32(elements(tensor)?),
        DatumType::I64 => Values::Int64(elements(tensor)?),
        DatumType::F16 => Values::Fp16(elements(tensor)?),
        DatumType::F32 if signature.datatype == Datatype::Bf16 => {
            let values = elements::<f32>(tensor)?;
            Values::Bf16(values.into_iter().map(bf16::from_f32).collect())
        }
        DatumType::F32 => Values::Fp32(elements(tensor)?),
        DatumType::F64 => Values::Fp64(elements(tensor)?),
        DatumType::String => Values::Bytes(
            elements::<String>(tensor)?
                .into_iter()
                .map(String::into_bytes)
                .collect(),
        ),
        other => bail!("output `{name}` is {other:?}, which has no datatype on the wire"),
    };
    Ok(Tensor {
        name: name.clone(),
        shape: tensor.shape().to_vec(),
        values,
    })
}

/// In row-major order, whatever the memory layout.
fn elements<T: Datum>(tensor: &TractTensor) -> TractResult<Vec<T>> {
    Ok(tensor.to_plain_array_view::<T>()?.iter().cloned().collect())
}

//! Tensors in binary: values row by row, little-endian, and before each element of BYTES its length.
//!
//! Source: the binary tensor data extension of the Open Inference Protocol V2 as Triton documents it, which
//! `raw_input_contents` and `raw_output_contents` of its gRPC follow as well.

use half::{bf16, f16};
use inference::{Datatype, Values};

/// What stands before each element of BYTES.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Why bytes are not the values of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// The size of its elements and their number ask for another.
    #[error("{count} values of {bytes} bytes each are expected, got {found} bytes")]
    Size {
        count: usize,
        bytes: usize,
        found: usize,
    },
    /// An element of BYTES has no whole length, or is shorter than it says.
    #[error("value {index} is cut off; a length of 4 bytes and as many bytes are expected")]
    CutOff { index: usize },
    /// More or fewer elements of BYTES.
    #[error("{expected} values are expected, got {}", or_more(*.found, *.expected))]
    Count { expected: usize, found: usize },
}

/// Those that are too many are not counted.
fn or_more(found: usize, expected: usize) -> String {
    if found > expected {
        "more".to_owned()
    } else {
        found.to_string()
    }
}

/// Reads `count` values. Nothing is allocated before it is known that so many are there.
pub(crate) fn read(datatype: Datatype, raw: &[u8], count: usize) -> Result<Values, Misfit> {
    Ok(match datatype {
        Datatype::Bool => Values::Bool(each(raw, count, |[byte]| byte != 0)?),
        Datatype::Uint8 => Values::Uint8(each(raw, count, u8::from_le_bytes)?),
        Datatype::Uint16 => Values::Uint16(each(raw, count, u16::from_le_bytes)?),
        Datatype::Uint32 => Values::Uint32(each(raw, count, u32::from_le_bytes)?),
        Datatype::Uint64 => Values::Uint64(each(raw, count, u64::from_le_bytes)?),
        Datatype::Int8 => Values::Int8(each(raw, count, i8::from_le_bytes)?),
        Datatype::Int16 => Values::Int16(each(raw, count, i16::from_le_bytes)?),
        Datatype::Int32 => Values::Int32(each(raw, count, i32::from_le_bytes)?),
        Datatype::Int64 => Values::Int64(each(raw, count, i64::from_le_bytes)?),
        Datatype::Fp16 => Values::Fp16(each(raw, count, f16::from_le_bytes)?),
        Datatype::Bf16 => Values::Bf16(each(raw, count, bf16::from_le_bytes)?),
        Datatype::Fp32 => Values::Fp32(each(raw, count, f32::from_le_bytes)?),
        Datatype::Fp64 => Values::Fp64(each(raw, count, f64::from_le_bytes)?),
        Datatype::Bytes => Values::Bytes(texts(raw, count)?),
    })
}

fn each<const N: usize, T>(
    raw: &[u8],
    count: usize,
    value: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, Misfit> {
    let (elements, rest) = raw.as_chunks();
    if elements.len() != count || !rest.is_empty() {
        return Err(Misfit::Size {
            count,
            bytes: N,
            found: raw.len(),
        });
    }
    Ok(elements.iter().map(|element| value(*element)).collect())
}

fn texts(mut raw: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Misfit> {
    let misfit = |found| Misfit::Count {
        expected: count,
        found,
    };
    if count > raw.len() / LENGTH_BYTES {
        return Err(misfit(raw.len() / LENGTH_BYTES));
    }
    let mut texts = Vec::with_capacity(count);
    while !raw.is_empty() {
        let index = texts.len();
        let (text, rest) = text(raw).ok_or(Misfit::CutOff { index })?;
        if index == count {
            return Err(misfit(index + 1));
        }
        texts.push(text.to_vec());
        raw = rest;
    }
    if texts.len() < count {
        return Err(misfit(texts.len()));
    }
    Ok(texts)
}

fn text(raw: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = raw.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}

/// Writes values behind what is there.
pub(crate) fn write(values: &Values, into: &mut Vec<u8>) {
    match values {
        Values::Bool(values) => into.extend(values.iter().map(|value| u8::from(*value))),
        Values::Uint8(values) => into.extend_from_slice(values),
        Values::Uint16(values) => put(values, u16::to_le_bytes, into),
        Values::Uint32(values) => put(values, u32::to_le_bytes, into),
        Values::Uint64(values) => put(values, u64::to_le_bytes, into),
        Values::Int8(values) => put(values, i8::to_le_bytes, into),
        Values::Int16(values) => put(values, i16::to_le_bytes, into),
        Values::Int32(values) => put(values, i32::to_le_bytes, into),
        Values::Int64(values) => put(values, i64::to_le_bytes, into),
        Values::Fp16(values) => put(values, f16::to_le_bytes, into),
        Values::Bf16(values) => put(values, bf16::to_le_bytes, into),
        Values::Fp32(values) => put(values, f32::to_le_bytes, into),
        Values::Fp64(values) => put(values, f64::to_le_bytes, into),
        Values::Bytes(values) => values.iter().for_each(|value| put_text(value, into)),
    }
}

fn put<const N: usize, T: Copy>(values: &[T], bytes: impl Fn(T) -> [u8; N], into: &mut Vec<u8>) {
    into.reserve(values.len() * N);
    values
        .iter()
        .for_each(|value| into.extend_from_slice(&bytes(*value)));
}

/// What a text has beyond 4 GiB, its length could not say.
fn put_text(text: &[u8], into: &mut Vec<u8>) {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    into.extend_from_slice(&length.to_le_bytes());
    into.extend(
        text.iter()
            .take(usize::try_from(length).unwrap_or(usize::MAX)),
    );
}

#[cfg(test)]
mod tests;

//! Reads an inference request: JSON, with data nested like its shape or flat, and tensors in binary behind it.
//!
//! JSON is read in two passes. The first finds the pieces; the second reads each piece of data straight into a vector
//! of its datatype. So a number takes the memory it needs, and never more elements are read than the shape says.
//!
//! Source: the Open Inference Protocol V2, and the binary tensor data extension as Triton documents it.

pub(super) mod element;

use http::HeaderMap;
use inference::{Datatype, Tensor};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::classes::Top;
use super::wanted::{self, Wanted};
use super::{BINARY, raw};

/// A request that follows the protocol; whether it fits the model is the model's to say.
#[derive(Debug)]
pub(super) struct Query {
    /// Echoed in the answer.
    pub(super) id: Option<String>,
    /// What goes in.
    pub(super) inputs: Vec<Tensor>,
    /// What is to come out.
    pub(super) wanted: Wanted,
}

/// `parameters`, here and below, may hold anything: the protocol lets servers ignore what they do not know.
#[derive(Deserialize)]
struct Written<'a> {
    id: Option<String>,
    #[serde(borrow)]
    inputs: Vec<Input<'a>>,
    #[serde(default)]
    outputs: Vec<Output>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Input<'a> {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    parameters: Option<InputParameters>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    parameters: Option<OutputParameters>,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object of parameters")]
struct Parameters {
    binary_data_output: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object of parameters")]
struct InputParameters {
    binary_data_size: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(expecting = "an object of parameters")]
struct OutputParameters {
    binary_data: Option<bool>,
    /// Triton takes 0 for none.
    classification: Option<usize>,
}

impl Query {
    /// The request in `body`, or what was expected instead.
    pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let (json, mut binary) = split(headers, body)?;
        let written: Written<'_> =
            serde_json::from_slice(json).map_err(|error| error.to_string())?;
        let inputs = written.inputs.into_iter();
        let inputs = inputs
            .map(|input| input.read(&mut binary))
            .collect::<Result<_, _>>()?;
        if !binary.is_empty() {
            let left = binary.len();
            return Err(format!(
                "{left} bytes follow the last tensor; each input in binary says its `binary_data_size`"
            ));
        }
        let parameters = written.parameters.unwrap_or_default();
        Ok(Self {
            id: written.id,
            inputs,
            wanted: Wanted {
                outputs: written.outputs.into_iter().map(Output::wanted).collect(),
                is_binary: parameters.binary_data_output.unwrap_or_default(),
            },
        })
    }
}

/// The JSON of a body, and what follows it.
fn split<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), String> {
    let Some(written) = headers.get(BINARY) else {
        return Ok((body, &[]));
    };
    let length = written
        .to_str()
        .ok()
        .and_then(|it| it.parse::<usize>().ok());
    let length = length.ok_or_else(|| {
        format!("{BINARY} is {written:?}, expected the length of the JSON in bytes")
    })?;
    let found = body.len();
    body.split_at_checked(length)
        .ok_or_else(|| format!("{BINARY} is {length}, and the body has {found} bytes"))
}

impl Output {
    fn wanted(self) -> wanted::Output {
        let parameters = self.parameters.unwrap_or_default();
        wanted::Output {
            name: self.name,
            is_binary: parameters.binary_data,
            top: parameters.classification.and_then(Top::new),
        }
    }
}

impl Input<'_> {
    /// Takes its values from what follows the JSON, where they are not in it.
    fn read(self, binary: &mut &[u8]) -> Result<Tensor, String> {
        let size = self.parameters.and_then(|it| it.binary_data_size);
        let Self { name, shape, .. } = self;
        let told = |why: String| format!("input `{name}`: {why}");
        let datatype = datatype(&self.datatype).map_err(told)?;
        let count = count(&shape).map_err(told)?;
        let values = match (self.data, size) {
            (Some(json), None) => {
                let read = element::read(datatype, &[json.get()], count);
                read.map_err(|error| told(error.to_string()))?
            }
            (None, Some(size)) => {
                let bytes = take(binary, size).map_err(told)?;
                raw::read(datatype, bytes, count)
                    .map_err(|misfit| told(format!("{shape:?} {datatype}: {misfit}")))?
            }
            (None, None) => return Err(told("missing field `data`".to_owned())),
            (Some(_), Some(_)) => {
                let twice = "it has `data` and `binary_data_size`, expected one of them";
                return Err(told(twice.to_owned()));
            }
        };
        if values.len() != count {
            let found = values.len();
            return Err(told(format!(
                "the shape {shape:?} needs {count} values, got {found}"
            )));
        }
        Ok(Tensor {
            name,
            shape,
            values,
        })
    }
}

fn take<'a>(binary: &mut &'a [u8], size: usize) -> Result<&'a [u8], String> {
    let Some((bytes, rest)) = binary.split_at_checked(size) else {
        let left = binary.len();
        return Err(format!(
            "it announces {size} bytes, and {left} are left behind the JSON, whose length {BINARY} says"
        ));
    };
    *binary = rest;
    Ok(bytes)
}

/// The datatype of this name.
pub(super) fn datatype(name: &str) -> Result<Datatype, String> {
    Datatype::named(name).ok_or_else(|| {
        let known: Vec<_> = Datatype::ALL.into_iter().map(Datatype::name).collect();
        let known = known.join(", ");
        format!("datatype `{name}` is not known; expected one of {known}")
    })
}

/// How many values a tensor of this shape has.
pub(super) fn count(shape: &[usize]) -> Result<usize, String> {
    let mut lengths = shape.iter();
    let count = lengths.try_fold(1_usize, |count, length| count.checked_mul(*length));
    count.ok_or_else(|| format!("the shape {shape:?} is too large"))
}

#[cfg(test)]
mod tests;

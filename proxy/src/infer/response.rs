//! Writes the answers of the Open Inference Protocol over REST.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use inference::{Signature, Values};
use policy::Model;
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json as value};

use super::wanted::Chosen;
use super::{BINARY, EXTENSIONS, PLATFORM, raw};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Who answers.
pub(super) fn server() -> Response<Bytes> {
    said(
        &value!({ "name": "wald", "version": env!("CARGO_PKG_VERSION"), "extensions": EXTENSIONS }),
    )
}

/// Said by whoever can say anything.
pub(super) fn live() -> Response<Bytes> {
    said(&value!({ "live": true }))
}

/// A model of a snapshot is loaded and checked.
pub(super) fn ready() -> Response<Bytes> {
    said(&value!({ "ready": true }))
}

/// What the model takes and gives.
pub(super) fn metadata(served: &Model, model: &inference::Model) -> Response<Bytes> {
    let signatures =
        |signatures: &[Signature]| signatures.iter().map(signature).collect::<Vec<_>>();
    said(&value!({
        "name": served.name,
        "versions": [served.version],
        "platform": PLATFORM,
        "inputs": signatures(model.inputs()),
        "outputs": signatures(model.outputs()),
    }))
}

/// What TensorFlow Serving says of a model, and beside it what KServe's first protocol does.
pub(super) fn status(served: &Model) -> Response<Bytes> {
    said(&value!({
        "name": served.name,
        "ready": true,
        "model_version_status": [{
            "version": served.version,
            "state": "AVAILABLE",
            "status": { "error_code": "OK", "error_message": "" },
        }],
    }))
}

fn said(value: &Value) -> Response<Bytes> {
    json(text(value).into())
}

fn signature(signature: &Signature) -> Value {
    // The protocol writes -1 where a request may choose.
    let length = |length: &Option<usize>| length.map_or(value!(-1), Value::from);
    let shape: Vec<_> = signature.shape.iter().map(length).collect();
    value!({ "name": signature.name, "datatype": signature.datatype.name(), "shape": shape })
}

/// What the model gave, as JSON with what goes out in binary behind it.
pub(super) fn inferred(served: &Model, id: Option<&str>, outputs: &[Chosen]) -> Response<Bytes> {
    let mut binary = Vec::new();
    let has_binary = outputs.iter().any(|output| output.is_binary);
    let outputs = outputs
        .iter()
        .map(|output| Output::of(output, &mut binary))
        .collect();
    let answer = Answer {
        model_name: &served.name,
        model_version: &served.version,
        id,
        outputs,
    };
    let mut body = text(&answer);
    if !has_binary {
        return json(body.into());
    }
    let length = HeaderValue::from(body.len());
    body.append(&mut binary);
    let mut response = Response::new(Bytes::from(body));
    let headers = response.headers_mut();
    headers.insert(BINARY, length);
    headers.insert(CONTENT_TYPE, BYTES);
    response
}

/// An answer of JSON.
pub(super) fn json(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

#[derive(serde::Serialize)]
struct Answer<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    outputs: Vec<Output<'a>>,
}

#[derive(serde::Serialize)]
struct Output<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Parameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
}

#[derive(serde::Serialize)]
struct Parameters {
    binary_data_size: usize,
}

impl<'a> Output<'a> {
    /// What goes out in binary is put behind `binary`.
    fn of(output: &'a Chosen, binary: &mut Vec<u8>) -> Self {
        let Chosen { tensor, is_binary } = output;
        let before = binary.len();
        if *is_binary {
            raw::write(&tensor.values, binary);
        }
        Self {
            name: &tensor.name,
            datatype: tensor.datatype().name(),
            shape: &tensor.shape,
            parameters: is_binary.then(|| Parameters {
                binary_data_size: binary.len() - before,
            }),
            data: (!is_binary).then_some(Data(&tensor.values)),
        }
    }
}

/// Values nested like their shape.
pub(super) struct Nested<'a> {
    pub(super) values: &'a Values,
    pub(super) shape: &'a [usize],
    /// Where they begin.
    pub(super) first: usize,
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self {
            values,
            shape,
            first,
        } = *self;
        let Some((length, shape)) = shape.split_first() else {
            return One(values, first).serialize(to);
        };
        let stride: usize = shape.iter().product();
        to.collect_seq((0..*length).map(|index| Self {
            values,
            shape,
            first: first + index * stride,
        }))
    }
}

/// The value at a place.
struct One<'a>(&'a Values, usize);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self(values, at) = *self;
        match values {
            Values::Bool(values) => values.get(at).serialize(to),
            Values::Uint8(values) => values.get(at).serialize(to),
            Values::Uint16(values) => values.get(at).serialize(to),
            Values::Uint32(values) => values.get(at).serialize(to),
            Values::Uint64(values) => values.get(at).serialize(to),
            Values::Int8(values) => values.get(at).serialize(to),
            Values::Int16(values) => values.get(at).serialize(to),
            Values::Int32(values) => values.get(at).serialize(to),
            Values::Int64(values) => values.get(at).serialize(to),
            Values::Fp16(values) => values.get(at).map(|it| it.to_f32()).serialize(to),
            Values::Bf16(values) => values.get(at).map(|it| it.to_f32()).serialize(to),
            Values::Fp32(values) => values.get(at).serialize(to),
            Values::Fp64(values) => values.get(at).serialize(to),
            Values::Bytes(values) => {
                let text = values.get(at).map(|it| String::from_utf8_lossy(it));
                text.serialize(to)
            }
        }
    }
}

/// Values as one flat array. JSON has no numbers for infinities and NaN: they become `null`.
struct Data<'a>(&'a Values);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Values::Bool(values) => to.collect_seq(values),
            Values::Uint8(values) => to.collect_seq(values),
            Values::Uint16(values) => to.collect_seq(values),
            Values::Uint32(values) => to.collect_seq(values),
            Values::Uint64(values) => to.collect_seq(values),
            Values::Int8(values) => to.collect_seq(values),
            Values::Int16(values) => to.collect_seq(values),
            Values::Int32(values) => to.collect_seq(values),
            Values::Int64(values) => to.collect_seq(values),
            Values::Fp16(values) => to.collect_seq(values.iter().map(|value| value.to_f32())),
            Values::Bf16(values) => to.collect_seq(values.iter().map(|value| value.to_f32())),
            Values::Fp32(values) => to.collect_seq(values),
            Values::Fp64(values) => to.collect_seq(values),
            Values::Bytes(values) => {
                to.collect_seq(values.iter().map(|bytes| String::from_utf8_lossy(bytes)))
            }
        }
    }
}

/// Keys are texts and values are plain, so writing cannot fail.
pub(super) fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_their_datatype_would_be_read() {
        let written = |values: Values| serde_json::to_string(&Data(&values)).unwrap();
        assert_eq!(written(Values::Fp32(vec![0.1, f32::NAN])), "[0.1,null]");
        let half = half::f16::from_f32(1.5);
        assert_eq!(
            written(Values::Fp16(vec![half, half::f16::INFINITY])),
            "[1.5,null]"
        );
        assert_eq!(written(Values::Bf16(vec![half::bf16::ONE])), "[1.0]");
        assert_eq!(
            written(Values::Uint64(vec![u64::MAX])),
            "[18446744073709551615]"
        );
        assert_eq!(
            written(Values::Bytes(vec!["ü".as_bytes().to_vec()])),
            r#"["ü"]"#
        );
    }
}

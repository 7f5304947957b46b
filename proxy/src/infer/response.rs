//! Writes the answers of the Open Inference Protocol.

use bytes::Bytes;
use inference::{Signature, Tensor, Values};
use policy::Model;
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

/// Who answers.
pub(super) fn server() -> Bytes {
    text(&json!({ "name": "wald", "version": env!("CARGO_PKG_VERSION"), "extensions": [] }))
}

/// Said by whoever can say anything.
pub(super) fn live() -> Bytes {
    text(&json!({ "live": true }))
}

/// A model of a snapshot is loaded and checked.
pub(super) fn ready() -> Bytes {
    text(&json!({ "ready": true }))
}

/// What the model takes and gives.
pub(super) fn metadata(served: &Model, model: &inference::Model) -> Bytes {
    let signatures =
        |signatures: &[Signature]| signatures.iter().map(signature).collect::<Vec<_>>();
    text(&json!({
        "name": served.name,
        "versions": [served.version],
        "platform": "onnx_tract",
        "inputs": signatures(model.inputs()),
        "outputs": signatures(model.outputs()),
    }))
}

fn signature(signature: &Signature) -> Value {
    // The protocol writes -1 where a request may choose.
    let length = |length: &Option<usize>| length.map_or(json!(-1), Value::from);
    let shape: Vec<_> = signature.shape.iter().map(length).collect();
    json!({ "name": signature.name, "datatype": signature.datatype.name(), "shape": shape })
}

/// What the model gave, all of it or the `asked` outputs in their order.
pub(super) fn inferred(
    served: &Model,
    id: Option<&str>,
    asked: &[String],
    mut outputs: Vec<Tensor>,
) -> Bytes {
    if !asked.is_empty() {
        let rank = |output: &Tensor| asked.iter().position(|name| *name == output.name);
        outputs.retain(|output| rank(output).is_some());
        outputs.sort_by_key(rank);
    }
    let answer = Answer {
        model_name: &served.name,
        model_version: &served.version,
        id,
        outputs: outputs.iter().map(Output::of).collect(),
    };
    text(&answer)
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
    data: Data<'a>,
}

impl<'a> Output<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        let Tensor {
            name,
            shape,
            values,
        } = tensor;
        Self {
            name,
            datatype: tensor.datatype().name(),
            shape,
            data: Data(values),
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
fn text(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_their_datatype_would_be_read() {
        let written = |values: Values| serde_json::to_string(&Data(&values)).unwrap();
        assert_eq!(written(Values::Fp32(vec![0.1, f32::NAN])), "[0.1,null]");
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

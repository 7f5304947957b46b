//! Tensors in binary behind the JSON of an answer, as the values that they hold.
//!
//! Source: the binary tensor data extension of the Open Inference Protocol V2 as Triton documents it. The values of
//! outputs with `binary_data_size` follow the JSON in the order of the outputs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use half::{bf16, f16};
use inference::{Datatype, Values};
use serde_json::{Map, Number, Value};

use crate::infer::raw;

/// The answer with the values of its tensors in their place, as JSON has them; none if `said` is no such answer,
/// whose JSON is so long.
pub(super) fn read(said: &[u8], json: usize) -> Option<Value> {
    let (json, mut rest) = said.split_at_checked(json)?;
    let mut answer: Value = serde_json::from_slice(json).ok()?;
    for output in outputs(&mut answer) {
        let Some(length) = take_size(output.as_object_mut()?)? else {
            continue;
        };
        let (raw, after) = rest.split_at_checked(length)?;
        rest = after;
        let count = count(output.get("shape")?)?;
        let values = values(output.get("datatype")?.as_str()?, raw, count)?;
        output
            .as_object_mut()?
            .insert("data".to_owned(), values.into());
    }
    rest.is_empty().then_some(answer)
}

/// Brings an answer to what tensors in binary and in JSON can both say: flat, as exact as their datatype, and with
/// `null` for what JSON has no numbers for.
pub(super) fn level(answer: &mut Value) {
    for output in outputs(answer) {
        let datatype = output.get("datatype").and_then(Value::as_str);
        let datatype = datatype.unwrap_or_default().to_owned();
        if let Some(output) = output.as_object_mut() {
            forget_empty(output);
        }
        let Some(data) = output.get_mut("data") else {
            continue;
        };
        let mut flat = Vec::new();
        flatten(data.take(), &mut flat);
        flat.iter_mut().for_each(|value| round(&datatype, value));
        *data = flat.into();
    }
}

fn outputs(answer: &mut Value) -> &mut [Value] {
    let outputs = answer.get_mut("outputs").and_then(Value::as_array_mut);
    outputs.map_or(&mut [], Vec::as_mut_slice)
}

/// How many bytes follow for an output; nothing inside if its values are in the JSON, and none if that cannot be.
#[expect(
    clippy::option_option,
    reason = "no size and no sensible size are two things"
)]
fn take_size(output: &mut Map<String, Value>) -> Option<Option<usize>> {
    let parameters = output.get_mut("parameters").and_then(Value::as_object_mut);
    let Some(size) = parameters.and_then(|it| it.remove("binary_data_size")) else {
        return Some(None);
    };
    forget_empty(output);
    Some(Some(usize::try_from(size.as_u64()?).ok()?))
}

/// Parameters that say nothing are none.
fn forget_empty(output: &mut Map<String, Value>) {
    let parameters = output.get("parameters").and_then(Value::as_object);
    if parameters.is_some_and(Map::is_empty) {
        output.remove("parameters");
    }
}

/// How many elements a tensor of this shape has.
pub(super) fn count(shape: &Value) -> Option<u64> {
    let lengths = shape.as_array()?.iter().map(Value::as_u64);
    lengths
        .into_iter()
        .try_fold(1_u64, |count, length| count.checked_mul(length?))
}

/// The `count` elements of a tensor. Bytes that are no text are written as servers write them in JSON.
pub(super) fn values(datatype: &str, raw: &[u8], count: u64) -> Option<Vec<Value>> {
    let count = usize::try_from(count).ok()?;
    let text = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap_or_else(|it| STANDARD.encode(it.as_bytes()));
        text.into()
    };
    Some(
        match raw::read(Datatype::named(datatype)?, raw, count).ok()? {
            Values::Bool(values) => each(values, Value::from),
            Values::Uint8(values) => each(values, Value::from),
            Values::Uint16(values) => each(values, Value::from),
            Values::Uint32(values) => each(values, Value::from),
            Values::Uint64(values) => each(values, Value::from),
            Values::Int8(values) => each(values, Value::from),
            Values::Int16(values) => each(values, Value::from),
            Values::Int32(values) => each(values, Value::from),
            Values::Int64(values) => each(values, Value::from),
            Values::Fp16(values) => each(values, |it| float(it.to_f64())),
            Values::Bf16(values) => each(values, |it| float(it.to_f64())),
            Values::Fp32(values) => each(values, |it| float(it.into())),
            Values::Fp64(values) => each(values, float),
            Values::Bytes(values) => each(values, text),
        },
    )
}

fn each<T>(values: Vec<T>, value: impl Fn(T) -> Value) -> Vec<Value> {
    values.into_iter().map(value).collect()
}

/// JSON has no numbers for infinities and NaN: they are named.
pub(super) fn float(value: f64) -> Value {
    let number = Number::from_f64(value).map(Value::Number);
    number.unwrap_or_else(|| value.to_string().into())
}

fn flatten(data: Value, into: &mut Vec<Value>) {
    match data {
        Value::Array(members) => members.into_iter().for_each(|it| flatten(it, into)),
        value => into.push(value),
    }
}

/// A number of JSON as its datatype holds it.
fn round(datatype: &str, value: &mut Value) {
    let held = match (datatype, value.as_f64()) {
        ("BOOL", Some(number)) => (number != 0.0).into(),
        ("FP16", Some(number)) => float(f16::from_f64(number).to_f64()),
        ("BF16", Some(number)) => float(bf16::from_f64(number).to_f64()),
        ("FP32", Some(number)) => float(single(number)),
        ("FP16" | "BF16" | "FP32" | "FP64", None) if value.is_string() => Value::Null,
        _ => return,
    };
    *value = held;
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest single is what is asked for"
)]
fn single(number: f64) -> f64 {
    f64::from(number as f32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An answer with one output, and its bytes behind it.
    fn read_one(datatype: &str, shape: &Value, raw: &[u8]) -> Option<Value> {
        let size = json!({ "binary_data_size": raw.len() });
        let output =
            json!({ "name": "y", "datatype": datatype, "shape": shape, "parameters": size });
        let mut said = serde_json::to_vec(&json!({ "outputs": [output] })).unwrap();
        let length = said.len();
        said.extend_from_slice(raw);
        let mut answer = read(&said, length)?;
        Some(answer["outputs"][0]["data"].take())
    }

    #[track_caller]
    fn check(datatype: &str, raw: &[u8], expected: &Value) {
        let count = expected.as_array().unwrap().len();
        let found = read_one(datatype, &json!([count]), raw);
        assert_eq!(found.as_ref(), Some(expected), "{datatype}");
        if datatype != "BYTES" {
            let broken = read_one(datatype, &json!([count]), &[raw, &[0]].concat());
            assert_eq!(broken, None, "{datatype} of other sizes");
        }
    }

    #[test]
    fn every_datatype_is_read() {
        check("BOOL", &[0, 1], &json!([false, true]));
        check("UINT8", &[255], &json!([255]));
        check("UINT16", &[1, 2], &json!([513]));
        check("UINT32", &[255; 4], &json!([u32::MAX]));
        check("UINT64", &[255; 8], &json!([u64::MAX]));
        check("INT8", &[128], &json!([-128]));
        check("INT16", &[254, 255], &json!([-2]));
        check("INT32", &[0, 0, 0, 128], &json!([i32::MIN]));
        check("INT64", &i64::MIN.to_le_bytes(), &json!([i64::MIN]));
        check("FP16", &[0x00, 0x3e, 0x00, 0x7c], &json!([1.5, "inf"]));
        check("BF16", &[0xc0, 0x3f], &json!([1.5]));
        check("FP32", &0.5_f32.to_le_bytes(), &json!([0.5]));
        check("FP32", &f32::NAN.to_le_bytes(), &json!(["NaN"]));
        check("FP64", &1e300_f64.to_le_bytes(), &json!([1e300]));
        let texts = b"\x03\0\0\0cat\0\0\0\0\x01\0\0\0\xff";
        check("BYTES", texts, &json!(["cat", "", "/w=="]));
    }

    #[test]
    fn what_does_not_fit_together_is_no_answer() {
        let one = [0, 0, 128, 63];
        assert_eq!(read_one("FP32", &json!([1, 1]), &one), Some(json!([1.0])));
        for shape in [json!([2]), json!([-1]), json!(1), json!([u64::MAX, 3])] {
            assert_eq!(read_one("FP32", &shape, &one), None, "{shape}");
        }
        assert_eq!(read_one("FP8", &json!([4]), &one), None);
        assert_eq!(read_one("BYTES", &json!([1]), b"\x09\0\0\0cat"), None);
        assert_eq!(read_one("BYTES", &json!([1]), b"\x09\0"), None);
        let announced = br#"{"outputs":[{"name":"y","parameters":{"binary_data_size":-1}}]}"#;
        assert_eq!(read(announced, announced.len()), None);
        assert_eq!(read(b"{}", usize::MAX), None);
        assert_eq!(read(b"{}x", 2), None, "nothing announces what follows");
        assert_eq!(read(br#"{"outputs":[1]}"#, 15), None);
        assert_eq!(read(b"{}", 2), Some(json!({})));
    }

    #[test]
    fn any_bytes_with_any_length_are_an_answer_or_none() {
        proptest::proptest!(|(raw: Vec<u8>, which in 0_usize..6, count in 0_u64..9)| {
            let datatype = ["BOOL", "FP16", "FP64", "INT32", "BYTES", "FP7"][which];
            if let Some(data) = read_one(datatype, &json!([count]), &raw) {
                assert_eq!(data.as_array().map(Vec::len), usize::try_from(count).ok());
            }
        });
    }

    #[test]
    fn levelled_answers_in_json_are_as_exact_as_their_datatype() {
        let level_one = |datatype: &str, data: Value| {
            let output = json!({ "datatype": datatype, "parameters": {}, "data": data });
            let mut answer = json!({ "outputs": [output] });
            level(&mut answer);
            assert_eq!(answer["outputs"][0].get("parameters"), None);
            answer["outputs"][0]["data"].take()
        };
        let nested = json!([[0.1], [2]]);
        assert_eq!(level_one("FP32", nested.clone()), json!([0.1_f32, 2.0]));
        assert_eq!(level_one("FP64", nested), json!([0.1, 2]));
        assert_eq!(level_one("FP16", json!(1.0001)), json!([1.0]));
        assert_eq!(level_one("FP32", json!(["NaN", null])), json!([null, null]));
        assert_eq!(level_one("BOOL", json!([1, false])), json!([true, false]));
        assert_eq!(level_one("BYTES", json!(["NaN"])), json!(["NaN"]));
    }
}

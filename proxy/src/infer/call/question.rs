//! What `ModelInfer` asks, and its answer.

use std::collections::BTreeMap;

use bytes::Bytes;
use inference::{Datatype, Tensor, Values};

use super::message::{Choice, Parameter, Request, Response, Tensor as Sent};
use super::{contents, message};
use crate::infer::classes::Top;
use crate::infer::question::{self, Question};
use crate::infer::request::{count, datatype};
use crate::infer::wanted::{Chosen, Output, Wanted};
use crate::infer::{Served, raw};
use crate::refusal::Refusal;

/// How the answer is written.
#[derive(Debug)]
pub(in crate::infer) struct Form {
    id: String,
    wanted: Wanted,
    /// Tensors go out as they came in.
    is_raw: bool,
}

impl Form {
    /// The question of a message, if it fits the model.
    pub(super) fn question(served: &Served, message: Bytes) -> Result<Question, Refusal> {
        let request = Request::read(message).map_err(Refusal::Inference)?;
        let version = Some(&*request.model_version).filter(|version| !version.is_empty());
        served.refuse_other(version)?;
        let (inputs, form) = read(request).map_err(Refusal::Inference)?;
        served.check(&inputs, &form.wanted)?;
        let form = question::Form::Call(form);
        Ok(Question { inputs, form })
    }

    /// What the model gave.
    pub(in crate::infer) fn response(&self, served: &Served, given: Vec<Tensor>) -> Response {
        let chosen = self.wanted.choose(given, served.pool.model().outputs());
        // Half a number has no field of its own, and tensors come in one of the two ways.
        let is_half = |it: &Chosen| matches!(it.tensor.datatype(), Datatype::Fp16 | Datatype::Bf16);
        let is_raw = self.is_raw || chosen.iter().any(is_half);
        let mut response = Response {
            model_name: served.model.name.to_string(),
            model_version: served.model.version.to_string(),
            id: self.id.clone(),
            ..Response::default()
        };
        for Chosen { tensor, .. } in chosen {
            let mut sent = sent(&tensor);
            if is_raw {
                let mut bytes = Vec::new();
                raw::write(&tensor.values, &mut bytes);
                response.raw.push(bytes.into());
            } else {
                sent.contents = Some(contents::of(tensor.values));
            }
            response.outputs.push(sent);
        }
        response
    }
}

/// All but the values.
fn sent(tensor: &Tensor) -> Sent {
    let lengths = tensor.shape.iter();
    Sent {
        name: tensor.name.clone(),
        datatype: tensor.datatype().name().to_owned(),
        // A tensor in memory is no longer than this.
        shape: lengths
            .map(|length| i64::try_from(*length).unwrap_or(i64::MAX))
            .collect(),
        ..Sent::default()
    }
}

fn read(request: Request) -> Result<(Vec<Tensor>, Form), String> {
    let Request {
        id,
        inputs,
        outputs,
        raw,
        ..
    } = request;
    let is_raw = !raw.is_empty();
    if is_raw && raw.len() != inputs.len() {
        let (inputs, raw) = (inputs.len(), raw.len());
        return Err(format!(
            "raw_input_contents has {raw} tensors, expected one for each of the {inputs} inputs"
        ));
    }
    let mut raw = raw.into_iter();
    let inputs = inputs.into_iter();
    let inputs = inputs
        .map(|input| tensor(input, raw.next().as_deref()))
        .collect::<Result<_, _>>()?;
    let outputs = outputs.into_iter().map(output).collect::<Result<_, _>>()?;
    let wanted = Wanted {
        outputs,
        is_binary: false,
    };
    Ok((inputs, Form { id, wanted, is_raw }))
}

fn output(requested: message::Requested) -> Result<Output, String> {
    let message::Requested { name, parameters } = requested;
    let top =
        classification(&parameters).map_err(|expected| format!("output `{name}`: {expected}"))?;
    Ok(Output {
        name,
        top,
        is_binary: None,
    })
}

/// Triton takes 0 for none.
fn classification(parameters: &BTreeMap<String, Parameter>) -> Result<Option<Top>, String> {
    let Some(parameter) = parameters.get("classification") else {
        return Ok(None);
    };
    let number = match parameter.choice {
        Some(Choice::Int(number)) => usize::try_from(number).ok(),
        Some(Choice::Uint(number)) => usize::try_from(number).ok(),
        _ => None,
    };
    let number = number.ok_or("`classification` is no number of classes")?;
    Ok(Top::new(number))
}

fn tensor(input: Sent, raw: Option<&[u8]>) -> Result<Tensor, String> {
    let name = input.name;
    let told = |why: String| format!("input `{name}`: {why}");
    let datatype = datatype(&input.datatype).map_err(told)?;
    let lengths = input
        .shape
        .iter()
        .map(|length| usize::try_from(*length).ok());
    let shape = lengths.collect::<Option<Vec<_>>>();
    let shape = shape.ok_or_else(|| told(format!("the shape {:?} has no length", input.shape)))?;
    let count = count(&shape).map_err(told)?;
    let values = values(datatype, count, raw, input.contents)
        .map_err(|why| told(format!("{shape:?} {datatype}: {why}")))?;
    Ok(Tensor {
        name,
        shape,
        values,
    })
}

fn values(
    datatype: Datatype,
    count: usize,
    raw: Option<&[u8]>,
    contents: Option<message::Contents>,
) -> Result<Values, String> {
    match (raw, contents) {
        (Some(raw), None) => raw::read(datatype, raw, count).map_err(|misfit| misfit.to_string()),
        (None, contents) => contents::values(contents.unwrap_or_default(), datatype, count),
        (Some(_), Some(_)) => {
            Err("it has `contents` and `raw_input_contents`, expected one of them".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(shape: &[i64], contents: Option<message::Contents>) -> Sent {
        Sent {
            name: "x".to_owned(),
            datatype: "FP32".to_owned(),
            shape: shape.to_vec(),
            contents,
            ..Sent::default()
        }
    }

    fn singles(values: &[f32]) -> Option<message::Contents> {
        Some(message::Contents {
            singles: values.to_vec(),
            ..message::Contents::default()
        })
    }

    fn asking(input: Sent, raw: &[&'static [u8]]) -> Request {
        Request {
            inputs: vec![input],
            raw: raw.iter().map(|&raw| Bytes::from_static(raw)).collect(),
            ..Request::default()
        }
    }

    #[test]
    fn a_tensor_comes_in_either_field() {
        let typed = read(asking(input(&[1, 2], singles(&[1.0, 2.0])), &[])).unwrap();
        let bytes: &[u8] = &[0, 0, 128, 63, 0, 0, 0, 64];
        let raw = read(asking(input(&[1, 2], None), &[bytes])).unwrap();
        assert_eq!(typed.0, raw.0);
        assert_eq!((typed.1.is_raw, raw.1.is_raw), (false, true));
    }

    #[test]
    fn what_was_expected_is_told() {
        let told = |request: Request, says: &str| {
            let refused = read(request).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        };
        told(
            asking(input(&[2], singles(&[1.0])), &[]),
            "expected 2 values in `fp32_contents`, got 1",
        );
        told(
            asking(input(&[2], None), &[]),
            "expected 2 values in `fp32_contents`, got 0",
        );
        told(
            asking(input(&[-1], None), &[]),
            "the shape [-1] has no length",
        );
        told(asking(input(&[i64::MAX, 3], None), &[]), "too large");
        told(
            asking(input(&[1], None), &[b"abc"]),
            "1 values of 4 bytes each are expected, got 3 bytes",
        );
        told(
            asking(input(&[1], None), &[b"", b""]),
            "raw_input_contents has 2 tensors",
        );
        told(
            asking(input(&[1], singles(&[1.0])), &[b"abcd"]),
            "expected one of them",
        );
        let mut odd = input(&[1], None);
        odd.datatype = "FP31".to_owned();
        told(asking(odd, &[]), "datatype `FP31` is not known");
    }

    #[test]
    fn classes_are_asked_for_with_a_number() {
        let top = |choice| {
            let parameter = Parameter {
                choice: Some(choice),
            };
            let parameters = BTreeMap::from([("classification".to_owned(), parameter)]);
            let name = "y".to_owned();
            output(message::Requested { name, parameters }).map(|it| it.top.map(Top::get))
        };
        assert_eq!(top(Choice::Int(3)), Ok(Some(3)));
        assert_eq!(top(Choice::Uint(1)), Ok(Some(1)));
        assert_eq!(top(Choice::Int(0)), Ok(None));
        let told = "output `y`: `classification` is no number of classes".to_owned();
        for wrong in [
            Choice::Int(-1),
            Choice::Text("3".to_owned()),
            Choice::Double(1.0),
        ] {
            assert_eq!(top(wrong), Err(told.clone()));
        }
    }
}

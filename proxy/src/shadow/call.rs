//! The one message of a call's answer, and what it says where its kind is known.
//!
//! Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md) for the frame of a message, and `grpc_predict_v2.proto` of the Open
//! Inference Protocol V2 for tensors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use prost::Message;
use serde_json::{Value, json};

use super::answer::Meaning;
use super::tensors;
use crate::coding::{Coding, TooLarge};
use crate::grpc;
use crate::infer::call::message::{Contents, Response, Tensor};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What comes before a message: whether it is encoded, and its length.
const PREFIX_BYTES: usize = 5;

/// The method whose answers hold tensors.
pub(crate) const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

/// How the messages of a call are to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    coding: Coding,
    is_inference: bool,
}

impl Call {
    /// As the head of an answer says, to what was asked at this path; none if it is no answer to a call.
    pub(super) fn of(headers: &HeaderMap, path: &str) -> Option<Self> {
        let written = headers.get(ENCODING);
        grpc::is_call(headers).then(|| Self {
            coding: written.map_or(Coding::Identity, |it| Coding::named(it.as_bytes())),
            is_inference: path == INFER,
        })
    }

    /// What the message says, unless that is more than `room`.
    pub(super) fn meaning(self, came: Vec<u8>, room: u64) -> Result<Meaning, TooLarge> {
        let Some((prefix, message)) = came.split_at_checked(PREFIX_BYTES) else {
            return Ok(Meaning::Opaque(came));
        };
        let is_encoded = prefix.first() != Some(&0);
        let coding = if is_encoded {
            self.coding
        } else {
            Coding::Identity
        };
        let Some(said) = coding.decode(message, room)? else {
            return Ok(Meaning::Opaque(came));
        };
        let tensors = self.is_inference.then(|| inferred(&said)).flatten();
        Ok(tensors.map_or(Meaning::Opaque(said), Meaning::Tensors))
    }
}

/// Whether these are the bytes of one message.
pub(super) fn is_one_message(parts: &[Bytes]) -> bool {
    let length: usize = parts.iter().map(Bytes::len).sum();
    let mut prefix = parts.iter().flatten().copied().take(PREFIX_BYTES).skip(1);
    let mut announced = || prefix.next().map(usize::from);
    let announced = (0..4).try_fold(0_usize, |so_far, _| Some(so_far << 8 | announced()?));
    announced.and_then(|it| it.checked_add(PREFIX_BYTES)) == Some(length)
}

/// The answer as JSON has it, without its parameters; none if it is no such answer.
fn inferred(message: &[u8]) -> Option<Value> {
    let Response {
        model_name,
        model_version,
        id,
        outputs,
        raw,
        ..
    } = Response::decode(message).ok()?;
    if !raw.is_empty() && raw.len() != outputs.len() {
        return None;
    }
    let mut raw = raw.iter();
    let outputs = outputs.into_iter().map(|output| {
        let Tensor {
            name,
            datatype,
            shape,
            contents,
            ..
        } = output;
        let shape = json!(shape);
        let count = tensors::count(&shape)?;
        let data = match raw.next() {
            Some(raw) => tensors::values(&datatype, raw, count)?,
            None => values(contents.unwrap_or_default()),
        };
        let fits = data.len() as u64 == count;
        fits.then(|| json!({ "name": name, "datatype": datatype, "shape": shape, "data": data }))
    });
    let outputs: Vec<Value> = outputs.collect::<Option<_>>()?;
    Some(json!({
        "model_name": model_name,
        "model_version": model_version,
        "id": id,
        "outputs": outputs,
    }))
}

/// The values of the one field that the datatype uses.
fn values(contents: Contents) -> Vec<Value> {
    let singles = contents.singles.into_iter().map(f64::from);
    let text =
        |text: Vec<u8>| String::from_utf8(text).unwrap_or_else(|it| STANDARD.encode(it.as_bytes()));
    let all = contents.bools.into_iter().map(Value::from);
    let all = all.chain(contents.ints.into_iter().map(Value::from));
    let all = all.chain(contents.longs.into_iter().map(Value::from));
    let all = all.chain(contents.uints.into_iter().map(Value::from));
    let all = all.chain(contents.ulongs.into_iter().map(Value::from));
    let all = all.chain(singles.chain(contents.doubles).map(tensors::float));
    let texts = contents.texts.into_iter().map(|it| text(it).into());
    all.chain(texts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(contents: Option<Contents>, shape: &[i64]) -> Tensor {
        Tensor {
            name: "y".to_owned(),
            datatype: "FP32".to_owned(),
            shape: shape.to_vec(),
            contents,
            ..Tensor::default()
        }
    }

    fn answer(outputs: Vec<Tensor>, raw: Vec<Vec<u8>>) -> Vec<u8> {
        let answer = Response {
            model_name: "fraud".to_owned(),
            outputs,
            raw: raw.into_iter().map(Bytes::from).collect(),
            ..Response::default()
        };
        answer.encode_to_vec()
    }

    #[test]
    fn tensors_say_the_same_in_either_field() {
        let contents = Contents {
            singles: vec![0.5, f32::NAN],
            ..Contents::default()
        };
        let raw = [0.5_f32, f32::NAN].map(f32::to_le_bytes).concat();
        let (one, other) = (
            inferred(&answer(vec![output(Some(contents), &[1, 2])], vec![])),
            inferred(&answer(vec![output(None, &[1, 2])], vec![raw])),
        );
        assert_eq!(one, other);
        let data = &one.unwrap()["outputs"][0]["data"];
        assert_eq!(*data, json!([0.5, "NaN"]));
    }

    #[test]
    fn what_does_not_fit_together_is_no_answer_of_tensors() {
        let raw = vec![0; 8];
        let fits = |shape: &[i64], raw: Vec<Vec<u8>>| {
            inferred(&answer(vec![output(None, shape)], raw)).is_some()
        };
        assert!(fits(&[2], vec![raw.clone()]));
        assert!(!fits(&[3], vec![raw.clone()]));
        assert!(!fits(&[-2], vec![raw.clone()]));
        assert!(!fits(&[2], vec![raw.clone(), raw]));
        assert!(!fits(&[2], vec![]));
        assert_eq!(inferred(b"\xff"), None);
    }

    #[test]
    fn one_message_is_told_from_none_and_from_several() {
        let check = |parts: &[&'static [u8]], is_one: bool| {
            let parts: Vec<_> = parts.iter().map(|it| Bytes::from_static(it)).collect();
            assert_eq!(is_one_message(&parts), is_one, "{parts:?}");
        };
        check(&[b"\0\0\0\0\x02ab"], true);
        check(&[b"\0\0", b"\0\0", b"\x02a", b"b"], true);
        check(&[b"\0\0\0\0\0"], true);
        check(&[b"\0\0\0\0\x02a"], false);
        check(&[b"\0\0\0\0\0", b"\0\0\0\0\0"], false);
        check(&[b"\0\0\0"], false);
        check(&[], false);
    }

    #[test]
    fn an_encoded_message_says_what_it_stands_for() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert(ENCODING, "gzip".parse().unwrap());
        let call = Call::of(&headers, "/a.B/C").unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, b"the same").unwrap();
        let framed = |flag: u8, said: &[u8]| {
            let length = u32::try_from(said.len()).unwrap().to_be_bytes();
            [&[flag][..], &length, said].concat()
        };
        let encoded = framed(1, &encoder.finish().unwrap());
        for came in [encoded, framed(0, b"the same")] {
            let meaning = call.meaning(came, 100).unwrap_or(Meaning::Opaque(vec![]));
            assert!(matches!(meaning, Meaning::Opaque(said) if said == b"the same"));
        }
    }
}

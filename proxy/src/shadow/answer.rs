//! An answer as far as it is compared, and what it says.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use super::call::Call;
use super::tensors;
use crate::coding::{Coding, TooLarge};
use crate::grpc;
use crate::infer::BINARY;

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) form: Form,
    pub(super) parts: Vec<Bytes>,
    /// How a call ended; none if that was not said, or it is none.
    pub(super) ended: Option<grpc::Status>,
}

/// How the bytes of an answer are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    coding: Coding,
    /// How long the JSON is that tensors in binary follow, if any do.
    json: Option<usize>,
    /// Of the answer to a call.
    call: Option<Call>,
}

/// What an answer says.
pub(super) enum Meaning {
    Json(Value),
    /// JSON whose tensors came in binary.
    Tensors(Value),
    /// Whatever is no JSON.
    Text(Vec<u8>),
    /// Bytes that only their like agree with.
    Opaque(Vec<u8>),
}

impl Form {
    /// As the head says, of the answer to what was asked at this path.
    pub(crate) fn of(headers: &HeaderMap, path: &str) -> Self {
        Self {
            coding: Coding::of(headers),
            json: headers.get(BINARY).map(length),
            call: Call::of(headers, path),
        }
    }

    /// The values that an answer of these bytes has, unless it is longer than `room`.
    pub(crate) fn values(self, came: Vec<u8>, room: u64) -> Option<Value> {
        match self.meaning(came, room) {
            Ok(Meaning::Json(value) | Meaning::Tensors(value)) => Some(value),
            Ok(Meaning::Text(_) | Meaning::Opaque(_)) | Err(TooLarge) => None,
        }
    }

    fn meaning(self, came: Vec<u8>, room: u64) -> Result<Meaning, TooLarge> {
        if let Some(call) = self.call {
            return call.meaning(came, room);
        }
        let Some(said) = self.coding.decode(&came, room)? else {
            return Ok(Meaning::Opaque(came));
        };
        if let Some(json) = self.json {
            let tensors = tensors::read(&said, json).map(Meaning::Tensors);
            return Ok(tensors.unwrap_or(Meaning::Opaque(said)));
        }
        Ok(match serde_json::from_slice(&said) {
            Ok(value) => Meaning::Json(value),
            Err(_) => Meaning::Text(said),
        })
    }

    /// How a call ended, as its trailers say, or its head if that is all there is.
    pub(super) fn ended(&self, headers: &HeaderMap) -> Option<grpc::Status> {
        self.call.and_then(|_| grpc::Status::of(headers))
    }
}

/// What is no length is longer than any answer.
fn length(written: &HeaderValue) -> usize {
    let length = written.to_str().ok().and_then(|it| it.parse().ok());
    length.unwrap_or(usize::MAX)
}

impl Answer {
    /// What it says, unless that is more than `room`.
    pub(super) fn meaning(&self, room: u64) -> Result<Meaning, TooLarge> {
        self.form.meaning(self.parts.concat(), room)
    }
}

impl Meaning {
    /// The values, if it has any.
    pub(super) fn values(&self) -> Option<&Value> {
        match self {
            Self::Json(value) | Self::Tensors(value) => Some(value),
            Self::Text(_) | Self::Opaque(_) => None,
        }
    }

    /// How long it is, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Json(_) => "JSON".to_owned(),
            Self::Tensors(_) => "tensors".to_owned(),
            Self::Text(bytes) | Self::Opaque(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

#[cfg(test)]
impl Answer {
    /// One with the output `y` of this datatype, one row, in binary.
    pub(super) fn of_tensor(datatype: &str, length: usize, raw: &[u8]) -> Self {
        let size = serde_json::json!({ "binary_data_size": raw.len() });
        let output = serde_json::json!({ "name": "y", "datatype": datatype, "shape": [1, length], "parameters": size });
        let json = serde_json::json!({ "outputs": [output] }).to_string();
        let mut answer = Self::saying(&json);
        answer.form.json = Some(json.len());
        answer.parts.push(Bytes::copy_from_slice(raw));
        answer
    }

    /// One that says this in so many words.
    pub(super) fn saying(text: &str) -> Self {
        Self {
            status: StatusCode::OK,
            form: Form::of(&HeaderMap::new(), "/"),
            parts: vec![Bytes::copy_from_slice(text.as_bytes())],
            ended: None,
        }
    }
}

//! An answer as far as it is compared, and what it says.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::coding::{Coding, TooLarge};

/// An answer as it came.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) form: Form,
    pub(super) parts: Vec<Bytes>,
}

/// How the bytes of an answer are to be read.
#[derive(Clone, Copy)]
pub(super) struct Form {
    coding: Coding,
}

/// What an answer says.
pub(super) enum Meaning {
    Json(Value),
    /// Whatever is no JSON.
    Text(Vec<u8>),
    /// Bytes that only their like agree with.
    Opaque(Vec<u8>),
}

impl Form {
    /// As the head says.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            coding: Coding::of(headers),
        }
    }
}

impl Answer {
    /// What it says, unless that is more than `room`.
    pub(super) fn meaning(&self, room: u64) -> Result<Meaning, TooLarge> {
        let came = self.parts.concat();
        let Some(said) = self.form.coding.decode(&came, room)? else {
            return Ok(Meaning::Opaque(came));
        };
        Ok(match serde_json::from_slice(&said) {
            Ok(value) => Meaning::Json(value),
            Err(_) => Meaning::Text(said),
        })
    }
}

impl Meaning {
    /// How long it is, for people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Json(_) => "JSON".to_owned(),
            Self::Text(bytes) | Self::Opaque(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

#[cfg(test)]
impl Answer {
    /// One that says this in so many words.
    pub(super) fn saying(text: &str) -> Self {
        Self {
            status: StatusCode::OK,
            form: Form::of(&HeaderMap::new()),
            parts: vec![Bytes::copy_from_slice(text.as_bytes())],
        }
    }
}

//! When a request is tried again.

use crate::decode::{Decode, Decoder, Wanted, record};
use crate::tree::{Node, Value};
use crate::value::{ByteCount, Share};

record! {
    /// Tries again when a try fails.
    pub struct Retries {
        /// How many tries after the first, for example `2`.
        pub attempts: u32,
        /// What counts as failed: `connect` or a status, for example `[connect, 503]`.
        pub when: Vec<RetryOn>,
        /// Retries as a part of all requests, at most. Default: `20%`.
        pub budget: Option<Share>,
        /// Bytes of a body that are kept for a retry; larger ones are tried once. Default: `1MiB`.
        pub body_max: Option<ByteCount>,
    }
}

/// What counts as failed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum RetryOn {
    /// One of the words.
    Failure(Failure),
    /// The answer has this status, for example `503`.
    Status(u16),
}

/// A failure without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection came about.
    Connect,
}

impl Decode for RetryOn {
    fn wanted() -> Wanted {
        Wanted::new("`connect` or a status", "503")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let retry_on = match &node.value {
            Value::Scalar(scalar) if scalar.text == "connect" => {
                Some(Self::Failure(Failure::Connect))
            }
            Value::Scalar(scalar) => scalar.text.parse().ok().map(Self::Status),
            _ => None,
        };
        if retry_on.is_none() {
            decoder.mismatch::<Self>(node);
        }
        retry_on
    }
}

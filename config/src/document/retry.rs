//! When a request is tried again.

use crate::decode::{Decode, Decoder, Wanted, record};
use crate::tree::{Node, Value};
use crate::value::{ByteCount, Share};

record! {
    /// Tries again when a try fails.
    pub struct Retries {
        /// How many tries after the first, for example `2`.
        pub attempts: u32,
        /// What counts as failed: `connect`, `reset`, `timeout` or a status, for example `[connect, 503]`.
        pub when: Vec<RetryOn> = required,
        /// Methods that may be tried again after a server may have acted, for example `[GET]`. Default: all, as
        /// asking a model again changes nothing.
        pub methods: Vec<String>,
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
    /// Nothing was sent: no connection came about, or the server refused the request unread.
    Connect,
    /// The connection broke before the answer began.
    Reset,
    /// The answer did not begin in time.
    Timeout,
}

/// The words, and what they mean.
const WORDS: [(&str, Failure); 3] = [
    ("connect", Failure::Connect),
    ("reset", Failure::Reset),
    ("timeout", Failure::Timeout),
];

impl Decode for RetryOn {
    fn wanted() -> Wanted {
        Wanted::new("`connect`, `reset`, `timeout` or a status", "503")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let retry_on = match &node.value {
            Value::Scalar(scalar) => {
                let word = WORDS.iter().find(|(word, _)| *word == scalar.text);
                let failure = word.map(|(_, failure)| Self::Failure(*failure));
                failure.or_else(|| scalar.text.parse().ok().map(Self::Status))
            }
            _ => None,
        };
        if retry_on.is_none() {
            decoder.mismatch::<Self>(node);
        }
        retry_on
    }
}

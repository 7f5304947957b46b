//! Models that Wald runs itself.

use super::{Anything, Embedding, Labels, Scores, Tokenizer};
use crate::decode::{Decode, Decoder, Wanted, record, shapes};
use crate::tree::{Node, Value};
use crate::value::Period;
use std::path::PathBuf;

record! {
    /// A model that Wald runs itself, from an ONNX file.
    pub struct Model {
        /// What backends and `/v2/models/NAME` call it, for example `digits`.
        pub name: String,
        /// Its version, for example `"2"`. Default: `"1"`.
        pub version: Option<String>,
        /// The file, relative to the document's folder, for example `models/digits-v2.onnx`.
        pub file: PathBuf,
        /// The file's SHA-256 in hexadecimal; a file with another one is not loaded.
        pub sha256: String,
        /// Runs requests together, if the first dimension of everything is the batch. Default: one by one.
        pub batch: Option<Batch>,
        /// How many threads run it. Default: `1`.
        pub threads: Option<u32>,
        /// How many requests may wait for it; more are refused. Default: `1024`.
        pub queue: Option<u32>,
        /// Proves who made the file. Default: nobody did, beyond its `sha256`.
        pub signature: Option<ModelSignature>,
        /// Makes tokens of texts, so that requests bring texts. Default: they bring what the model takes.
        pub tokenizer: Option<Tokenizer>,
        /// Makes one embedding of what the model gives for each text. Default: what the model gives.
        pub embedding: Option<Embedding>,
        /// What the columns of a classifier stand for, for example `[negative, positive]`.
        pub labels: Option<Labels>,
        /// What makes scores of a classifier's columns. Default: `as_given`.
        pub scores: Option<Scores>,
        /// A request that it has to answer before it serves. Default: one that is made up.
        pub example: Option<Example>,
    }
}

record! {
    /// Runs requests together that wait when a thread becomes free.
    pub struct Batch {
        /// How many rows at most, for example `16`.
        pub max: u32,
        /// How long a request waits for others when a thread is free, for example `500us`. Default: not at all.
        pub wait: Option<Period>,
    }
}

record! {
    /// A request that a model has to answer before it serves.
    pub struct Example {
        /// The body that `infer` would get: a file of JSON, for example `request.json`, or written out.
        pub request: ExampleBody,
        /// What it must answer, in a file or written out; another answer, and the model is not loaded. Outputs that
        /// are not here may be anything. Default: any answer will do.
        pub response: Option<ExampleBody>,
        /// By how much numbers may differ, as a part of the expected one or of 1, for example `1e-3`. Default:
        /// `1e-4`.
        pub tolerance: Option<f64>,
    }
}

/// A body of the protocol.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum ExampleBody {
    /// A file that holds it, relative to the document's folder.
    File(PathBuf),
    /// The body itself, for example
    /// `{ inputs: [{ name: x, datatype: FP32, shape: [1, 2], data: [0.5, 1] }] }`.
    Written(Anything),
}

impl Decode for ExampleBody {
    fn wanted() -> Wanted {
        Wanted::new("a file or a body", "request.json")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => Anything::decode(node, decoder).map(Self::Written),
            Value::Scalar(_) => PathBuf::decode(node, decoder).map(Self::File),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

record! {
    /// A signature beside a model's file.
    pub struct ModelSignature {
        /// The signature, for example `models/digits-v2.onnx.minisig`; read again when it changes.
        pub file: PathBuf,
        /// Whose it must be: one of `signers`.
        pub signer: String,
    }
}

record! {
    /// Somebody whose models are believed.
    pub struct Signer {
        /// What models call it, for example `release`.
        pub name: String,
        /// How its signatures are checked.
        pub key: SignerKey,
    }
}

shapes! {
    /// A signer's public key; nothing is asked of any server.
    pub enum SignerKey {
        /// Signatures of minisign.
        Minisign {
            /// The file that `minisign -G` calls the public key, for example `release.pub`.
            minisign: PathBuf,
        },
        /// Signatures of OpenSSF Model Signing, made with a key (`model_signing sign key`).
        OpenSsf {
            /// An ECDSA key (P-256, P-384 or P-521) in PEM, for example `ml-team.pem`.
            openssf: PathBuf,
        },
    }
}

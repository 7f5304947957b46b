//! Models that Wald runs itself.

use super::Anything;
use crate::decode::{record, shapes};
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
        /// Runs requests together. Default: one by one.
        pub batch: Option<Batch>,
        /// How many threads run it. Default: `1`.
        pub threads: Option<u32>,
        /// How many requests may wait for it; more are refused. Default: `1024`.
        pub queue: Option<u32>,
        /// Proves who made the file. Default: nobody did, beyond its `sha256`.
        pub signature: Option<ModelSignature>,
        /// Reserved: turns text into tokens.
        pub tokenizer: Option<Anything>,
        /// Reserved: names of classes.
        pub labels: Option<Anything>,
        /// Reserved: a request to try it with.
        pub example: Option<Anything>,
    }
}

record! {
    /// Runs requests together.
    pub struct Batch {
        /// How many at most, for example `16`.
        pub max: u32,
        /// How long the first one waits for others, for example `500us`.
        pub wait: Period,
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

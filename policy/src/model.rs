//! Models that Wald runs itself.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::{Ending, ModelId, Tokenizer};

/// A model file and what it may use.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Model {
    /// Its position.
    pub id: ModelId,
    /// What requests call it.
    pub name: Box<str>,
    /// Which one of that name.
    pub version: Box<str>,
    /// Where it lies.
    pub file: PathBuf,
    /// What the file must hash to.
    pub sha256: [u8; 32],
    /// What proves who made the file, where that is asked.
    pub signature: Option<Signature>,
    /// How many requests run at once.
    pub threads: NonZeroUsize,
    /// How many more may wait.
    pub queue: usize,
    /// Whether requests run together.
    pub batch: Option<Batch>,
    /// What it has to answer before it serves.
    pub example: Option<Example>,
    /// What makes tokens of texts for it.
    pub tokenizer: Option<Arc<Tokenizer>>,
    /// What becomes of what it gives.
    pub ending: Option<Arc<Ending>>,
}

/// How requests to a model run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch {
    /// How many rows at most.
    pub max: NonZeroUsize,
    /// How long a request waits for others when a thread is free.
    pub wait: Duration,
}

/// A request that a model has to answer before it serves.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Example {
    /// The body of the request.
    pub request: ExampleBody,
    /// What must be in the answer, if anything is known.
    pub response: Option<ExampleBody>,
    /// By how much numbers may differ from it, as a part of the expected one or of 1.
    pub tolerance: f64,
}

/// A body of the Open Inference Protocol.
#[derive(Clone, Debug, PartialEq)]
pub enum ExampleBody {
    /// Where it lies.
    File(PathBuf),
    /// What it says, in JSON.
    Written(String),
}

/// A signature beside a model's file, and whose it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Where it lies.
    pub file: PathBuf,
    /// What the document calls whoever signed.
    pub signer: Box<str>,
    /// The signer's public key.
    pub key: SignerKey,
}

/// A public key in a file, by the form of the signatures that it checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerKey {
    /// Of minisign.
    Minisign(PathBuf),
    /// Of OpenSSF Model Signing with a key: ECDSA in PEM.
    OpenSsf(PathBuf),
}

impl SignerKey {
    /// The file that holds it.
    #[must_use]
    pub fn file(&self) -> &Path {
        match self {
            Self::Minisign(file) | Self::OpenSsf(file) => file,
        }
    }
}

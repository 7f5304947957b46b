//! Models that Wald runs itself.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::ModelId;

/// A model file and what it may use.
#[derive(Clone, Debug, PartialEq, Eq)]
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

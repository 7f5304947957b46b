//! Models that Wald runs itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;

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
    /// How many requests run at once.
    pub threads: NonZeroUsize,
    /// How many more may wait.
    pub queue: usize,
}

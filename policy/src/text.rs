//! What stands around a model that Wald runs itself.

use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A file that makes tokens of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    /// Where it lies.
    pub file: PathBuf,
    /// What the file must hash to.
    pub sha256: [u8; 32],
    /// How many tokens of a text are read, if the document says.
    pub max_tokens: Option<NonZeroUsize>,
}

/// What becomes of what a model gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// One vector for each row.
    Embedding {
        /// How the vectors of tokens become one.
        pooling: Pooling,
        /// Whether it gets the length 1.
        normalize: bool,
        /// Of which output, if the document says.
        output: Option<Box<str>>,
    },
    /// A label and the scores of all labels for each row.
    Classes {
        /// What the columns stand for.
        labels: Labels,
        /// What makes scores of the columns.
        scores: Scores,
    },
}

/// How the vectors of tokens become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the document")]
pub enum Pooling {
    Mean,
    Cls,
    None,
}

/// What makes scores of a classifier's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in the document")]
pub enum Scores {
    Softmax,
    Sigmoid,
    AsGiven,
}

/// What the columns of a classifier stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// These, in the order of the columns; none if they have no names.
    Listed(Vec<String>),
    /// The lines of a file.
    File {
        /// Where it lies.
        file: PathBuf,
        /// What the file must hash to.
        sha256: [u8; 32],
    },
}

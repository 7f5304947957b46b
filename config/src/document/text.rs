//! What stands around a model that Wald runs itself: a tokenizer before it, an embedding or labels behind it.

use crate::decode::{Decode, Decoder, Wanted, choice, record};
use crate::tree::{Node, Value};
use std::path::PathBuf;

record! {
    /// A tokenizer, as Hugging Face's library writes it.
    pub struct Tokenizer {
        /// The file, for example `models/tokenizer.json`.
        pub file: PathBuf,
        /// The file's SHA-256 in hexadecimal; a file with another one is not loaded.
        pub sha256: String,
        /// How many tokens of a text are read, for example `256`; the rest is cut off. Default: as the file says,
        /// or as many as the model takes.
        pub max_tokens: Option<u32>,
    }
}

record! {
    /// One embedding of what a model gives for each text.
    pub struct Embedding {
        /// How the vectors of tokens become one.
        pub pooling: Pooling,
        /// Whether it gets the length 1. Default: `false`.
        pub normalize: Option<bool>,
        /// Of which output of the model, for example `last_hidden_state`. Default: the first that will do.
        pub output: Option<String>,
    }
}

choice! {
    /// How the vectors of tokens become one.
    pub enum Pooling {
        /// Their mean, over all but padding.
        Mean = "mean",
        /// The first token's.
        Cls = "cls",
        /// The model gives one already.
        None = "none",
    }
}

choice! {
    /// What makes scores of a classifier's columns.
    pub enum Scores {
        /// One label is right: they add up to 1.
        Softmax = "softmax",
        /// Each label is right or not by itself.
        Sigmoid = "sigmoid",
        /// They are scores already.
        AsGiven = "as_given",
    }
}

/// What the columns of a classifier stand for. Written as a list, or as a file.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Labels {
    /// In the order of the columns, for example `[negative, positive]`.
    Listed(Vec<String>),
    /// In a file, for example `{ file: labels.txt, sha256: 5f1c… }`.
    File(LabelsFile),
}

impl Decode for Labels {
    fn wanted() -> Wanted {
        Wanted::new(
            "a list of labels, or a map with their file",
            "[negative, positive]",
        )
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::List(_) => decoder.decode(node).map(Self::Listed),
            Value::Map(_) => decoder.decode(node).map(Self::File),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

record! {
    /// A file of labels.
    pub struct LabelsFile {
        /// The file, for example `labels.txt`: one label in each line, in the order of the columns.
        pub file: PathBuf,
        /// The file's SHA-256 in hexadecimal; a file with another one is not loaded.
        pub sha256: String,
    }
}

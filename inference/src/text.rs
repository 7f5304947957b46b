//! What stands around a model's plan: texts become its tokens, and its outputs become what people ask for.
//!
//! A [`Tokenizer`] reads texts where the model takes numbers of tokens. An [`Ending`] makes one embedding, or labels
//! with their scores, of what the model gives. A [`Frame`] is both, fitted to one model: whatever cannot work is
//! found when the model is loaded. It runs on the model's own threads, as the model does.

mod classes;
mod embedding;
mod feed;
mod frame;
mod gathered;
mod misfit;
mod row;
mod tokenizer;

pub use classes::{Classes, Scores};
pub use embedding::{Embedding, Pooling};
pub use misfit::Misfit;
pub use tokenizer::{Tokenizer, TokenizerError};

pub(crate) use frame::Frame;

/// The input that takes texts, one for each row.
pub const TEXT: &str = "text";

/// The output that says how many tokens of each text were read.
pub const TOKENS: &str = "tokens";

/// What becomes of a model's outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// One vector for each row, in place of all that the model gives.
    Embedding(Embedding),
    /// A label and the scores of all labels for each row, in place of all that the model gives.
    Classes(Classes),
}

//! Why a tokenizer, pooling or labels do not fit a model.

use crate::Signature;

/// What a model and the things around it disagree about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum Misfit {
    /// A tokenizer fills all inputs or none.
    #[error(
        "input `{input}` is not one that a tokenizer fills, which are `input_ids`, `attention_mask` and `token_type_ids`"
    )]
    OtherInput { input: String },
    /// No text can reach the model.
    #[error("the model has no input `input_ids` for the tokenizer to fill")]
    NoIds,
    #[error("input {input} cannot take tokens, which are INT64[-1,-1] or INT32[-1,-1]")]
    NotTokens { input: Signature },
    /// Longer texts must be cut somewhere.
    #[error(
        "neither the tokenizer's file nor the model says how many tokens a text may have, so `max_tokens` must"
    )]
    NoLength,
    #[error("`max_tokens` is {max_tokens}, and the model takes {length} tokens")]
    TooLong { max_tokens: usize, length: usize },
    #[error("a text may have {max_tokens} tokens, and the tokenizer alone adds {added}")]
    TooShort { max_tokens: usize, added: usize },
    #[error("the model has no output `{output}`, it has {}", outputs(found))]
    UnknownOutput {
        output: String,
        found: Vec<Signature>,
    },
    /// Of what is looked for.
    #[error("the model has no output like {wanted}, it has {}", outputs(found))]
    NoOutput {
        wanted: &'static str,
        found: Vec<Signature>,
    },
    #[error("there are {labels} labels for the {columns} columns of output `{output}`")]
    Labels {
        labels: usize,
        columns: usize,
        output: String,
    },
    /// Two outputs would have one name.
    #[error(
        "the model has an output `{output}` of its own, which is what Wald calls one that it adds"
    )]
    NameTaken { output: String },
}

impl Misfit {
    /// Whether it is the tokenizer that does not fit; else it is what is made of the outputs.
    pub fn is_of_tokenizer(&self) -> bool {
        match self {
            Self::OtherInput { .. }
            | Self::NoIds
            | Self::NotTokens { .. }
            | Self::NoLength
            | Self::TooLong { .. }
            | Self::TooShort { .. }
            | Self::NameTaken { .. } => true,
            Self::UnknownOutput { .. } | Self::NoOutput { .. } | Self::Labels { .. } => false,
        }
    }
}

fn outputs(found: &[Signature]) -> String {
    let shown: Vec<_> = found.iter().map(Signature::to_string).collect();
    shown.join(", ")
}

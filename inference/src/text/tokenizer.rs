//! Texts become tokens, by a `tokenizer.json` as the `tokenizers` library writes it.
//!
//! The library panics on some files and texts, and reads what it is given entirely: so the file's size is limited,
//! its digest known beforehand, and a panic contained. It may use threads of its own for batches; here each text is
//! asked for alone, on the thread that calls.

use std::num::NonZeroUsize;

use tokenizers::utils::padding::PaddingDirection;
use tokenizers::utils::truncation::TruncationParams;
use tokenizers::{PostProcessor, Tokenizer as Library};

use super::misfit::Misfit;
use super::row::{Padding, Row};
use crate::limits::{LENGTH_MAX, TOKENIZER_BYTES_MAX};
use crate::{Digest, panic};

/// An error of the library, which has no type of its own.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What reads texts for a model. Cloning it copies its vocabulary.
#[derive(Clone)]
pub struct Tokenizer {
    library: Library,
    padding: Padding,
    /// How many tokens it adds to each text.
    added: usize,
    vocabulary: usize,
    /// How many tokens a text may have: as declared, or else as its file says.
    max_tokens: Option<usize>,
    is_declared: bool,
}

/// Why a file is not a tokenizer.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum TokenizerError {
    /// Refused before its digest is computed.
    #[error("the tokenizer's file has {found} bytes, the limit is {max}")]
    TooLarge { found: usize, max: usize },
    /// Another file than the document means; it was not parsed.
    #[error("the tokenizer file's SHA-256 is {found}, expected {expected}")]
    Digest { expected: Digest, found: Digest },
    #[error("the file is no `tokenizer.json`")]
    Malformed {
        #[source]
        cause: Cause,
    },
    #[error("reading the tokenizer's file panicked: {message}")]
    Panicked { message: String },
}

impl Tokenizer {
    /// Reads a `tokenizer.json` whose SHA-256 must be the expected one; only then is it parsed. Texts are cut to
    /// `max_tokens`, those that the tokenizer adds among them; without it, to what the file says.
    pub fn load(
        bytes: &[u8],
        expected_sha256: &[u8; 32],
        max_tokens: Option<NonZeroUsize>,
    ) -> Result<Self, TokenizerError> {
        if bytes.len() > TOKENIZER_BYTES_MAX {
            return Err(TokenizerError::TooLarge {
                found: bytes.len(),
                max: TOKENIZER_BYTES_MAX,
            });
        }
        let (expected, found) = (Digest(*expected_sha256), Digest::of(bytes));
        if found != expected {
            return Err(TokenizerError::Digest { expected, found });
        }
        let read = panic::contain(|| Library::from_bytes(bytes).map(|it| Self::of(it, max_tokens)));
        read.map_err(|message| TokenizerError::Panicked { message })?
            .map_err(|cause| TokenizerError::Malformed { cause })
    }

    fn of(mut library: Library, declared: Option<NonZeroUsize>) -> Self {
        let written = library.get_truncation().map(|it| it.max_length);
        let padding = padding(&library);
        // We pad: only here is it known what runs together.
        library.with_padding(None);
        Self {
            padding,
            added: library
                .get_post_processor()
                .map_or(0, |processor| processor.added_tokens(false)),
            vocabulary: library.get_vocab_size(true),
            max_tokens: declared.map(NonZeroUsize::get).or(written),
            is_declared: declared.is_some(),
            library,
        }
    }

    /// Cuts texts to what the model takes, where that is `length` and no other.
    pub(super) fn limit(&mut self, length: Option<usize>) -> Result<(), Misfit> {
        let max_tokens = match (self.max_tokens, length) {
            (None, None) => return Err(Misfit::NoLength),
            (Some(max_tokens), Some(length)) if self.is_declared && max_tokens > length => {
                return Err(Misfit::TooLong { max_tokens, length });
            }
            (max_tokens, length) => max_tokens
                .unwrap_or(LENGTH_MAX)
                .min(length.unwrap_or(LENGTH_MAX)),
        };
        // Checked here as the library would calculate below zero.
        let added = self.added;
        if max_tokens <= added {
            return Err(Misfit::TooShort { max_tokens, added });
        }
        let cut = TruncationParams {
            max_length: max_tokens,
            stride: 0,
            ..self.library.get_truncation().cloned().unwrap_or_default()
        };
        self.max_tokens = Some(max_tokens);
        self.library
            .with_truncation(Some(cut))
            .map(|_| ())
            .map_err(|_| Misfit::TooShort { max_tokens, added })
    }

    /// How many tokens of a text are read at the most.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens.unwrap_or(LENGTH_MAX)
    }

    /// How many tokens it knows.
    pub(super) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    pub(super) fn padding(&self) -> Padding {
        self.padding
    }

    /// The tokens of a text, with those that the tokenizer adds.
    pub(super) fn read(&self, text: &str) -> Result<Row, Cause> {
        let read = self.library.encode_fast(text, true)?;
        let wide = |numbers: &[u32]| numbers.iter().copied().map(i64::from).collect();
        Ok(Row {
            ids: wide(read.get_ids()),
            mask: wide(read.get_attention_mask()),
            kinds: wide(read.get_type_ids()),
        })
    }
}

/// What the file says of padding, or else the token that is called so; nothing reads it in any case.
fn padding(library: &Library) -> Padding {
    if let Some(written) = library.get_padding() {
        return Padding {
            id: written.pad_id.into(),
            kind: written.pad_type_id.into(),
            is_ahead: matches!(written.direction, PaddingDirection::Left),
        };
    }
    let named = ["[PAD]", "<pad>"]
        .into_iter()
        .find_map(|token| library.token_to_id(token));
    Padding {
        id: named.unwrap_or_default().into(),
        ..Padding::default()
    }
}

/// Its vocabulary would fill pages.
impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokenizer")
            .field("vocabulary", &self.vocabulary)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

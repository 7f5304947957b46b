//! What stands around a model, read from its files: a tokenizer before it, an embedding or labels behind it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use config::Path as Field;
use inference::{
    Classes, Digest, Embedding, Ending, Misfit, Model, Pooling, Scores, TOKENIZER_BYTES_MAX,
    Tokenizer, TokenizerError,
};

/// The largest file of labels: 64 bytes for each of 16 000.
const LABELS_BYTES_MAX: usize = 1 << 20;

/// Why a model does not get what the document puts around it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The tokenizer's file is none.
    #[error("cannot use the tokenizer {}", path.display())]
    Tokenizer {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: TokenizerError,
    },
    /// Another file than the document means.
    #[error("the SHA-256 of {} is {found}, expected {expected}", path.display())]
    Digest {
        /// The file of labels.
        path: PathBuf,
        /// What the document says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// The file of labels is no text, or too large.
    #[error("{} is no list of labels, one in each line", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
    },
    /// They do not fit the model.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

impl FrameError {
    /// Which field of the model the error is about.
    pub(crate) fn field(&self, of: &policy::Model) -> &'static str {
        let ending = match of.ending.as_deref() {
            Some(policy::Ending::Embedding { .. }) => "embedding",
            Some(policy::Ending::Classes {
                labels: policy::Labels::Listed(none),
                ..
            }) if none.is_empty() => "scores",
            _ => "labels",
        };
        match self {
            Self::Read { path, .. } if of.tokenizer.as_ref().is_some_and(|it| it.file == *path) => {
                "tokenizer"
            }
            Self::Tokenizer { .. } => "tokenizer",
            Self::Misfit(misfit) if misfit.is_of_tokenizer() => "tokenizer",
            Self::Read { .. } | Self::Digest { .. } | Self::Labels { .. } => "labels",
            Self::Misfit(_) => ending,
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "put the file there, or mend `file`",
            Self::Tokenizer {
                source: TokenizerError::Digest { .. },
                ..
            }
            | Self::Digest { .. } => "get the right file, or write its digest into `sha256`",
            Self::Tokenizer { .. } => {
                "use the `tokenizer.json` that comes with the model, as Hugging Face's library writes it"
            }
            Self::Labels { .. } => "write one label in each line, in UTF-8",
            Self::Misfit(misfit) => remedy(misfit),
        }
    }
}

fn remedy(misfit: &Misfit) -> &'static str {
    match misfit {
        Misfit::OtherInput { .. } | Misfit::NoIds | Misfit::NotTokens { .. } => {
            "remove `tokenizer`, or export the model with the inputs that a tokenizer fills"
        }
        Misfit::NoLength => "write, for example, `max_tokens: 512`, as the model's own page says",
        Misfit::TooLong { .. } => "lower `max_tokens`, or remove it",
        Misfit::TooShort { .. } => "raise `max_tokens`",
        Misfit::UnknownOutput { .. } => "mend `output`",
        Misfit::NoOutput { .. } => {
            "choose a `pooling` that fits these outputs, or export the model with another one"
        }
        Misfit::Labels { .. } => "list a label for each column",
        Misfit::NameTaken { .. } => "export the model with another name for it",
    }
}

/// The place in the document of what an error is about.
pub(crate) fn place(of: &policy::Model, error: &FrameError) -> Field {
    let model = Field::root().field("models").index(of.id.index());
    model.field(error.field(of))
}

/// The model with all that the document puts around it.
pub(crate) fn frame(model: Model, of: &policy::Model) -> Result<Model, FrameError> {
    let tokenizer = of.tokenizer.as_deref().map(tokenizer).transpose()?;
    let ending = of.ending.as_deref().map(ending).transpose()?;
    if tokenizer.is_none() && ending.is_none() {
        return Ok(model);
    }
    Ok(model.framed(tokenizer, ending)?)
}

fn tokenizer(written: &policy::Tokenizer) -> Result<Tokenizer, FrameError> {
    let policy::Tokenizer {
        file,
        sha256,
        max_tokens,
    } = written;
    let bytes = read(file, TOKENIZER_BYTES_MAX)?;
    Tokenizer::load(&bytes, sha256, *max_tokens).map_err(|source| FrameError::Tokenizer {
        path: file.clone(),
        source,
    })
}

fn ending(written: &policy::Ending) -> Result<Ending, FrameError> {
    Ok(match written {
        policy::Ending::Embedding {
            pooling,
            normalize,
            output,
        } => Ending::Embedding(Embedding {
            pooling: match pooling {
                policy::Pooling::Mean => Pooling::Mean,
                policy::Pooling::Cls => Pooling::Cls,
                policy::Pooling::None => Pooling::None,
            },
            normalize: *normalize,
            output: output.as_deref().map(str::to_owned),
        }),
        policy::Ending::Classes { labels, scores } => Ending::Classes(Classes {
            labels: self::labels(labels)?,
            scores: match scores {
                policy::Scores::Softmax => Scores::Softmax,
                policy::Scores::Sigmoid => Scores::Sigmoid,
                policy::Scores::AsGiven => Scores::AsGiven,
            },
        }),
    })
}

fn labels(written: &policy::Labels) -> Result<Vec<String>, FrameError> {
    let (file, expected) = match written {
        policy::Labels::Listed(labels) => return Ok(labels.clone()),
        policy::Labels::File { file, sha256 } => (file, Digest(*sha256)),
    };
    let bytes = read(file, LABELS_BYTES_MAX)?;
    let found = Digest::of(&bytes);
    let path = || file.clone();
    if found != expected {
        return Err(FrameError::Digest {
            path: path(),
            expected,
            found,
        });
    }
    let text = String::from_utf8(bytes).ok();
    let text = text.filter(|text| !text.is_empty() && text.len() <= LABELS_BYTES_MAX);
    let text = text.ok_or_else(|| FrameError::Labels { path: path() })?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A file's bytes, one more than are allowed at the most.
fn read(path: &Path, max: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(max as u64 + 1).read_to_end(&mut bytes))
        .map_err(|source| FrameError::Read {
            path: path.to_owned(),
            source,
        })?;
    Ok(bytes)
}

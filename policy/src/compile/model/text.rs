//! What stands around an inline model: a tokenizer before it, an embedding or labels behind it.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use config::document;
use config::{Path, code};

use super::super::Report;
use super::digest;
use crate::{Ending, Labels, Pooling, Scores, Tokenizer};

/// Compiles a tokenizer.
pub(super) fn tokenizer(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Tokenizer,
) -> Option<Tokenizer> {
    let document::Tokenizer {
        file,
        sha256,
        max_tokens,
    } = written;
    if max_tokens.is_some() {
        report.positive(path, "max_tokens", *max_tokens, 1);
    }
    let max_tokens = max_tokens.and_then(|most| usize::try_from(most).ok());
    Some(Tokenizer {
        file: file.clone(),
        sha256: digest(report, &path.field("sha256"), sha256)?,
        max_tokens: max_tokens.and_then(NonZeroUsize::new),
    })
}

/// Compiles what becomes of the model's outputs, if anything does. None if that is refused.
pub(super) fn ending(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Model,
) -> Option<Option<Ending>> {
    let document::Model {
        embedding,
        labels,
        scores,
        ..
    } = written;
    let classifies = if labels.is_some() { "labels" } else { "scores" };
    match (embedding, labels, scores) {
        (None, None, None) => Some(None),
        (Some(written), None, None) => Some(Some(embedding_of(written))),
        (None, _, _) => {
            let labels = labels
                .as_ref()
                .map_or(Some(Labels::Listed(Vec::new())), |it| {
                    labels_of(report, &path.field("labels"), it)
                });
            Some(Some(Ending::Classes {
                labels: labels?,
                scores: scores.as_ref().map_or(Scores::AsGiven, scores_of),
            }))
        }
        (Some(_), _, _) => {
            report.error(
                code::BAD_MODEL,
                &path.field(classifies),
                format!(
                    "`{classifies}` is for classifiers, and `embedding` for models that are none"
                ),
                "remove `embedding`, or `labels` and `scores`",
            );
            None
        }
    }
}

fn embedding_of(written: &document::Embedding) -> Ending {
    let document::Embedding {
        pooling,
        normalize,
        output,
    } = written;
    Ending::Embedding {
        pooling: match pooling {
            document::Pooling::Mean => Pooling::Mean,
            document::Pooling::Cls => Pooling::Cls,
            document::Pooling::None => Pooling::None,
        },
        normalize: normalize.unwrap_or_default(),
        output: output.as_deref().map(Into::into),
    }
}

fn scores_of(written: &document::Scores) -> Scores {
    match written {
        document::Scores::Softmax => Scores::Softmax,
        document::Scores::Sigmoid => Scores::Sigmoid,
        document::Scores::AsGiven => Scores::AsGiven,
    }
}

fn labels_of(report: &mut Report<'_>, path: &Path, written: &document::Labels) -> Option<Labels> {
    let listed = match written {
        document::Labels::File(document::LabelsFile { file, sha256 }) => {
            return Some(Labels::File {
                file: file.clone(),
                sha256: digest(report, &path.field("sha256"), sha256)?,
            });
        }
        document::Labels::Listed(listed) => listed,
    };
    if listed.is_empty() {
        report.error(
            code::NOTHING_THERE,
            path,
            "there is a label for each column of a classifier",
            "list them in the order of the columns, or remove `labels`",
        );
    }
    let mut seen = BTreeSet::new();
    for (index, label) in listed.iter().enumerate() {
        if !seen.insert(label) {
            report.error(
                code::DUPLICATE_NAME,
                &path.index(index),
                format!("the label {label:?} is there already"),
                "call each column something else",
            );
        }
    }
    Some(Labels::Listed(listed.clone()))
}

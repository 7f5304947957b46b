//! From text to the tree, or to the one problem that keeps it from being YAML.

use super::{Node, build};
use crate::{Code, Path, Place, Problem, Severity, code};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options};

/// The largest text that is read: 1 MiB.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep lists and maps may stand in each other; the deepest documented field is at 8.
const DEPTH_MAX: usize = 32;
/// How many values a document may have, those that aliases repeat included.
const NODES_MAX: usize = 200_000;

/// Reads YAML into a tree. An empty text is an empty map.
pub(crate) fn parse(text: &str) -> Result<Node, Box<Problem>> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!(
            "the document has {} bytes, at most {TEXT_BYTES_MAX} are read",
            text.len()
        );
        return Err(problem(
            code::TOO_LARGE,
            Place::START,
            message,
            "split what it configures over several Walds",
        ));
    }
    let raw =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| refused(&error))?;
    build::build(raw, text).map_err(|build::OddKey(place)| {
        problem(
            code::NOT_USED,
            place,
            "a key must be text".to_owned(),
            "write the key as a word",
        )
    })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_documents: 1,
            max_aliases: 1000,
            max_anchors: 1000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn refused(error: &Error) -> Box<Problem> {
    let error = error.without_snippet();
    let place = error
        .location()
        .map_or(Place::START, |location| build::place(&location));
    let message = error.to_string();
    let message = message.lines().next().unwrap_or_default().to_owned();
    match error {
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => problem(
            code::TOO_COMPLEX,
            place,
            message,
            "write it flatter and with fewer aliases",
        ),
        Error::MergeKeyNotAllowed { .. } | Error::MultipleDocuments { .. } => {
            problem(code::NOT_USED, place, message, "write the fields out")
        }
        _ => problem(
            code::SYNTAX,
            place,
            message,
            "check indentation, quotes and brackets here and in the line before",
        ),
    }
}

fn problem(code: Code, place: Place, message: String, remedy: &str) -> Box<Problem> {
    Box::new(Problem {
        severity: Severity::Error,
        code,
        path: Path::root(),
        place,
        message,
        remedy: remedy.to_owned(),
    })
}

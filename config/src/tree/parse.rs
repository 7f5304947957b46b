//! From text to the tree, or to the one problem that keeps it from being YAML.

use super::build::{self, Odd};
use super::{Node, Value};
use crate::{Code, Path, Place, Problem, Severity, code};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::ErrorKind;
use serde_saphyr::localizer::ExternalMessageSource;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{
    DefaultMessageFormatter, Error, MessageFormatter, Options, UserMessageFormatter,
};

/// The largest text that is read: 1 MiB.
pub(crate) const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep lists and maps may stand in each other; the deepest documented field is at 8.
const DEPTH_MAX: usize = 32;
/// How many values a document may have, those that aliases repeat included.
const NODES_MAX: usize = 200_000;
/// How many values aliases may add.
const ALIASED_NODES_MAX: usize = 20_000;

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
            "keep large values in files of their own",
        ));
    }
    let raw =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| refused(&error))?;
    let tree = build::build(raw, text).map_err(|odd| strange(&odd))?;
    match tree.value {
        Value::Null => Ok(Node {
            place: Place::START,
            value: Value::Map(Vec::new()),
        }),
        _ => Ok(tree),
    }
}

fn strange(odd: &Odd) -> Box<Problem> {
    let (place, message, remedy) = match odd {
        Odd::Key(place) => (*place, "a key must be text", "write the key as a word"),
        Odd::Number(place) => (
            *place,
            "a number that cannot be read back",
            "write it without tags and aliases",
        ),
    };
    problem(code::NOT_USED, place, message.to_owned(), remedy)
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
            max_total_scalar_bytes: 4 * TEXT_BYTES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_NODES_MAX,
            max_replay_stack_depth: 8,
        },
        // The decoder reports them, with the line of the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // The field that holds one refuses it, with its path.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        strict_booleans: true,
        with_snippet: false,
    }
}

fn refused(error: &Error) -> Box<Problem> {
    let place = error
        .location()
        .map_or(Place::START, |location| build::place(&location));
    let cause = cause(error);
    let (code, message, remedy) = match cause {
        Error::Budget {
            breach: BudgetBreach::Documents { .. },
            ..
        }
        | Error::MultipleDocuments { .. } => (
            code::NOT_USED,
            "a second document begins".to_owned(),
            "keep one, without a `---` behind it",
        ),
        _ if is_too_deep(cause) => (
            code::TOO_COMPLEX,
            format!("more than {DEPTH_MAX} lists and maps in each other"),
            "write it flatter",
        ),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::RecursiveReferencesRequireWeakTypes { .. } => (
            code::TOO_COMPLEX,
            "aliases or values without end".to_owned(),
            "write it with fewer aliases (`*name`)",
        ),
        Error::MergeKeyNotAllowed { .. } => (
            code::NOT_USED,
            "merge keys (`<<`) are not read".to_owned(),
            "write their fields out",
        ),
        Error::UnsupportedTag { .. } => (
            code::NOT_USED,
            UserMessageFormatter.format_message(cause).into_owned(),
            "write the value without its tag",
        ),
        _ => (
            code::SYNTAX,
            DefaultMessageFormatter.format_message(cause).into_owned(),
            "check indentation, quotes and brackets here and in the line before",
        ),
    };
    problem(code, place, message, remedy)
}

/// Brackets that never close are stopped by the scanner, all else by the budget.
fn is_too_deep(error: &Error) -> bool {
    match error {
        Error::Budget { breach, .. } => matches!(breach, BudgetBreach::Depth { .. }),
        Error::ExternalMessage { source, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(error) => {
                *error.kind() == ErrorKind::RecursionLimitExceeded
            }
            _ => false,
        },
        _ => false,
    }
}

/// What went wrong, whatever alias or excerpt it is wrapped in.
fn cause(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => cause(error),
        plain => plain,
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

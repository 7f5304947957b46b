//! What is wrong with a document, where, and what to do about it.

use crate::Path;

/// How much a problem weighs: an error keeps the document from being used, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document works, but probably not as meant.
    Warning,
    /// The document is refused.
    Error,
}

/// The stable number of a kind of problem, printed as `WALD-1001`. Listed in `docs/reference/codes.md`.
///
/// 1xxx: the text cannot be read or has the wrong shape (this crate).
/// 2xxx: the document is well formed but does not make sense (`policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the document is refused for it.
    pub severity: Severity,
    /// Which kind of problem.
    pub code: Code,
    /// Where in the document's structure, for example `experiments[2].arms`.
    pub path: Path,
    /// One-based line in the text; a missing field has its parent's line.
    pub line: u32,
    /// One-based column in the text.
    pub column: u32,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

/// All that is wrong with one document, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

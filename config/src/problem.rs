//! What is wrong with a document, where, and what to do about it.

use crate::{Code, Path, Place, Places};
use std::fmt;

/// How much a problem weighs: an error keeps the document from being used, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document works, but probably not as meant.
    Warning,
    /// The document is refused.
    Error,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the document is refused for it.
    pub severity: Severity,
    /// Which kind of problem.
    pub code: Code,
    /// Where in the document's structure, for example `experiments[2].arms`.
    pub path: Path,
    /// Where in the text; a missing field stands where its parent does.
    pub place: Place,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column } = self.place;
        write!(f, "{line}:{column}: {} ", self.code)?;
        let path = self.path.to_string();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{} ({})", self.message, self.remedy)
    }
}

/// All that is wrong with one document, in the order of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem for which the document is refused, placed where `path` stands.
    pub fn error(
        &mut self,
        code: Code,
        path: &Path,
        places: &Places,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Problem {
            severity: Severity::Error,
            code,
            path: path.clone(),
            place: places.of(path),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Adds a problem that the document works with, placed where `path` stands.
    pub fn warning(
        &mut self,
        code: Code,
        path: &Path,
        places: &Places,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(Problem {
            severity: Severity::Warning,
            code,
            path: path.clone(),
            place: places.of(path),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Adds a problem behind those of earlier lines.
    pub fn add(&mut self, problem: Problem) {
        let behind = self.0.partition_point(|other| other.place <= problem.place);
        self.0.insert(behind, problem);
    }

    /// Whether the document may not be used.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// Whether nothing is wrong at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Every problem, in the order of lines and columns.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.add(problem));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

//! One line of a preflight: what was looked at, how it is, what to do about it.

use serde::Serialize;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mark {
    Fine,
    Doubtful,
    Failed,
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) mark: Mark,
    subject: String,
    detail: String,
    remedy: Option<String>,
}

impl Finding {
    pub(super) fn fine(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            mark: Mark::Fine,
            subject: subject.into(),
            detail: detail.into(),
            remedy: None,
        }
    }

    pub(super) fn doubtful(
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            mark: Mark::Doubtful,
            remedy: Some(remedy.into()),
            ..Self::fine(subject, detail)
        }
    }

    pub(super) fn failed(
        subject: impl Into<String>,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            mark: Mark::Failed,
            remedy: Some(remedy.into()),
            ..Self::fine(subject, detail)
        }
    }

    /// As people read it: `× store ./wald.redb: …`, and the remedy on a line of its own.
    pub(super) fn line(&self) -> String {
        let mark = match self.mark {
            Mark::Fine => '✓',
            Mark::Doubtful => '‼',
            Mark::Failed => '×',
        };
        let remedy = self
            .remedy
            .as_ref()
            .map(|remedy| format!("  → {remedy}\n"))
            .unwrap_or_default();
        format!("{mark} {}: {}\n{remedy}", self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_stands_under_what_it_mends() {
        let finding = Finding::failed("store ./w.redb", "not a store", "name another file");
        assert_eq!(
            finding.line(),
            "× store ./w.redb: not a store\n  → name another file\n"
        );
    }
}

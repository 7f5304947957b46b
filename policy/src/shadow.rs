//! Copies of requests, and how the answers to them are compared.

use std::time::Duration;

use http::Method;

use crate::{ExperimentId, ModelId, Target, UpstreamId};

/// A copy of a route's requests.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Shadow {
    /// Where the copies go.
    pub target: CopyTarget,
    /// The part of requests that is copied, from 0 to 1.
    pub share: f64,
    /// Methods that are copied; all, if there are none.
    pub methods: Vec<Method>,
    /// How much of a body may be held.
    pub body_bytes: u64,
    /// How many copies a worker has on their way at once.
    pub in_flight: u32,
    /// How long the answer to a copy may take.
    pub timeout: Duration,
    /// How answers are compared.
    pub compare: Compare,
    /// The experiment whose shadow phase it is; none if copies are sent at all times.
    pub phase_of: Option<ExperimentId>,
}

/// What is asked by a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// A server elsewhere.
    Upstream(UpstreamId),
    /// A model that runs here.
    Model(ModelId),
}

impl From<CopyTarget> for Target {
    fn from(target: CopyTarget) -> Self {
        match target {
            CopyTarget::Upstream(upstream) => Self::Upstream(upstream),
            CopyTarget::Model(model) => Self::Model(model),
        }
    }
}

/// How answers are compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compare {
    /// What may differ.
    pub ignore: Vec<Pointer>,
    /// What alone is compared; everything, if there are none.
    pub only: Vec<Pointer>,
    /// By how much numbers may differ, as a part of the larger one or of 1.
    pub tolerance: f64,
    /// From which cosine on lists of numbers agree; number by number, if there is none.
    pub cosine: Option<f64>,
}

/// A JSON pointer (RFC 6901), in which `*` stands for any member of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<Box<str>>);

impl Pointer {
    /// Reads it; none if it does not begin with a slash or has a `~` that escapes nothing.
    #[must_use]
    pub fn parse(written: &str) -> Option<Self> {
        let parts = written.strip_prefix('/')?.split('/');
        let unescaped = |part: &str| {
            let stray = part
                .split('~')
                .skip(1)
                .any(|rest| !rest.starts_with(['0', '1']));
            (!stray).then(|| part.replace("~1", "/").replace("~0", "~").into())
        };
        parts.map(unescaped).collect::<Option<_>>().map(Self)
    }

    /// Whether it leads to the place at this path, or to something above it. Members of lists are named `*`.
    #[must_use]
    pub fn covers(&self, path: &[&str]) -> bool {
        self.0.len() <= path.len() && self.meets(path)
    }

    /// Whether it leads to something at or below this path, or above it.
    #[must_use]
    pub fn meets(&self, path: &[&str]) -> bool {
        self.0.iter().zip(path).all(|(own, at)| **own == **at)
    }
}

impl Shadow {
    /// Whether a request with this method is copied, for this draw between 0 and 1.
    #[must_use]
    pub fn copies(&self, method: &Method, drawn: f64) -> bool {
        drawn < self.share && (self.methods.is_empty() || self.methods.contains(method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_covers_what_it_names_and_all_below() {
        let check = |written: &str, path: &[&str], covers: bool| {
            assert_eq!(
                Pointer::parse(written).unwrap().covers(path),
                covers,
                "{written} {path:?}"
            );
        };
        check("/id", &["id"], true);
        check("/id", &["id", "part"], true);
        check("/id", &["ids"], false);
        check("/outputs/*/id", &["outputs", "*", "id"], true);
        check("/outputs/*/id", &["outputs"], false);
        check("/a~1b/c~0d", &["a/b", "c~d"], true);
        assert_eq!(Pointer::parse("id"), None);
        assert_eq!(Pointer::parse("/a~2"), None);
    }
}

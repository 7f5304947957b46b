//! What a route asks of a request.

use http::Method;
use http::header::{HeaderMap, HeaderName};

use super::{Expression, Subject};
use crate::host::Host;
use crate::{Asked, ListenerId};

/// All conditions of a route. An empty list is no condition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    pub(crate) listeners: Vec<ListenerId>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) path: PathPattern,
    pub(crate) methods: Vec<Method>,
    pub(crate) headers: Vec<HeaderPattern>,
    pub(crate) model: Option<Box<str>>,
}

/// The first condition that a request does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch<'a> {
    Listener,
    Host,
    Path,
    Method,
    Header(&'a HeaderName),
    Model,
}

impl Pattern {
    pub(crate) fn mismatch(&self, subject: &Subject<'_>) -> Option<Mismatch<'_>> {
        if !is_none_or(&self.listeners, |listener| *listener == subject.listener) {
            return Some(Mismatch::Listener);
        }
        if !is_none_or(&self.hosts, |host| host.matches(&subject.host)) {
            return Some(Mismatch::Host);
        }
        if !self.path.matches(subject.path) {
            return Some(Mismatch::Path);
        }
        if !is_none_or(&self.methods, |method| method == subject.method) {
            return Some(Mismatch::Method);
        }
        let missed = self
            .headers
            .iter()
            .find(|header| !header.matches(subject.headers));
        if let Some(missed) = missed {
            return Some(Mismatch::Header(&missed.name));
        }
        let model = self.model.as_ref().map(std::slice::from_ref);
        let is_another = |model| subject.model != Asked::Unknown && !subject.model.is_one_of(model);
        model.is_some_and(is_another).then_some(Mismatch::Model)
    }

    /// Whether every request that `later` matches is matched by this one, as far as can be seen
    /// from the conditions alone. If so, a later route with that pattern is never taken.
    pub(crate) fn covers(&self, later: &Self) -> bool {
        let Self {
            listeners,
            hosts,
            path,
            methods,
            headers,
            model,
        } = self;
        path.covers(&later.path)
            && includes(listeners, &later.listeners, PartialEq::eq)
            && includes(hosts, &later.hosts, Host::covers)
            && includes(methods, &later.methods, PartialEq::eq)
            && headers.iter().all(|header| later.headers.contains(header))
            && (model.is_none() || *model == later.model)
    }
}

fn is_none_or<T>(conditions: &[T], holds: impl Fn(&T) -> bool) -> bool {
    conditions.is_empty() || conditions.iter().any(holds)
}

/// Whether alternatives, of which none means all, cover each of some others.
fn includes<T>(wide: &[T], narrow: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    let covered = |narrow: &T| wide.iter().any(|wide| covers(wide, narrow));
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(covered))
}

/// A condition on the normalised path.
#[derive(Clone, Debug, Default)]
pub(crate) enum PathPattern {
    #[default]
    Any,
    Exact(Box<str>),
    /// A path or what lies below it: `/v2/models/fraud` matches itself and
    /// `/v2/models/fraud/infer`, not `/v2/models/fraudulent` (`PathPrefix` of the Kubernetes
    /// Gateway API). Kept without a final slash, so `/` is the empty text.
    Prefix(Box<str>),
    Regex(Expression),
}

impl PathPattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *path,
            Self::Prefix(prefix) => is_below(path, prefix),
            Self::Regex(expression) => expression.is_match(path),
        }
    }

    fn covers(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Any, _) => true,
            (Self::Exact(wide), Self::Exact(narrow)) => wide == narrow,
            (Self::Prefix(wide), Self::Prefix(narrow) | Self::Exact(narrow)) => {
                wide == narrow || is_below(narrow, wide)
            }
            (Self::Regex(wide), Self::Exact(narrow)) => wide.is_match(narrow),
            (Self::Regex(wide), Self::Regex(narrow)) => wide.as_str() == narrow.as_str(),
            _ => false,
        }
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| match rest.bytes().next() {
            None => !prefix.is_empty(),
            Some(next) => next == b'/',
        })
}

/// A condition on a header field; one of its values must meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderPattern {
    pub(crate) name: HeaderName,
    pub(crate) value: ValuePattern,
}

impl HeaderPattern {
    pub(crate) fn matches(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(&self.name)
            .iter()
            .any(|value| self.value.matches(value.as_bytes()))
    }
}

/// A condition on one value, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValuePattern {
    /// One of these; the document's `exact` is a list of one, its `any_of` of several.
    OneOf(Vec<Box<str>>),
    Prefix(Box<str>),
    /// One of the value's words; see [`parts_words`].
    Contains(Box<str>),
}

impl ValuePattern {
    fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::OneOf(known) => known.iter().any(|known| known.as_bytes() == value),
            Self::Prefix(prefix) => value.starts_with(prefix.as_bytes()),
            Self::Contains(word) => value
                .split(|&byte| parts_words(byte))
                .any(|one| one == word.as_bytes()),
        }
    }
}

/// Whether a byte stands between the words of a header: fields are lists with commas, their members
/// have parameters after semicolons (RFC 9110 §5.6.1, §5.6.6), and a scope is a list with spaces.
pub(crate) fn parts_words(byte: u8) -> bool {
    matches!(byte, b',' | b';' | b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> PathPattern {
        PathPattern::Prefix(text.into())
    }

    #[test]
    fn a_prefix_ends_where_a_segment_ends() {
        let fraud = prefix("/v2/models/fraud");
        assert!(fraud.matches("/v2/models/fraud"));
        assert!(fraud.matches("/v2/models/fraud/"));
        assert!(fraud.matches("/v2/models/fraud/infer"));
        assert!(!fraud.matches("/v2/models/fraudulent"));
        assert!(!fraud.matches("/v2/models"));
    }

    #[test]
    fn the_root_is_a_prefix_of_every_path() {
        assert!(prefix("").matches("/"));
        assert!(prefix("").matches("/v2"));
        assert!(!prefix("").matches("*"));
    }

    #[test]
    fn a_wide_pattern_covers_a_narrow_one() {
        let exact = |text: &str| PathPattern::Exact(text.into());
        assert!(PathPattern::Any.covers(&prefix("/a")));
        assert!(prefix("/a").covers(&prefix("/a/b")));
        assert!(prefix("/a").covers(&exact("/a")));
        assert!(prefix("").covers(&exact("/")));
        assert!(!prefix("/a").covers(&prefix("/ab")));
        assert!(!prefix("/a/b").covers(&prefix("/a")));
        assert!(!exact("/a").covers(&prefix("/a")));
        assert!(
            !prefix("").covers(&PathPattern::Any),
            "the path of `OPTIONS *` is below no slash"
        );
    }

    #[test]
    fn a_header_condition_holds_if_one_value_meets_it() {
        let mut headers = HeaderMap::new();
        headers.append("x-tenant", "bank".parse().expect("a value"));
        headers.append("x-tenant", "shop-1, mall;q=1".parse().expect("a value"));
        let meets = |value| {
            HeaderPattern {
                name: HeaderName::from_static("x-tenant"),
                value,
            }
            .matches(&headers)
        };
        assert!(meets(ValuePattern::OneOf(vec!["bank".into()])));
        assert!(meets(ValuePattern::Prefix("shop".into())));
        assert!(meets(ValuePattern::Contains("mall".into())));
        assert!(!meets(ValuePattern::OneOf(vec!["Bank".into()])));
        assert!(
            !meets(ValuePattern::Contains("shop".into())),
            "a word is whole"
        );
    }
}

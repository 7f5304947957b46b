//! Which host names a route answers to.

use std::borrow::Cow;

/// A host name of a route: `models.example` or `*.models.example`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Exact(Box<str>),
    /// Any name that ends in a dot and this; as in the Kubernetes Gateway API, `*` may stand for
    /// several labels, never for none.
    Below(Box<str>),
}

impl Host {
    /// Reads a pattern, or gives nothing if no host could ever match it.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let pattern = pattern.to_ascii_lowercase();
        let (name, below) = match pattern.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (pattern.as_str(), false),
        };
        let literal = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let known = match literal {
            Some(address) => !below && address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => name.split('.').all(is_label),
        };
        known.then(|| {
            if below {
                Self::Below(name.into())
            } else {
                Self::Exact(name.into())
            }
        })
    }

    /// Whether this is the pattern for a host that went through [`bare`].
    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Below(suffix) => host
                .strip_suffix(&**suffix)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }

    /// Whether this is a pattern for every host that `narrow` is one for.
    pub(crate) fn covers(&self, narrow: &Self) -> bool {
        match (self, narrow) {
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Below(suffix), Self::Below(narrow)) => suffix == narrow || self.matches(narrow),
            (Self::Exact(_), Self::Below(_)) => false,
        }
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty() && label.bytes().all(allowed)
}

/// The host without its port and final dot, in lower case: names are compared so (RFC 9110 §4.2.3).
pub(crate) fn bare(host: &str) -> Cow<'_, str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, host: &str, expected: bool) {
        let matched = Host::parse(pattern)
            .expect("a pattern")
            .matches(&bare(host));
        assert_eq!(matched, expected, "{pattern} {host}");
    }

    #[test]
    fn ports_case_and_a_final_dot_do_not_matter() {
        check("Models.example", "models.EXAMPLE.:8443", true);
        check("[::1]", "[::1]:80", true);
        check("[::1]", "[::1]", true);
        check("models.example", "other.example", false);
    }

    #[test]
    fn a_star_stands_for_one_or_more_labels() {
        check("*.example", "a.example", true);
        check("*.example", "a.b.example:80", true);
        check("*.example", "example", false);
        check("*.example", ".example", false);
        check("*.example", "badexample", false);
    }

    #[test]
    fn a_star_covers_what_lies_below_it() {
        let covers = |wide: &str, narrow: &str| {
            let [wide, narrow] =
                [wide, narrow].map(|pattern| Host::parse(pattern).expect("a pattern"));
            wide.covers(&narrow)
        };
        assert!(covers("*.example", "a.example"));
        assert!(covers("*.example", "*.a.example"));
        assert!(covers("*.example", "*.example"));
        assert!(!covers("*.a.example", "*.example"));
        assert!(!covers("a.example", "*.a.example"));
        assert!(!covers("*.example", "example"));
    }

    #[test]
    fn patterns_that_match_nothing_are_refused() {
        for pattern in [
            "",
            "*",
            "a.*",
            "a..b",
            "example:80",
            "http://a",
            "*.[::1]",
            "a b",
        ] {
            assert_eq!(Host::parse(pattern), None, "{pattern}");
        }
    }
}

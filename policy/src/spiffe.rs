//! Names of workloads: SPIFFE ids, and the patterns by which a document speaks of many.
//!
//! The rules are those of the SPIFFE-ID specification, section 2, without any leniency: what has two
//! spellings would be two callers to one part of a system and one to another.

mod pattern;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use pattern::{BadPattern, SpiffePattern};

/// The scheme of every id (section 2), in the one spelling that is taken.
const SCHEME: &str = "spiffe://";

/// The longest id that every implementation must support (section 2.3); no longer one is taken.
const BYTES_MAX: usize = 2048;

/// The longest trust domain (section 2.1): that of a DNS name.
const DOMAIN_BYTES_MAX: usize = 255;

/// The name of a workload, such as `spiffe://bank.example/ns/payments/sa/web`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    domain_end: usize,
}

/// Why a text is no SPIFFE id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSpiffe {
    /// Longer than an id may be.
    #[error("a SPIFFE id has at most {BYTES_MAX} bytes")]
    TooLong,
    /// Another scheme, or the right one in capitals.
    #[error("a SPIFFE id begins with `{SCHEME}`")]
    Scheme,
    /// The trust domain is missing, too long, or has a port, a user or a capital.
    #[error("a trust domain has 1 to {DOMAIN_BYTES_MAX} of: a-z 0-9 . - _")]
    TrustDomain,
    /// A segment is empty, as behind a final slash, or `.` or `..`.
    #[error("a path has no empty segment, no `.`, no `..` and no slash at its end")]
    Segment,
    /// A segment has a character that none may have, such as `%`, `?` or `#`.
    #[error("a segment has only: a-z A-Z 0-9 . - _")]
    Character,
}

impl SpiffeId {
    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for the workload, such as `bank.example`.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text
            .get(SCHEME.len()..self.domain_end)
            .unwrap_or_default()
    }

    /// The segments of its path; none if it names the trust domain itself.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &str> {
        let path = self.text.get(self.domain_end..).unwrap_or_default();
        path.split('/').skip(1)
    }
}

impl FromStr for SpiffeId {
    type Err = NotSpiffe;

    fn from_str(text: &str) -> Result<Self, NotSpiffe> {
        let (domain, path) = parts(text)?;
        check_path(path, check_segment)?;
        Ok(Self {
            text: text.into(),
            domain_end: SCHEME.len() + domain.len(),
        })
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The trust domain, which is checked, and the path behind it, which is not.
fn parts(text: &str) -> Result<(&str, &str), NotSpiffe> {
    if text.len() > BYTES_MAX {
        return Err(NotSpiffe::TooLong);
    }
    let rest = text.strip_prefix(SCHEME).ok_or(NotSpiffe::Scheme)?;
    let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || is_mark(byte);
    if domain.is_empty() || domain.len() > DOMAIN_BYTES_MAX || !domain.bytes().all(allowed) {
        return Err(NotSpiffe::TrustDomain);
    }
    Ok((domain, path))
}

/// Checks each segment of a path, which is empty or begins with a slash.
fn check_path(path: &str, check: impl Fn(&str) -> Result<(), NotSpiffe>) -> Result<(), NotSpiffe> {
    path.split('/').skip(1).try_for_each(check)
}

fn check_segment(segment: &str) -> Result<(), NotSpiffe> {
    if matches!(segment, "" | "." | "..") {
        return Err(NotSpiffe::Segment);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || is_mark(byte);
    if !segment.bytes().all(allowed) {
        return Err(NotSpiffe::Character);
    }
    Ok(())
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_a_trust_domain_and_a_path() {
        let id: SpiffeId = "spiffe://bank.example/ns/payments".parse().unwrap();
        assert_eq!(id.trust_domain(), "bank.example");
        assert_eq!(id.segments().collect::<Vec<_>>(), ["ns", "payments"]);
        assert_eq!(id.to_string(), "spiffe://bank.example/ns/payments");
        let domain: SpiffeId = "spiffe://bank_1.example".parse().unwrap();
        assert_eq!(domain.segments().count(), 0);
    }

    #[test]
    fn what_has_two_spellings_or_none_is_no_id() {
        for (text, why) in [
            ("", NotSpiffe::Scheme),
            ("https://bank.example/a", NotSpiffe::Scheme),
            ("SPIFFE://bank.example/a", NotSpiffe::Scheme),
            ("spiffe:/bank.example/a", NotSpiffe::Scheme),
            ("spiffe://", NotSpiffe::TrustDomain),
            ("spiffe:///a", NotSpiffe::TrustDomain),
            ("spiffe://Bank.example/a", NotSpiffe::TrustDomain),
            ("spiffe://bank.example:443/a", NotSpiffe::TrustDomain),
            ("spiffe://user@bank.example/a", NotSpiffe::TrustDomain),
            ("spiffe://bank.example?x", NotSpiffe::TrustDomain),
            ("spiffe://bank.example/", NotSpiffe::Segment),
            ("spiffe://bank.example/a/", NotSpiffe::Segment),
            ("spiffe://bank.example/a//b", NotSpiffe::Segment),
            ("spiffe://bank.example/a/../b", NotSpiffe::Segment),
            ("spiffe://bank.example/./b", NotSpiffe::Segment),
            ("spiffe://bank.example/a%2fb", NotSpiffe::Character),
            ("spiffe://bank.example/a?b", NotSpiffe::Character),
            ("spiffe://bank.example/a#b", NotSpiffe::Character),
            ("spiffe://bank.example/ä", NotSpiffe::Character),
            ("spiffe://bank.example/*", NotSpiffe::Character),
        ] {
            assert_eq!(text.parse::<SpiffeId>(), Err(why), "{text}");
        }
    }

    #[test]
    fn an_id_may_be_as_long_as_every_implementation_supports() {
        let path = |bytes: usize| format!("spiffe://b/{}", "a".repeat(bytes - "spiffe://b/".len()));
        assert!(path(2048).parse::<SpiffeId>().is_ok());
        assert_eq!(path(2049).parse::<SpiffeId>(), Err(NotSpiffe::TooLong));
        let domain = |bytes: usize| format!("spiffe://{}", "a".repeat(bytes));
        assert!(domain(255).parse::<SpiffeId>().is_ok());
        assert_eq!(domain(256).parse::<SpiffeId>(), Err(NotSpiffe::TrustDomain));
    }
}

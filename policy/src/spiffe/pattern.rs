//! Many workloads at once: `spiffe://bank.example/ns/*/sa/web`, `spiffe://bank.example/ns/payments/**`.
//!
//! A trust domain is always spelled out: to let a foreign one in takes a line of its own.

use std::fmt;
use std::str::FromStr;

use super::{NotSpiffe, SpiffeId, check_path, check_segment, parts};

/// Workloads by their ids: `*` is any one segment, a final `**` is one segment or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpiffePattern {
    domain: Box<str>,
    segments: Vec<Segment>,
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Exact(Box<str>),
    Any,
}

/// Why a text is no pattern of SPIFFE ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// What is no star is no part of an id either.
    #[error(transparent)]
    Id(#[from] NotSpiffe),
    /// `**` stands before something else.
    #[error("`**` stands for the rest, so nothing can follow it")]
    Rest,
    /// A star is only a part of a segment, as in `web-*`.
    #[error("a `*` stands for a whole segment")]
    Partial,
}

impl SpiffePattern {
    /// Whether the pattern means this workload, too.
    #[must_use]
    pub fn matches(&self, id: &SpiffeId) -> bool {
        if *self.domain != *id.trust_domain() {
            return false;
        }
        let mut segments = id.segments();
        let holds = self
            .segments
            .iter()
            .all(|wanted| match (wanted, segments.next()) {
                (Segment::Any, Some(_)) => true,
                (Segment::Exact(exact), Some(segment)) => **exact == *segment,
                (_, None) => false,
            });
        holds && segments.next().is_some() == self.open
    }
}

impl FromStr for SpiffePattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let (domain, path) = parts(text)?;
        let (path, open) = match path.strip_suffix("/**") {
            Some(path) => (path, true),
            None => (path, false),
        };
        for segment in path.split('/').skip(1) {
            match segment {
                "**" => return Err(BadPattern::Rest),
                "*" => {}
                _ if segment.contains('*') => return Err(BadPattern::Partial),
                _ => {}
            }
        }
        check_path(path, |segment| match segment {
            "*" => Ok(()),
            _ => check_segment(segment),
        })?;
        let segments = path.split('/').skip(1).map(|segment| match segment {
            "*" => Segment::Any,
            _ => Segment::Exact(segment.into()),
        });
        Ok(Self {
            domain: domain.into(),
            segments: segments.collect(),
            open,
        })
    }
}

impl fmt::Display for SpiffePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.domain)?;
        for segment in &self.segments {
            match segment {
                Segment::Exact(exact) => write!(f, "/{exact}")?,
                Segment::Any => f.write_str("/*")?,
            }
        }
        f.write_str(if self.open { "/**" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, meant: &[&str], others: &[&str]) {
        let pattern: SpiffePattern = pattern.parse().unwrap();
        let means = |id: &str| pattern.matches(&id.parse().unwrap());
        for id in meant {
            assert!(means(id), "{pattern} means {id}");
        }
        for id in others {
            assert!(!means(id), "{pattern} does not mean {id}");
        }
    }

    #[test]
    fn without_a_star_a_pattern_means_one_workload() {
        check(
            "spiffe://bank.example/ns/pay",
            &["spiffe://bank.example/ns/pay"],
            &[
                "spiffe://bank.example/ns/pay/x",
                "spiffe://bank.example/ns",
                "spiffe://bank.example/ns/Pay",
                "spiffe://bank.example.evil/ns/pay",
            ],
        );
    }

    #[test]
    fn one_star_is_exactly_one_segment() {
        check(
            "spiffe://bank.example/ns/*/sa/web",
            &["spiffe://bank.example/ns/pay/sa/web"],
            &[
                "spiffe://bank.example/ns/a/b/sa/web",
                "spiffe://bank.example/ns/sa/web",
                "spiffe://bank.example/ns/pay/sa/webs",
            ],
        );
    }

    #[test]
    fn two_stars_are_the_rest_and_never_nothing() {
        check(
            "spiffe://bank.example/ns/pay/**",
            &[
                "spiffe://bank.example/ns/pay/sa",
                "spiffe://bank.example/ns/pay/sa/web",
            ],
            &[
                "spiffe://bank.example/ns/pay",
                "spiffe://bank.example/ns/payroll/sa",
                "spiffe://shop.example/ns/pay/sa",
            ],
        );
        check(
            "spiffe://bank.example/**",
            &["spiffe://bank.example/a"],
            &["spiffe://bank.example"],
        );
    }

    #[test]
    fn a_pattern_that_means_nothing_clear_is_refused() {
        for (text, why) in [
            ("anyone-else", BadPattern::Id(NotSpiffe::Scheme)),
            ("spiffe://*/a", BadPattern::Id(NotSpiffe::TrustDomain)),
            ("spiffe://b.example/**/a", BadPattern::Rest),
            ("spiffe://b.example/a/**/**", BadPattern::Rest),
            ("spiffe://b.example/web-*", BadPattern::Partial),
            ("spiffe://b.example/a***", BadPattern::Partial),
            (
                "spiffe://b.example/a//*",
                BadPattern::Id(NotSpiffe::Segment),
            ),
            ("spiffe://b.example/a/", BadPattern::Id(NotSpiffe::Segment)),
        ] {
            assert_eq!(text.parse::<SpiffePattern>(), Err(why), "{text}");
        }
    }
}

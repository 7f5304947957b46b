//! Where in a token a claim stands, and what it may be asked to be.
//!
//! A claim is named as it is spelled, because names such as `https://bank.example/roles` have dots and
//! slashes in them. A name that begins with a slash is a JSON pointer (RFC 6901) to a nested claim.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

/// The way to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    written: Box<str>,
    first: Box<str>,
    rest: Box<str>,
}

/// A text that names no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadClaim {
    /// Nothing, or a slash alone.
    #[error("a claim has a name")]
    Nameless,
    /// A tilde that escapes nothing (RFC 6901 §3).
    #[error("in a JSON pointer `~` is written `~0`, and `/` inside a name `~1`")]
    Escape,
}

impl ClaimPath {
    /// Reads a name or a pointer.
    pub(crate) fn parse(written: &str) -> Result<Self, BadClaim> {
        let (first, rest) = match written.strip_prefix('/') {
            None => (written.to_owned(), ""),
            Some(pointer) => {
                let (first, rest) = pointer.split_at(pointer.find('/').unwrap_or(pointer.len()));
                if pointer.split('~').skip(1).any(is_no_escape) {
                    return Err(BadClaim::Escape);
                }
                (first.replace("~1", "/").replace("~0", "~"), rest)
            }
        };
        if first.is_empty() {
            return Err(BadClaim::Nameless);
        }
        Ok(Self {
            written: written.into(),
            first: first.into(),
            rest: rest.into(),
        })
    }

    /// The claim, if it was made.
    pub(crate) fn of<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        claims.get(&*self.first)?.pointer(&self.rest)
    }

    /// The claim as one text, if it is one. Lists and objects are not: which of their members is meant?
    pub(crate) fn text<'a>(&self, claims: &'a Map<String, Value>) -> Option<Cow<'a, str>> {
        scalar(self.of(claims)?)
    }
}

fn is_no_escape(behind_tilde: &str) -> bool {
    !behind_tilde.starts_with(['0', '1'])
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// What a claim may be asked to be, case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimPattern {
    /// One of these; the document's `exact` is a list of one, its `any_of` of several.
    OneOf(Vec<Box<str>>),
    /// Begins so.
    Prefix(Box<str>),
    /// A member of a list, or a word of a text: a scope is a list with spaces (RFC 6749 §3.3).
    Contains(Box<str>),
}

impl ClaimPattern {
    /// Whether the claim is what was asked for. A list is neither of several values nor a text.
    pub(crate) fn holds(&self, claim: &Value) -> bool {
        match self {
            Self::OneOf(known) => {
                scalar(claim).is_some_and(|claim| known.iter().any(|known| **known == *claim))
            }
            Self::Prefix(prefix) => claim
                .as_str()
                .is_some_and(|claim| claim.starts_with(&**prefix)),
            Self::Contains(word) => match claim {
                Value::Array(members) => members
                    .iter()
                    .any(|member| scalar(member).is_some_and(|member| **word == *member)),
                Value::String(text) => text.split(' ').any(|one| one == &**word),
                _ => false,
            },
        }
    }
}

/// A text, or a number or a truth value as JSON spells it.
fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(if *truth { "true" } else { "false" }.into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims() -> Map<String, Value> {
        let Value::Object(claims) = json!({
            "sub": "ada", "level": 3, "admin": false, "scope": "read infer",
            "groups": ["bank", "risk", 7],
            "realm_access": { "roles": ["operator"], "a/b": { "~": "deep" } },
            "https://bank.example/roles": "teller",
            "dotted.name": "flat",
        }) else {
            unreachable!("an object is an object")
        };
        claims
    }

    #[track_caller]
    fn check(path: &str, pattern: &ClaimPattern, holds: bool) {
        let path = ClaimPath::parse(path).unwrap();
        let claims = claims();
        let found = path.of(&claims).is_some_and(|claim| pattern.holds(claim));
        assert_eq!(found, holds, "{path} {pattern:?}");
    }

    fn exact(text: &str) -> ClaimPattern {
        ClaimPattern::OneOf(vec![text.into()])
    }

    fn contains(text: &str) -> ClaimPattern {
        ClaimPattern::Contains(text.into())
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_by_a_pointer() {
        check("sub", &exact("ada"), true);
        check("/sub", &exact("ada"), true);
        check("https://bank.example/roles", &exact("teller"), true);
        check("dotted.name", &exact("flat"), true);
        check("/realm_access/a~1b/~0", &exact("deep"), true);
        check("/realm_access/roles/0", &exact("operator"), true);
        check("/realm_access/roles", &contains("operator"), true);
        check("/realm_access/none", &contains("operator"), false);
        check("realm_access.roles", &contains("operator"), false);
    }

    #[test]
    fn a_value_is_compared_whole() {
        check("sub", &exact("Ada"), false);
        check("sub", &exact("ad"), false);
        check("sub", &ClaimPattern::Prefix("ad".into()), true);
        check(
            "sub",
            &ClaimPattern::OneOf(vec!["bob".into(), "ada".into()]),
            true,
        );
        check("level", &exact("3"), true);
        check("admin", &exact("false"), true);
        check("level", &ClaimPattern::Prefix("3".into()), false);
    }

    #[test]
    fn a_word_of_a_text_or_a_member_of_a_list_is_contained() {
        check("scope", &contains("infer"), true);
        check("scope", &contains("inf"), false);
        check("scope", &contains("read infer"), false);
        check("groups", &contains("risk"), true);
        check("groups", &contains("7"), true);
        check("groups", &contains("ris"), false);
        check("groups", &exact("bank"), false);
        check("realm_access", &contains("roles"), false);
    }

    #[test]
    fn what_names_no_claim_is_refused() {
        for (text, why) in [
            ("", BadClaim::Nameless),
            ("/", BadClaim::Nameless),
            ("//a", BadClaim::Nameless),
            ("/a~", BadClaim::Escape),
            ("/a~2", BadClaim::Escape),
        ] {
            assert_eq!(ClaimPath::parse(text), Err(why), "{text}");
        }
    }
}

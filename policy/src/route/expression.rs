//! Regular expressions over whole paths.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::literal::{Extractor, Literal};

/// The most memory that one compiled expression may take.
const BYTES_MAX: usize = 1 << 20;

/// A regular expression that must match a whole path.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    regex: Regex,
    beginnings: Vec<Box<str>>,
}

impl Expression {
    /// Reads an expression; anchors at its ends are implied.
    ///
    /// # Errors
    /// When it is no expression, or one that takes too much memory.
    pub(crate) fn new(written: &str) -> Result<Self, regex::Error> {
        let limited = |regex: &str| RegexBuilder::new(regex).size_limit(BYTES_MAX).build();
        // Compiled alone first: `a)(b` is no expression, though it would be one between brackets.
        limited(written)?;
        let regex = limited(&format!(r"\A(?:{written})\z"))?;
        Ok(Self {
            regex,
            beginnings: beginnings(written),
        })
    }

    pub(crate) fn is_match(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Paths without a final slash, such that every match lies at or below one of them; the empty
    /// path where nothing is known.
    pub(crate) fn beginnings(&self) -> &[Box<str>] {
        &self.beginnings
    }
}

fn beginnings(written: &str) -> Vec<Box<str>> {
    let extracted = regex_syntax::parse(written).map(|hir| Extractor::new().extract(&hir));
    let Ok(Some(literals)) = extracted.as_ref().map(|sequence| sequence.literals()) else {
        return vec!["".into()];
    };
    let mut beginnings: Vec<Box<str>> = literals.iter().map(whole_segments).collect();
    beginnings.sort_unstable();
    beginnings.dedup();
    beginnings
}

/// What stands before the last slash: the rest may be the beginning of a longer segment.
fn whole_segments(literal: &Literal) -> Box<str> {
    let bytes = literal.as_bytes();
    let end = bytes
        .iter()
        .rposition(|&byte| byte == b'/')
        .unwrap_or_default();
    let segments = bytes
        .get(..end)
        .and_then(|segments| str::from_utf8(segments).ok());
    segments
        .filter(|path| path.is_empty() || path.starts_with('/'))
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &[&str]) {
        let found = beginnings(written);
        assert_eq!(
            found.iter().map(|path| &**path).collect::<Vec<_>>(),
            expected,
            "{written}"
        );
    }

    #[test]
    fn a_beginning_is_what_every_match_shares() {
        check("/v2/models/fraud/.*", &["/v2/models/fraud"]);
        check("/v2/models/fraud-[0-9]+/infer", &["/v2/models"]);
        check("/v[12]/models/.*", &["/v1/models", "/v2/models"]);
        check("/a/b|/a/c|/d", &["", "/a"]);
        check("/a/?", &["", "/a"]);
        check("^/a/b", &["/a"]);
        check(".*/infer", &[""]);
        check("[a-z]*", &[""]);
    }

    #[test]
    fn an_expression_matches_whole_paths_only() {
        let expression = Expression::new("/a|/b").expect("an expression");
        assert!(expression.is_match("/a") && expression.is_match("/b"));
        assert!(!expression.is_match("/a/b") && !expression.is_match("x/b"));
    }

    #[test]
    fn brackets_cannot_break_out_of_the_anchors() {
        assert!(Expression::new("a)|(.*").is_err());
        assert!(Expression::new("(").is_err());
        assert!(
            Expression::new("(a{1000}){1000}").is_err(),
            "too much memory"
        );
    }
}

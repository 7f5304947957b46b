//! What an upstream is asked instead of what the client asked.

use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};

/// The parts that are other; those that are none stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rewrite {
    /// The host.
    pub host: Option<HeaderValue>,
    /// The path.
    pub path: Option<RewritePath>,
    /// The name of the model, in the path or the body.
    pub model: Option<Box<str>>,
}

/// What becomes of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewritePath {
    /// It is this one.
    Whole(Box<str>),
    /// `from`, which the route has matched, becomes `to`; neither ends with a slash.
    Prefix {
        /// What goes.
        from: Box<str>,
        /// What comes.
        to: Box<str>,
    },
}

impl RewritePath {
    /// The path that an upstream is asked for.
    fn of(&self, path: &str) -> String {
        match self {
            Self::Whole(whole) => whole.to_string(),
            Self::Prefix { from, to } => {
                let rest = path.strip_prefix(&**from).unwrap_or(path);
                let new = format!("{to}{rest}");
                if new.is_empty() { "/".to_owned() } else { new }
            }
        }
    }
}

impl Rewrite {
    /// The target that an upstream is asked for; none if it stays. The query stays in any case.
    #[must_use]
    pub fn target(&self, uri: &Uri) -> Option<PathAndQuery> {
        let path = self.path.as_ref().map(|path| path.of(uri.path()));
        let named = self.model.as_ref().and_then(|model| {
            let path = path.as_deref().unwrap_or(uri.path());
            crate::Asked::rename(path, &percent_encoded(model))
        });
        let path = named.or(path)?;
        let whole = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        whole.parse().ok()
    }
}

/// A name as a segment of a path (RFC 3986 §3.3).
fn percent_encoded(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: Option<RewritePath>, model: Option<&str>, asked: &str, expected: Option<&str>) {
        let rewrite = Rewrite {
            host: None,
            path,
            model: model.map(Into::into),
        };
        let target = rewrite.target(&asked.parse().unwrap());
        assert_eq!(
            target.as_ref().map(PathAndQuery::as_str),
            expected,
            "{asked}"
        );
    }

    fn prefix(from: &str, to: &str) -> Option<RewritePath> {
        Some(RewritePath::Prefix {
            from: from.into(),
            to: to.into(),
        })
    }

    #[test]
    fn a_prefix_becomes_another_and_the_query_stays() {
        check(prefix("/a", "/b/c"), None, "/a/x?y=/a", Some("/b/c/x?y=/a"));
        check(prefix("/a", "/b"), None, "/a", Some("/b"));
        check(prefix("/a", ""), None, "/a", Some("/"));
        check(prefix("", "/b"), None, "/a", Some("/b/a"));
    }

    #[test]
    fn a_whole_path_becomes_another() {
        let whole = Some(RewritePath::Whole("/b".into()));
        check(whole, None, "/a/x?y", Some("/b?y"));
        check(None, None, "/a", None);
    }

    #[test]
    fn a_model_in_the_path_gets_its_other_name() {
        check(
            None,
            Some("new"),
            "/v2/models/old/infer",
            Some("/v2/models/new/infer"),
        );
        check(
            None,
            Some("a b"),
            "/v1/models/old:predict",
            Some("/v1/models/a%20b:predict"),
        );
        check(None, Some("new"), "/v1/chat/completions", None);
        let mounted = prefix("/bank", "");
        check(
            mounted,
            Some("new"),
            "/bank/v2/models/old",
            Some("/v2/models/new"),
        );
    }
}

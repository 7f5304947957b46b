//! What Wald presents to an upstream in its own name, so that clients never hold an upstream's keys.

use std::path::PathBuf;

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::introduction::remove_alike;

/// A secret and the header that carries it. The secret itself is never part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The header.
    pub header: HeaderName,
    /// What stands before the secret, with the space between them, for example `Bearer `.
    pub prefix: Box<str>,
    /// Where the secret is.
    pub secret: Secret,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file, read again when it changes.
    File(PathBuf),
    /// In a variable of the environment.
    Env(Box<str>),
}

impl Authorization {
    /// The header's value, which prints itself as `Sensitive`; none if no header can carry the secret.
    #[must_use]
    pub fn value(&self, secret: &str) -> Option<HeaderValue> {
        let text = format!("{}{secret}", self.prefix);
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        (!secret.is_empty()).then_some(value)
    }

    /// Writes the value into a request's head, in place of whatever the client said there.
    pub fn give(&self, value: &HeaderValue, headers: &mut HeaderMap) {
        remove_alike(headers, &self.header);
        headers.insert(self.header.clone(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer() -> Authorization {
        Authorization {
            header: http::header::AUTHORIZATION,
            prefix: "Bearer ".into(),
            secret: Secret::Env("KEY".into()),
        }
    }

    #[test]
    fn a_secret_replaces_what_the_client_says_and_prints_itself_nowhere() {
        let value = bearer().value("k-17").unwrap();
        let mut headers = crate::sample::headers(&[("authorization", "Bearer stolen")]);
        bearer().give(&value, &mut headers);
        assert_eq!(headers["authorization"], "Bearer k-17");
        assert_eq!(headers.len(), 1);
        assert!(!format!("{headers:?}").contains("k-17"));
    }

    #[test]
    fn what_no_header_can_carry_is_no_secret() {
        for secret in ["", "two\r\nlines", "nul\0"] {
            assert_eq!(bearer().value(secret), None, "{secret:?}");
        }
    }
}

//! Whom a token names: its issuer and everything that the issuer said about the user.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The user of a token that was verified. Only an [`Issuer`](crate::Issuer) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    issuer: Arc<str>,
    claims: Map<String, Value>,
}

impl User {
    /// The user whom this issuer has made these claims about.
    pub(crate) fn new(issuer: Arc<str>, claims: Map<String, Value>) -> Self {
        Self { issuer, claims }
    }

    /// Who vouches for the user.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// All that the token says.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Whom the token is about (RFC 7519 §4.1.2); unique only together with the issuer.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject().unwrap_or("someone");
        write!(f, "user {subject} of {}", self.issuer)
    }
}

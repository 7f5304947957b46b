//! When a request is tried again.

use http::{Method, StatusCode};

/// How a request is tried again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Retries {
    /// How many tries may follow the first.
    pub attempts: u32,
    /// What is tried again.
    pub when: RetryOn,
    /// The methods that are tried again after a server may have acted; all if there are none.
    pub methods: Vec<Method>,
    /// How many retries there may be beside all requests, from 0 to 1.
    pub budget: f64,
    /// How much of a body is kept for another try.
    pub body_bytes: u64,
}

/// What is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryOn {
    /// Nothing was sent, or the server refused it unread.
    pub connect: bool,
    /// The connection broke before the answer began.
    pub reset: bool,
    /// The answer did not begin in time.
    pub timeout: bool,
    /// The answer has one of these statuses.
    pub statuses: Vec<StatusCode>,
}

impl Retries {
    /// Whether a request may reach a server twice.
    #[must_use]
    pub fn may_repeat(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }
}

//! How many requests callers may send.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;

use crate::{Caller, Unit};

/// So many requests in a time, for each of some.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many may come at once.
    pub burst: u32,
    /// After what time there may be one more.
    pub interval: Duration,
    /// Who is counted apart.
    pub key: RateKey,
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RateKey {
    /// All of them.
    Everybody,
    /// Those from one address.
    Address,
    /// Those of one unit.
    Unit(Unit),
}

impl RateLimit {
    /// Whom a request counts for. Requests that do not say count together.
    #[must_use]
    pub fn key<'a>(
        &self,
        headers: &'a HeaderMap,
        caller: &'a Caller,
        address: &'a [u8],
    ) -> Cow<'a, [u8]> {
        match &self.key {
            RateKey::Everybody => Cow::Borrowed(&[]),
            RateKey::Address => address.into(),
            RateKey::Unit(unit) => unit.of(headers, caller, 0).unwrap_or_default(),
        }
    }
}

//! Which route a request takes: the first one in the document that matches it.

mod expression;
mod pattern;
mod table;

use std::borrow::Cow;
use std::time::Duration;

use config::Code;
use http::{HeaderMap, Method};

pub(crate) use expression::Expression;
pub(crate) use pattern::{
    HeaderPattern, Mismatch, PathPattern, Pattern, ValuePattern, parts_words,
};
pub(crate) use table::Table;

use crate::permit::Rule;
use crate::{
    Asked, Introduction, ListenerId, Policy, RateLimit, Retries, Rewrite, RouteId, Shadow, Target,
    host,
};

/// What routing may look at. The path has gone through [`crate::path::normalize`] and has no query.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Where the request came in.
    pub listener: ListenerId,
    /// `:authority` or `Host`; a port is ignored, and so is case.
    pub host: &'a str,
    /// The normalised path.
    pub path: &'a str,
    /// The method.
    pub method: &'a Method,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The model that it asks for.
    pub model: Asked<'a>,
}

/// One way through Wald.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Route {
    /// Its position: the smaller, the earlier.
    pub id: RouteId,
    /// What logs and metrics call it.
    pub name: Box<str>,
    /// How long an answer may take to begin, all tries together.
    pub timeout: Duration,
    /// How long a stream may be silent once it has begun.
    pub idle: Duration,
    /// How long the whole exchange may take, if that has an end.
    pub total: Option<Duration>,
    /// How a request is tried again; none if it is not.
    pub retries: Option<Retries>,
    /// Where it goes instead when its backend is down or refuses, in order.
    pub fallback: Vec<Target>,
    /// Where copies of its requests go.
    pub shadows: Vec<Shadow>,
    /// How many requests callers may send; none if as many as they like.
    pub rate: Option<RateLimit>,
    /// Protocols that a connection may change to, in small letters.
    pub upgrades: Vec<Box<str>>,
    /// What an upstream is asked instead of what the client asked.
    pub rewrite: Rewrite,
    /// The largest body it takes; if absent, the listener's limit holds.
    pub body_bytes: Option<u64>,
    /// Where it leads.
    pub target: Target,
    /// What an upstream is told about the caller.
    pub introduction: Introduction,
    pub(crate) pattern: Pattern,
    pub(crate) allow: Vec<Rule>,
    /// Whether who takes part in its experiment depends on the model.
    pub(crate) is_parted_by_model: bool,
}

/// No route matches the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no route matches")]
pub struct NoRoute;

impl NoRoute {
    /// The number of this refusal.
    pub const CODE: Code = Code(3001);
}

/// How much of a body is kept for what a route falls back to, if no retries say otherwise.
const FALLBACK_BODY_BYTES: u64 = 1 << 20;

impl Route {
    /// How much of a request's body is kept, because it may have to be sent again; nothing where it may not.
    #[must_use]
    pub fn kept_body_bytes(&self) -> u64 {
        match &self.retries {
            Some(retries) => retries.body_bytes,
            None if self.fallback.is_empty() => 0,
            None => FALLBACK_BODY_BYTES,
        }
    }

    /// Whether a connection may change to this protocol.
    #[must_use]
    pub fn may_upgrade(&self, protocol: &[u8]) -> bool {
        let mut known = self.upgrades.iter();
        known.any(|known| protocol.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// Whether it depends on the model that a request asks for.
    #[must_use]
    pub fn asks_for_model(&self) -> bool {
        self.is_parted_by_model
            || self.rewrite.model.is_some()
            || self.pattern.model.is_some()
            || self.allow.iter().any(Rule::asks_for_model)
    }
}

impl Policy {
    /// The first route that matches. One that asks for the model of a request whose model nobody looked for
    /// counts as matching: [`Route::asks_for_model`] says that it is time to look.
    ///
    /// # Errors
    /// When none does.
    pub fn route(&self, request: &Request<'_>) -> Result<&Route, NoRoute> {
        let subject = Subject::of(request);
        let found = self.table.first(&subject, |id| {
            self.routes.get(id).map(|route| &route.pattern)
        });
        found.and_then(|id| self.routes.get(id)).ok_or(NoRoute)
    }
}

/// A request as patterns compare it: its host made bare once, not once a route.
pub(crate) struct Subject<'a> {
    pub(crate) listener: ListenerId,
    pub(crate) host: Cow<'a, str>,
    pub(crate) path: &'a str,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) model: Asked<'a>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(request: &Request<'a>) -> Self {
        let Request {
            listener,
            host,
            path,
            method,
            headers,
            model,
        } = *request;
        Self {
            listener,
            host: host::bare(host),
            path,
            method,
            headers,
            model,
        }
    }
}

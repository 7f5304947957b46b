//! What a route tells its upstream about the caller.

use std::collections::BTreeMap;

use config::document::{HeaderSource, TokenFate};
use config::{Path, code};
use http::HeaderName;

use super::{Report, Scope, allow};
use crate::Introduction;
use crate::introduction::Fact;

/// Headers that another part of Wald, or the connection itself, needs (RFC 9110 §7.6.1).
const TAKEN: [&str; 18] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// What only Wald says, whatever comes behind.
const TAKEN_BEFORE: [&str; 3] = ["x-wald-", "x-forwarded-", "proxy-"];

/// Compiles `set_headers` and `token` of the route at `path`.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    set_headers: &BTreeMap<String, HeaderSource>,
    token: Option<&TokenFate>,
) -> Introduction {
    let path = path.field("set_headers");
    let header = |(name, source): (&String, &HeaderSource)| {
        let path = path.field(name);
        let name = self::name(&mut scope.report, &path, name);
        let fact = match source {
            HeaderSource::Claim(claim) => Some(Fact::Claim(allow::claim(
                scope,
                &path.field("claim"),
                claim,
            )?)),
            HeaderSource::Caller => Some(Fact::Workload),
        };
        Some((name?, fact?))
    };
    let headers = set_headers.iter().filter_map(header).collect();
    let strips_token = match token {
        Some(TokenFate::Strip) => true,
        Some(TokenFate::Keep) => false,
        // A token that is good here may be good elsewhere, and an upstream need not be able to use it.
        None => !scope.document.tokens.is_empty(),
    };
    Introduction {
        headers,
        strips_token,
    }
}

/// Whether another part of Wald, or the connection, needs a header.
pub(super) fn is_taken(name: &HeaderName) -> bool {
    let begins = |before: &str| name.as_str().starts_with(before);
    TAKEN.contains(&name.as_str()) || TAKEN_BEFORE.into_iter().any(begins)
}

fn name(report: &mut Report<'_>, path: &Path, written: &str) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(written.as_bytes()).ok();
    let message = match &name {
        None => format!("no header is called {written:?}"),
        Some(name) if is_taken(name) => {
            format!("{written} is not free: Wald or the connection needs it")
        }
        Some(_) => return name,
    };
    let remedy = "choose a name of your own, such as x-user";
    report.error(code::BAD_HEADER, path, message, remedy);
    None
}

//! What upstreams are asked instead, and where clients are sent.

use std::sync::Arc;

use config::document;
use config::{Path, code};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, StatusCode};

use super::Report;
use crate::route::{PathPattern, Pattern};
use crate::{Redirect, Rewrite, RewritePath, Target};

/// The statuses that send a client elsewhere (RFC 9110 §15.4).
const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Compiles the `rewrite` of a route with this pattern.
pub(super) fn rewrite(
    report: &mut Report<'_>,
    path: &Path,
    written: Option<&document::Rewrite>,
    pattern: Option<&Pattern>,
) -> Rewrite {
    let Some(written) = written else {
        return Rewrite::default();
    };
    let at = path.field("rewrite");
    let document::Rewrite {
        host,
        path,
        prefix,
        model,
    } = written;
    if path.is_some() && prefix.is_some() {
        let message = "a path cannot become both `path` and something with another `prefix`";
        report.error(code::BAD_REWRITE, &at, message, "keep one of them");
    }
    if [host, path, prefix, model].into_iter().all(Option::is_none) {
        let message = "nothing is rewritten";
        report.error(code::BAD_REWRITE, &at, message, "name a part, or remove it");
    }
    if model.as_deref() == Some("") {
        let message = "a model has a name";
        let remedy = "write one, or remove `model`";
        report.error(code::BAD_REWRITE, &at.field("model"), message, remedy);
    }
    let path = match (path, prefix) {
        (Some(written), _) => is_path(report, &at.field("path"), written)
            .then(|| RewritePath::Whole(written.as_str().into())),
        (None, Some(written)) => self::prefix(report, &at.field("prefix"), written, pattern),
        (None, None) => None,
    };
    Rewrite {
        host: host
            .as_ref()
            .and_then(|host| self::host(report, &at.field("host"), host)),
        path,
        model: model.as_deref().map(Into::into),
    }
}

fn prefix(
    report: &mut Report<'_>,
    path: &Path,
    written: &str,
    pattern: Option<&Pattern>,
) -> Option<RewritePath> {
    // A pattern that does not compile is reported where it stands.
    let PathPattern::Prefix(from) = &pattern?.path else {
        let message = "the route matches no prefix that could become another";
        let remedy = "write `match: { path: { prefix: … } }`, or `path` instead of `prefix` here";
        report.error(code::BAD_REWRITE, path, message, remedy);
        return None;
    };
    is_path(report, path, written).then(|| RewritePath::Prefix {
        from: from.clone(),
        to: written.trim_end_matches('/').into(),
    })
}

fn is_path(report: &mut Report<'_>, path: &Path, written: &str) -> bool {
    let parsed = written.parse::<PathAndQuery>().ok();
    let is_path = written.starts_with('/') && parsed.is_some_and(|it| it.query().is_none());
    if !is_path {
        let message = format!("{written:?} is no path");
        let remedy = "write one that begins with a slash, without a query, for example /v1";
        report.error(code::BAD_REWRITE, path, message, remedy);
    }
    is_path
}

fn host(report: &mut Report<'_>, path: &Path, written: &str) -> Option<HeaderValue> {
    let authority = written.parse::<Authority>().ok();
    let is_host = authority.is_some_and(|it| !it.as_str().contains('@') && !it.host().is_empty());
    let host = HeaderValue::from_str(written).ok().filter(|_| is_host);
    if host.is_none() {
        let message = format!("{written:?} is no host");
        let remedy = "write a name, and a port if it is not the usual one";
        report.error(code::BAD_REWRITE, path, message, remedy);
    }
    host
}

/// Compiles where a client is sent.
pub(super) fn redirect(
    report: &mut Report<'_>,
    at: &Path,
    written: &document::Redirect,
) -> Option<Target> {
    let document::Redirect {
        scheme,
        host,
        path,
        status,
    } = written;
    let before = [scheme, host, path].into_iter().all(Option::is_none);
    if before {
        let message = "the client would be sent to where it came from";
        report.error(
            code::BAD_REWRITE,
            at,
            message,
            "name a scheme, host or path",
        );
    }
    if let Some(scheme) = scheme
        .as_deref()
        .filter(|it| !["http", "https"].contains(it))
    {
        let message = format!("{scheme:?} is no scheme that a client is sent to");
        let remedy = "write http or https";
        report.error(code::BAD_REWRITE, &at.field("scheme"), message, remedy);
    }
    if let Some(host) = host {
        self::host(report, &at.field("host"), host);
    }
    if let Some(path) = path {
        is_path(report, &at.field("path"), path);
    }
    let status = status.unwrap_or(308);
    if !STATUSES.contains(&status) {
        let message = format!("{status} sends no client elsewhere");
        let remedy = "write 301, 302, 303, 307 or 308";
        report.error(code::BAD_REWRITE, &at.field("status"), message, remedy);
    }
    Some(Target::Redirect(Arc::new(Redirect {
        scheme: scheme.as_deref().map(Into::into),
        host: host.as_deref().map(Into::into),
        path: path.as_deref().map(Into::into),
        status: StatusCode::from_u16(status).ok()?,
    })))
}

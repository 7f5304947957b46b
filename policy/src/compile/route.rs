//! Routes: their backends, limits and who may take them.

use std::time::Duration;

use config::document::{self, RouteLimits};
use config::{Path, code};
use http::HeaderName;

use super::{Report, Scope, allow, backend, introduction, pattern, rate, retry, rewrite, shadow};
use crate::{RateLimit, Route, RouteId, Target};

/// How long an exchange may take unless the document says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Compiles one route.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Route,
) -> Option<Route> {
    let document::Route {
        name,
        r#match,
        allow: allowed,
        backend,
        timeout,
        idle,
        total,
        retries,
        fallback,
        limits,
        shadow,
        set_headers,
        token,
        upgrades,
        rewrite,
    } = written;
    let fallback = self::fallback(scope, path, fallback);
    let shadows = shadow::compile(scope, path, shadow);
    let rules = allow::rules(scope, path, allowed);
    let introduction = introduction::compile(scope, path, set_headers, token.as_ref());
    let timeout = scope
        .report
        .positive(path, "timeout", timeout.map(|time| time.0), TIMEOUT);
    let retries = retries
        .as_ref()
        .map(|written| retry::compile(&mut scope.report, path, written));
    let limits = self::limits(scope, path, limits.as_ref());
    let (idle, total) = (idle.map(|time| time.0), total.map(|time| time.0));
    let idle = scope.report.positive(path, "idle", idle, timeout);
    let total = total.map(|total| scope.report.positive(path, "total", Some(total), total));
    let pattern = match r#match {
        Some(written) => pattern::compile(scope, &path.field("match"), written),
        None => Some(pattern::all()),
    };
    let target = backend::target(scope, &path.field("backend"), backend);
    let rewrite = rewrite::rewrite(&mut scope.report, path, rewrite.as_ref(), pattern.as_ref());
    let Limits { body_bytes, rate } = limits?;
    Some(Route {
        id: RouteId(position),
        name: name.as_str().into(),
        timeout,
        idle,
        total,
        retries,
        fallback,
        shadows,
        rate,
        upgrades: self::upgrades(&mut scope.report, path, upgrades),
        rewrite,
        body_bytes,
        target: target?,
        introduction,
        pattern: pattern?,
        allow: rules,
        // Known once the experiments are beside it.
        is_parted_by_model: false,
    })
}

/// Where requests go when the backend is down. An experiment is no such place: its arms would be assigned to
/// whoever another failed.
fn fallback(scope: &mut Scope<'_>, path: &Path, written: &[document::Backend]) -> Vec<Target> {
    let path = path.field("fallback");
    let target = |(position, written): (usize, &document::Backend)| {
        let path = path.index(position);
        let target = backend::target(scope, &path, written)?;
        if matches!(target, Target::Experiment(_) | Target::Cascade(_)) {
            let message = "an experiment or a cascade is nothing to fall back to";
            let remedy = "name an upstream, a model or an answer";
            scope
                .report
                .error(code::BAD_BACKEND, &path, message, remedy);
            return None;
        }
        Some(target)
    };
    written.iter().enumerate().filter_map(target).collect()
}

/// HTTP/2 is no protocol to change to (RFC 9113 §3.1), and a name is a token (RFC 9110 §7.8).
fn upgrades(report: &mut Report<'_>, path: &Path, written: &[String]) -> Vec<Box<str>> {
    let path = path.field("upgrades");
    for (position, name) in written.iter().enumerate() {
        let is_token = HeaderName::from_bytes(name.as_bytes()).is_ok();
        if !is_token || name.eq_ignore_ascii_case("h2c") {
            let message = format!("{name:?} is no protocol that a connection can change to");
            let remedy = "write one, for example websocket";
            report.error(code::BAD_MATCH, &path.index(position), message, remedy);
        }
    }
    let names = written.iter().map(|name| name.to_ascii_lowercase().into());
    names.collect()
}

/// What callers may take.
#[derive(Default)]
struct Limits {
    body_bytes: Option<u64>,
    rate: Option<RateLimit>,
}

fn limits(scope: &mut Scope<'_>, path: &Path, written: Option<&RouteLimits>) -> Option<Limits> {
    let Some(RouteLimits { rate, body_bytes }) = written else {
        return Some(Limits::default());
    };
    let path = path.field("limits");
    let body_bytes = body_bytes.map(|bytes| bytes.0);
    let body_bytes = body_bytes.map(|bytes| {
        let report = &mut scope.report;
        report.positive(&path, "body_bytes", Some(bytes), bytes)
    });
    let rate = match rate {
        Some(written) => Some(rate::compile(scope, &path.field("rate"), written)?),
        None => None,
    };
    Some(Limits { body_bytes, rate })
}

/// Warns of routes that are never taken, because an earlier one matches all that they match.
pub(super) fn warn_unreachable(report: &mut Report<'_>, routes: &[Route]) {
    for (position, later) in routes.iter().enumerate() {
        let covering = routes
            .iter()
            .take(position)
            .find(|earlier| earlier.pattern.covers(&later.pattern));
        if let Some(earlier) = covering {
            let message = format!(
                "route {} is never taken: {} matches first",
                later.name, earlier.name
            );
            let path = Path::root().field("routes").index(later.id.index());
            report.warning(
                code::UNREACHABLE_ROUTE,
                &path,
                message,
                "move it up, or remove it",
            );
        }
    }
}

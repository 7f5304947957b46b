//! Routes: their backends, limits and who may take them.

use std::time::Duration;

use config::document::{self, RouteLimits, Shadow};
use config::{Path, code};

use super::{Report, Scope, allow, backend, introduction, pattern};
use crate::{Route, RouteId};

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
        retries,
        fallback,
        limits,
        shadow,
        set_headers,
        token,
        rewrite,
    } = written;
    scope.report.not_built(path, "retries", retries.is_some());
    scope.report.not_built(path, "rewrite", rewrite.is_some());
    self::fallback(scope, path, fallback);
    self::shadow(scope, path, shadow);
    let rules = allow::rules(scope, path, allowed);
    let introduction = introduction::compile(scope, path, set_headers, token.as_ref());
    let timeout = scope
        .report
        .positive(path, "timeout", timeout.map(|time| time.0), TIMEOUT);
    let body_bytes = limits
        .as_ref()
        .and_then(|written| self::limits(&mut scope.report, path, written));
    let pattern = match r#match {
        Some(written) => pattern::compile(scope, &path.field("match"), written),
        None => Some(pattern::all()),
    };
    let target = backend::target(scope, &path.field("backend"), backend);
    Some(Route {
        id: RouteId(position),
        name: name.as_str().into(),
        timeout,
        body_bytes,
        target: target?,
        introduction,
        pattern: pattern?,
        allow: rules,
    })
}

/// Not built yet, but its names are looked up, so that no problem stays hidden behind another.
fn fallback(scope: &mut Scope<'_>, path: &Path, written: &[document::Backend]) {
    scope
        .report
        .not_built(path, "fallback", !written.is_empty());
    for (position, written) in written.iter().enumerate() {
        backend::target(scope, &path.field("fallback").index(position), written);
    }
}

/// Not built yet; see [`fallback`].
fn shadow(scope: &mut Scope<'_>, path: &Path, written: &[Shadow]) {
    scope.report.not_built(path, "shadow", !written.is_empty());
    for (
        position,
        Shadow {
            backend,
            share: _,
            compare: _,
        },
    ) in written.iter().enumerate()
    {
        backend::target(
            scope,
            &path.field("shadow").index(position).field("backend"),
            backend,
        );
    }
}

fn limits(report: &mut Report<'_>, path: &Path, written: &RouteLimits) -> Option<u64> {
    let RouteLimits { rate, body_bytes } = written;
    let path = path.field("limits");
    report.not_built(&path, "rate", rate.is_some());
    body_bytes.map(|bytes| report.positive(&path, "body_bytes", Some(bytes.0), 0))
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

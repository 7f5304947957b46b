//! Routes: their backends, limits and who may take them.

use std::time::Duration;

use config::document::{self, Allow, RouteLimits, Shadow};
use config::{Path, code};

use super::{Report, Scope, backend, pattern};
use crate::permit::Rule;
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
        allow,
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
    scope
        .report
        .not_built(path, "set_headers", set_headers.is_some());
    scope.report.not_built(path, "token", token.is_some());
    scope.report.not_built(path, "rewrite", rewrite.is_some());
    self::fallback(scope, path, fallback);
    self::shadow(scope, path, shadow);
    let rules = rules(&mut scope.report, path, allow);
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

fn rules(report: &mut Report<'_>, path: &Path, written: &[Allow]) -> Vec<Rule> {
    if written.is_empty() {
        let remedy = "open it to all with `allow: [{ callers: anyone }]`, or remove the route";
        report.warning(
            code::NOBODY_ALLOWED,
            path,
            "the route has no `allow`, so nobody may use it",
            remedy,
        );
    }
    let path = path.field("allow");
    let rule = |(position, written): (usize, &Allow)| rule(report, &path.index(position), written);
    written.iter().enumerate().map(rule).collect()
}

fn rule(report: &mut Report<'_>, path: &Path, written: &Allow) -> Rule {
    let Allow {
        callers,
        issuer,
        claims,
        methods,
        models,
    } = written;
    let lists_empty = claims.is_empty() && methods.is_empty() && models.is_empty();
    if callers.is_none() && issuer.is_none() && lists_empty {
        let remedy = "say whom it allows, for example `{ callers: anyone }`";
        report.error(
            code::EMPTY_ALLOW,
            path,
            "an entry without any condition would allow everything",
            remedy,
        );
    }
    let named = callers
        .iter()
        .flat_map(|callers| &callers.0)
        .any(|pattern| pattern != "anyone");
    if named {
        report.not_built_value(&path.field("callers"), "telling callers apart");
    }
    report.not_built(path, "issuer", issuer.is_some());
    report.not_built(path, "claims", !claims.is_empty());
    report.not_built(path, "models", !models.is_empty());
    Rule {
        methods: pattern::methods(report, &path.field("methods"), methods),
    }
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

//! Who may take a route.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::document::{Allow, Callers, Document, ValueMatch};
use config::{Path, code};

use super::{Report, Scope, names, origin, pattern};
use crate::SpiffePattern;
use crate::claim::{ClaimPath, ClaimPattern};
use crate::permit::Rule;

/// Compiles a route's `allow`.
pub(super) fn rules(scope: &mut Scope<'_>, route: &Path, written: &[Allow]) -> Vec<Rule> {
    if written.is_empty() {
        let remedy = "open it to all with `allow: [{ callers: anyone }]`, or remove the route";
        scope.report.warning(
            code::NOBODY_ALLOWED,
            route,
            "the route has no `allow`, so nobody may use it",
            remedy,
        );
    }
    let proves = workloads_are_proved(scope.document);
    entries(scope, &route.field("allow"), written, proves)
}

/// Whether any listener lets its clients prove which workload they are.
pub(super) fn workloads_are_proved(document: &Document) -> bool {
    let listeners = document.listeners.iter();
    let mut secure = listeners.filter_map(|listener| listener.tls.as_ref());
    secure.any(origin::proves_workloads)
}

/// Compiles a list of entries for callers who come in where workloads can be proved, or not.
pub(super) fn entries(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &[Allow],
    proves: bool,
) -> Vec<Rule> {
    let rule =
        |(position, written): (usize, &Allow)| rule(scope, &path.index(position), written, proves);
    written.iter().enumerate().map(rule).collect()
}

fn rule(scope: &mut Scope<'_>, path: &Path, written: &Allow, proves: bool) -> Rule {
    let is_for_all = written.methods.is_empty() && written.models.is_empty();
    let asks_nobody = written.issuer.is_none() && written.claims.is_empty();
    if written.callers.is_none() && asks_nobody && is_for_all {
        let remedy = "say whom it allows, for example `{ callers: anyone }`";
        scope.report.error(
            code::EMPTY_ALLOW,
            path,
            "an entry without any condition would allow everything",
            remedy,
        );
    }
    conditions(scope, path, written, proves)
}

/// Compiles what an entry asks for, be it nothing.
pub(super) fn conditions(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &Allow,
    proves: bool,
) -> Rule {
    let Allow {
        callers,
        issuer,
        claims,
        methods,
        models,
    } = written;
    let callers = callers.as_ref().filter(|callers| !callers.anyone());
    if issuer.is_none() && !claims.is_empty() && scope.document.tokens.len() > 1 {
        let message = "each of the issuers can make these claims";
        let remedy = "name the one whose word counts here: `issuer: …`";
        scope
            .report
            .warning(code::ANY_ISSUER, path, message, remedy);
    }
    Rule {
        callers: callers
            .map(|written| self::callers(scope, &path.field("callers"), written, proves)),
        issuer: issuer
            .as_ref()
            .map(|name| self::issuer(scope, &path.field("issuer"), name)),
        claims: self::claims(scope, &path.field("claims"), claims),
        methods: pattern::methods(&mut scope.report, &path.field("methods"), methods),
        models: models.iter().map(|model| model.as_str().into()).collect(),
    }
}

fn callers(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &Callers,
    proves: bool,
) -> Vec<SpiffePattern> {
    if !proves {
        let message = "nobody is asked for a client certificate here, so no workload can be proved";
        let remedy = "add `tls` with `clients: required` or `optional` where these callers come in";
        scope.report.error(code::BAD_CALLER, path, message, remedy);
    }
    if written.0.is_empty() {
        let remedy = "name a workload, or write `callers: anyone`";
        let message = "an empty list of callers allows nobody";
        scope
            .report
            .error(code::NOTHING_THERE, path, message, remedy);
    }
    let report = &mut scope.report;
    let pattern = |(position, text): (usize, &String)| caller(report, path, position, text);
    written.0.iter().enumerate().filter_map(pattern).collect()
}

fn caller(
    report: &mut Report<'_>,
    path: &Path,
    position: usize,
    text: &str,
) -> Option<SpiffePattern> {
    text.parse()
        .map_err(|bad: crate::BadPattern| {
            let remedy = "write it like spiffe://bank.example/ns/payments/**, or `anyone`";
            let message = format!("{text}: {bad}");
            report.error(code::BAD_CALLER, &path.index(position), message, remedy);
        })
        .ok()
}

fn issuer(scope: &mut Scope<'_>, path: &Path, name: &str) -> Arc<str> {
    let mut known = scope.document.tokens.iter().map(|it| &*it.issuer);
    if !known.clone().any(|known| known == name) {
        names::unknown("issuer", name, &mut known, path, &mut scope.report);
    }
    name.into()
}

fn claims(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &BTreeMap<String, ValueMatch>,
) -> Vec<(ClaimPath, ClaimPattern)> {
    written
        .iter()
        .filter_map(|(name, value)| {
            let path = path.field(name);
            let claim = claim(scope, &path, name)?;
            Some((claim, condition(&mut scope.report, &path, value)?))
        })
        .collect()
}

/// The way to a claim that something at `path` asks for.
pub(super) fn claim(scope: &mut Scope<'_>, path: &Path, name: &str) -> Option<ClaimPath> {
    let Scope {
        report, document, ..
    } = scope;
    if document.tokens.is_empty() {
        let message = "the document believes no tokens, so nobody can prove a claim";
        report.error(code::BAD_CLAIM, path, message, "add the issuer to `tokens`");
        return None;
    }
    ClaimPath::parse(name)
        .map_err(|bad| {
            let remedy = "write a name such as `sub`, or a pointer such as `/realm_access/roles`";
            report.error(code::BAD_CLAIM, path, format!("{name:?}: {bad}"), remedy);
        })
        .ok()
}

fn condition(report: &mut Report<'_>, path: &Path, written: &ValueMatch) -> Option<ClaimPattern> {
    let pattern = match written {
        ValueMatch::Exact(exact) => ClaimPattern::OneOf(vec![exact.as_str().into()]),
        ValueMatch::AnyOf(values) => {
            ClaimPattern::OneOf(values.iter().map(|value| value.as_str().into()).collect())
        }
        ValueMatch::Prefix(prefix) => ClaimPattern::Prefix(prefix.as_str().into()),
        ValueMatch::Contains(word) => ClaimPattern::Contains(word.as_str().into()),
    };
    // An empty prefix or word would hold for every text, which is not what anyone means by it.
    let is_empty = match &pattern {
        ClaimPattern::OneOf(values) => values.is_empty(),
        ClaimPattern::Prefix(text) | ClaimPattern::Contains(text) => text.is_empty(),
    };
    if is_empty {
        let remedy = "name a value that tokens can have";
        report.error(code::BAD_MATCH, path, "an empty condition", remedy);
        return None;
    }
    Some(pattern)
}

//! What a route asks of requests.

use std::collections::BTreeMap;

use config::document::{Match, PathMatch, ValueMatch};
use config::{Path, code};
use http::Method;
use http::header::{HeaderName, HeaderValue};

use super::{Report, Scope};
use crate::host::Host;
use crate::route::{Expression, HeaderPattern, PathPattern, Pattern, ValuePattern, parts_words};
use crate::{ListenerId, path as request_path};

/// The pattern of a route without `match`.
pub(super) fn all() -> Pattern {
    Pattern::default()
}

/// Compiles a route's `match`.
pub(super) fn compile(scope: &mut Scope<'_>, path: &Path, written: &Match) -> Option<Pattern> {
    let Match {
        listeners,
        hosts,
        path: paths,
        methods,
        headers,
        model,
    } = written;
    let Scope { report, names, .. } = scope;
    let listeners = each(path, "listeners", listeners, |path, name| {
        names.listeners.find(name, path, report)
    });
    let hosts = each(path, "hosts", hosts, |path, written| {
        host(report, path, written)
    });
    let methods = self::methods(report, &path.field("methods"), methods);
    let headers = self::headers(report, &path.field("headers"), headers);
    let paths = match paths {
        Some(written) => self::path(report, &path.field("path"), written),
        None => Some(PathPattern::Any),
    };
    let listeners = listeners?.into_iter().map(ListenerId).collect();
    Some(Pattern {
        listeners,
        hosts: hosts?,
        path: paths?,
        methods,
        headers: headers?,
        model: model.as_deref().map(Into::into),
    })
}

/// Compiles every item of a list, so that each can add its problem; none if one has.
fn each<T, U>(
    path: &Path,
    field: &str,
    written: &[T],
    mut compile: impl FnMut(&Path, &T) -> Option<U>,
) -> Option<Vec<U>> {
    let path = path.field(field);
    let compiled: Vec<_> = written
        .iter()
        .enumerate()
        .map(|(at, item)| compile(&path.index(at), item))
        .collect();
    compiled.into_iter().collect()
}

fn host(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Host> {
    let host = Host::parse(written);
    if host.is_none() {
        let remedy = "write a name without port, such as models.example or *.models.example; for all hosts, none";
        report.error(
            code::BAD_MATCH,
            path,
            format!("no host is called {written:?}"),
            remedy,
        );
    }
    host
}

/// Reads methods; those that are none are left out, since the document is refused for them.
pub(super) fn methods(report: &mut Report<'_>, path: &Path, written: &[String]) -> Vec<Method> {
    let mut method = |(position, written): (usize, &String)| {
        let method = Method::from_bytes(written.as_bytes()).ok();
        // RFC 9110 §9.1: methods are case-sensitive, and all that are registered are upper-case.
        let known = method.filter(|_| !written.bytes().any(|byte| byte.is_ascii_lowercase()));
        if known.is_none() {
            let remedy = format!(
                "write it in capitals, such as {}",
                written.to_ascii_uppercase()
            );
            let message = format!("no request has the method {written:?}");
            report.error(code::BAD_MATCH, &path.index(position), message, remedy);
        }
        known
    };
    written.iter().enumerate().filter_map(&mut method).collect()
}

fn path(report: &mut Report<'_>, path: &Path, written: &PathMatch) -> Option<PathPattern> {
    match written {
        PathMatch::Exact(exact) => {
            let exact = normal(report, &path.field("exact"), exact)?;
            Some(PathPattern::Exact(exact.into()))
        }
        PathMatch::Prefix(prefix) => {
            let prefix = normal(report, &path.field("prefix"), prefix)?;
            Some(PathPattern::Prefix(
                prefix.strip_suffix('/').unwrap_or(&prefix).into(),
            ))
        }
        PathMatch::Regex(regex) => {
            expression(report, &path.field("regex"), regex).map(PathPattern::Regex)
        }
    }
}

/// Spells a path as requests are spelled when they are matched.
fn normal(report: &mut Report<'_>, path: &Path, written: &str) -> Option<String> {
    let problem = match request_path::normalize(written) {
        _ if written.contains(['?', '#']) => {
            "the path has a query or fragment, which routes do not see".to_owned()
        }
        Ok(normal) => return Some(normal.into_owned()),
        Err(ambiguous) => ambiguous.to_string(),
    };
    let remedy = "write a plain path, such as /v2/models/fraud";
    report.error(
        code::BAD_MATCH,
        path,
        format!("no request has the path {written:?}: {problem}"),
        remedy,
    );
    None
}

fn expression(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Expression> {
    let expression = Expression::new(written);
    if let Err(error) = &expression {
        let message = format!("{written:?} is not a regular expression that Wald can use: {error}");
        let remedy = "see https://docs.rs/regex/latest/regex/#syntax; `/v[12]/.*` is one";
        report.error(code::BAD_MATCH, path, message, remedy);
    }
    expression.ok()
}

/// Compiles conditions on header fields; none if one is none.
pub(super) fn headers(
    report: &mut Report<'_>,
    path: &Path,
    written: &BTreeMap<String, ValueMatch>,
) -> Option<Vec<HeaderPattern>> {
    let pattern =
        |(name, value): (&String, &ValueMatch)| header(report, &path.field(name), name, value);
    let patterns: Vec<_> = written.iter().map(pattern).collect();
    patterns.into_iter().collect()
}

fn header(
    report: &mut Report<'_>,
    path: &Path,
    name: &str,
    value: &ValueMatch,
) -> Option<HeaderPattern> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        let remedy = "write a header's name, such as x-tenant";
        report.error(
            code::BAD_MATCH,
            path,
            format!("no header is called {name:?}"),
            remedy,
        );
        return None;
    };
    let value = match value {
        ValueMatch::Exact(exact) => ValuePattern::OneOf(vec![exact.as_str().into()]),
        ValueMatch::AnyOf(values) => {
            ValuePattern::OneOf(values.iter().map(|value| value.as_str().into()).collect())
        }
        ValueMatch::Prefix(prefix) => ValuePattern::Prefix(prefix.as_str().into()),
        ValueMatch::Contains(word) => ValuePattern::Contains(word.as_str().into()),
    };
    if is_impossible(&value) {
        let message = format!("no header {name} meets this condition");
        report.error(
            code::BAD_MATCH,
            path,
            message,
            "name a value that requests can have",
        );
        return None;
    }
    Some(HeaderPattern { name, value })
}

/// Whether no header value can meet a condition: values are visible text without spaces around it.
fn is_impossible(pattern: &ValuePattern) -> bool {
    let sendable = |text: &str| HeaderValue::from_str(text).is_ok() && text.trim() == text;
    match pattern {
        ValuePattern::OneOf(values) => {
            values.is_empty() || !values.iter().all(|value| sendable(value))
        }
        ValuePattern::Prefix(prefix) => !sendable(prefix.trim_end()),
        ValuePattern::Contains(word) => {
            word.is_empty() || !sendable(word) || word.bytes().any(parts_words)
        }
    }
}

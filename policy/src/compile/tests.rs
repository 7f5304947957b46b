//! What compiles, and every problem that keeps a document from it.

mod cascades;
mod edges;
mod experiments;
mod meaning;
mod models;
mod not_built;
mod routes;
mod signatures;
mod texts;
mod tls;
mod tokens;
mod upstreams;
mod watch;

use config::{Code, Problem, Severity};

use super::*;
use crate::sample;

/// What compiling says about the sample with `edits`: code, path and severity.
#[track_caller]
fn problems(edits: &[(&str, &str)]) -> Vec<Problem> {
    let document = sample::document(edits);
    match compile(&document) {
        Ok(policy) => policy.warnings().iter().cloned().collect(),
        Err(problems) => problems.iter().cloned().collect(),
    }
}

#[track_caller]
fn check(severity: Severity, code: Code, path: &str, edits: &[(&str, &str)]) {
    let found = problems(edits);
    let expected = |problem: &&Problem| problem.code == code && problem.path.to_string() == path;
    let problem = found
        .iter()
        .find(expected)
        .unwrap_or_else(|| panic!("no {code} at {path}: {found:#?}"));
    assert_eq!(problem.severity, severity, "{problem:?}");
    assert!(!problem.remedy.is_empty(), "{problem:?} has no remedy");
}

#[track_caller]
fn refused(code: Code, path: &str, old: &str, new: &str) {
    check(Severity::Error, code, path, &[(old, new)]);
}

#[track_caller]
fn warned(code: Code, path: &str, edits: &[(&str, &str)]) {
    check(Severity::Warning, code, path, edits);
}

const LISTENER: &str = "{ name: edge, address: \"127.0.0.1:8080\" }";
const UPSTREAM: &str = "endpoints: [\"http://127.0.0.1:8001\"]";
const ALLOW: &str = "allow: [{ callers: anyone }]";
const ROUTE: &str = "backend: { experiment: fraud-v2 }";
const GOAL: &str = "name: accuracy, kind: proportion, source: feedback, better: higher, role: goal";
const MARGIN: &str = "margin: { odds: 1.5 }";
const RAMP: &str = "ramp: [5%, 25%, 50%]";

#[test]
fn the_sample_has_only_the_problem_that_it_wants() {
    let found: Vec<_> = problems(&[])
        .into_iter()
        .map(|problem| (problem.code, problem.path.to_string()))
        .collect();
    assert_eq!(found, [(code::NOBODY_ALLOWED, "routes[2]".to_owned())]);
}

#[test]
fn all_problems_come_at_once_and_in_the_order_of_lines() {
    let found = problems(&[
        ("address: \"127.0.0.1:8080\"", "address: nowhere"),
        ("upstream: fraud-v2", "upstream: frod-v2"),
        (RAMP, "ramp: [25%, 5%]"),
    ]);
    let codes: Vec<_> = found.iter().map(|problem| problem.code).collect();
    let expected = [
        code::BAD_ADDRESS,
        code::UNUSED,
        code::NOBODY_ALLOWED,
        code::UNKNOWN_NAME,
        code::BAD_RAMP,
    ];
    assert_eq!(codes, expected);
    assert!(found.is_sorted_by_key(|problem| problem.place));
}

#[test]
fn a_wrong_name_is_answered_with_the_nearest() {
    let found = problems(&[("upstream: fraud-v2", "upstream: frod-v2")]);
    let unknown = found
        .iter()
        .find(|problem| problem.code == code::UNKNOWN_NAME)
        .expect("a problem");
    assert_eq!(unknown.message, "there is no upstream frod-v2");
    assert_eq!(unknown.remedy, "did you mean fraud-v2?");
    assert_eq!(
        unknown.path.to_string(),
        "experiments[0].arms[1].backend.upstream"
    );
}

#[test]
fn references_must_lead_somewhere() {
    refused(
        code::UNKNOWN_NAME,
        "routes[0].backend.experiment",
        ROUTE,
        "backend: { experiment: none }",
    );
    refused(
        code::UNKNOWN_NAME,
        "routes[0].backend.model",
        ROUTE,
        "backend: { model: letters }",
    );
    refused(
        code::UNKNOWN_NAME,
        "experiments[1].arms[0].backend.version",
        "model: digits, version: \"9\"",
        "model: digits, version: \"8\"",
    );
    refused(
        code::UNKNOWN_NAME,
        "routes[2].match.listeners[0]",
        "listeners: [inside]",
        "listeners: [outside]",
    );
    refused(
        code::BAD_BACKEND,
        "experiments[0].arms[1].backend",
        "{ upstream: fraud-v2 }",
        "{ experiment: digits }",
    );
    refused(
        code::BAD_BACKEND,
        "routes[2].backend.respond.status",
        "status: 403",
        "status: 99",
    );
    refused(
        code::BAD_BACKEND,
        "routes[2].backend.respond.body",
        "status: 403",
        "status: 204",
    );
}

#[test]
fn names_are_used_once_and_fit_into_a_header() {
    refused(
        code::DUPLICATE_NAME,
        "listeners[1].name",
        "name: inside",
        "name: edge",
    );
    refused(
        code::DUPLICATE_NAME,
        "upstreams[1].name",
        "name: fraud-v2, endpoints",
        "name: fraud-v1, endpoints",
    );
    refused(
        code::DUPLICATE_NAME,
        "models[1]",
        "version: \"10\"",
        "version: \"9\"",
    );
    refused(
        code::DUPLICATE_NAME,
        "routes[1].name",
        "- name: digits\n    match",
        "- name: fraud\n    match",
    );
    refused(
        code::DUPLICATE_NAME,
        "experiments[1].name",
        "- name: digits\n    unit",
        "- name: fraud-v2\n    unit",
    );
    refused(
        code::DUPLICATE_NAME,
        "experiments[0].arms[1].name",
        "name: candidate",
        "name: control",
    );
    refused(
        code::DUPLICATE_NAME,
        "experiments[0].metrics[1].name",
        "name: errors",
        "name: accuracy",
    );
    refused(
        code::BAD_NAME,
        "experiments[0].arms[1].name",
        "name: candidate",
        "name: the candidate",
    );
    refused(
        code::BAD_NAME,
        "listeners[0].name",
        "name: edge",
        "name: \"\"",
    );
}

#[test]
fn addresses_are_addresses_and_used_once() {
    refused(
        code::BAD_ADDRESS,
        "listeners[0].address",
        "127.0.0.1:8080",
        "localhost:8080",
    );
    refused(
        code::BAD_ADDRESS,
        "upstreams[0].endpoints[0]",
        "http://127.0.0.1:8001",
        "127.0.0.1:8001",
    );
    refused(
        code::NOTHING_THERE,
        "upstreams[0].endpoints",
        UPSTREAM,
        "endpoints: []",
    );
    refused(
        code::DUPLICATE_ADDRESS,
        "listeners[1].address",
        "127.0.0.1:8081",
        "127.0.0.1:8080",
    );
    refused(
        code::DUPLICATE_ADDRESS,
        "listeners[1].address",
        "127.0.0.1:8081",
        "127.0.0.1:9901",
    );
    refused(
        code::BAD_ADDRESS,
        "admin.address",
        "listeners:",
        "admin: { address: here }\nlisteners:",
    );
    refused(
        code::OPEN_ADMIN,
        "admin.address",
        "listeners:",
        "admin: { address: \"0.0.0.0:9901\" }\nlisteners:",
    );
}

#[test]
fn several_listeners_may_ask_for_any_free_port() {
    let policy = sample::policy(&[
        ("127.0.0.1:8080", "127.0.0.1:0"),
        ("127.0.0.1:8081", "127.0.0.1:0"),
    ]);
    assert!(
        policy
            .listeners()
            .iter()
            .all(|listener| listener.address.to_string() == "127.0.0.1:0")
    );
}

#[test]
fn numbers_make_sense() {
    refused(
        code::OUT_OF_RANGE,
        "workers",
        "listeners:",
        "workers: 0\nlisteners:",
    );
    refused(
        code::OUT_OF_RANGE,
        "listeners[0].limits.header_time",
        LISTENER,
        "{ name: edge, address: \"127.0.0.1:8080\", limits: { header_time: 0s } }",
    );
    refused(
        code::OUT_OF_RANGE,
        "upstreams[0].timeouts.connect",
        UPSTREAM,
        &format!("{UPSTREAM}, timeouts: {{ connect: 0s }}"),
    );
    refused(
        code::OUT_OF_RANGE,
        "routes[0].timeout",
        ROUTE,
        &format!("{ROUTE}\n    timeout: 0s"),
    );
    refused(
        code::OUT_OF_RANGE,
        "models[0].threads",
        "file: digits-9.onnx",
        "file: digits-9.onnx, threads: 0",
    );
    refused(
        code::OUT_OF_RANGE,
        "experiments[0].alpha",
        RAMP,
        "alpha: 50%",
    );
    refused(
        code::OUT_OF_RANGE,
        "experiments[0].tick",
        RAMP,
        "tick: 1500ms",
    );
    refused(
        code::OUT_OF_RANGE,
        "experiments[0].end.observations",
        RAMP,
        "end: { observations: 0 }",
    );
    refused(
        code::OUT_OF_RANGE,
        "experiments[0].metrics[0].worth",
        GOAL,
        &format!("{GOAL}, worth: 0"),
    );
    refused(code::BAD_DIGEST, "models[1].sha256", "000A", "000X");
    refused(code::BAD_DIGEST, "models[1].sha256", "000A", "000");
}

#[test]
fn a_route_asks_what_requests_can_meet() {
    let path = |to| ("path: { exact: /closed }", to);
    for (place, (old, new)) in [
        ("exact", path("path: { exact: closed }")),
        ("exact", path("path: { exact: /a/../b }")),
        ("exact", path("path: { exact: \"/closed?x=1\" }")),
        ("prefix", path("path: { prefix: /a//b }")),
        ("regex", path("path: { regex: \"(\" }")),
        ("regex", path("path: { regex: \"a)(b\" }")),
    ] {
        refused(
            code::BAD_MATCH,
            &format!("routes[2].match.path.{place}"),
            old,
            new,
        );
    }
    refused(
        code::BAD_MATCH,
        "routes[1].match.hosts[0]",
        "*.models.test",
        "models.test:80",
    );
    refused(
        code::BAD_MATCH,
        "routes[0].match.methods[0]",
        "methods: [POST], headers",
        "methods: [post], headers",
    );
    refused(
        code::BAD_MATCH,
        "routes[0].match.headers[\"x tenant\"]",
        "x-tenant:",
        "\"x tenant\":",
    );
    refused(
        code::BAD_MATCH,
        "routes[0].match.headers.x-tenant",
        "{ exact: bank }",
        "{ any_of: [] }",
    );
    refused(
        code::BAD_MATCH,
        "routes[0].match.headers.x-tenant",
        "{ exact: bank }",
        "{ contains: \"a b\" }",
    );
}

#[test]
fn an_entry_of_allow_says_something() {
    refused(
        code::EMPTY_ALLOW,
        "routes[0].allow[0]",
        ALLOW,
        "allow: [{}]",
    );
    warned(code::NOBODY_ALLOWED, "routes[0]", &[(ALLOW, "allow: []")]);
}

#[test]
fn what_is_never_used_is_warned_of() {
    warned(
        code::UNREACHABLE_ROUTE,
        "routes[2]",
        &[(
            "path: { exact: /closed }, listeners: [inside]",
            "hosts: [a.models.test], path: { exact: /v2/models/digits/infer }",
        )],
    );
    warned(
        code::UNREACHABLE_ROUTE,
        "routes[1]",
        &[(
            "match: { path: { prefix: /v2/models/fraud }, methods: [POST], headers: { x-tenant: { exact: bank } } }",
            "match: {}",
        )],
    );
    warned(
        code::UNUSED,
        "experiments[0]",
        &[(ROUTE, "backend: { upstream: fraud-v1 }")],
    );
    warned(
        code::UNUSED,
        "upstreams[1]",
        &[("{ upstream: fraud-v2 }", "{ upstream: fraud-v1 }")],
    );
    warned(
        code::UNUSED,
        "models[0]",
        &[("model: digits, version: \"9\"", "model: digits")],
    );
}

//! What `wald explain` says about each outcome.

use http::Method;

use super::*;
use crate::sample;

#[track_caller]
fn explain(method: &Method, path: &str, headers: &[(&str, &str)]) -> Explanation {
    let policy = sample::policy(&[]);
    let headers = sample::headers(headers);
    let stages = [Stage::first(1), Stage::first(1)];
    policy.explain(
        &sample::request(method, path, &headers),
        Caller::anonymous(),
        &stages,
        7,
    )
}

#[test]
fn a_permitted_request_is_explained_up_to_its_backend() {
    let found = explain(
        &Method::POST,
        "/v2/models/fraud/infer",
        &[("x-tenant", "bank"), ("x-user", "ada")],
    );
    assert_eq!(found.outcome, Answer::Permit);
    assert_eq!(found.route.as_deref(), Some("fraud"));
    assert_eq!(found.experiment.as_deref(), Some("fraud-v2"));
    assert_eq!(found.arm.as_deref(), Some("control"));
    assert_eq!(found.backend.as_deref(), Some("fraud-v1"));
    assert_eq!(found.code, None);
    let why = [
        "route fraud matches",
        "route fraud allows an anonymous caller",
        "experiment fraud-v2 is running",
        "header x-user puts the request on arm control (bucket 75)",
    ];
    assert_eq!(found.why, why);
}

#[test]
fn a_request_without_its_unit_is_not_counted() {
    let found = explain(&Method::POST, "/v2/models/fraud", &[("x-tenant", "bank")]);
    let last = "the request has no header x-user, so arm control serves it and nothing is counted";
    assert_eq!(found.why.last().map(String::as_str), Some(last));
}

#[test]
fn a_denied_request_says_which_route_refuses_it() {
    let found = explain(&Method::GET, "/v2/models/digits", &[]);
    assert_eq!(found.outcome, Answer::Deny);
    assert_eq!(found.route.as_deref(), Some("digits"));
    assert_eq!(found.code.as_deref(), Some("WALD-3003"));
    assert_eq!(found.backend, None);
    let last =
        "route digits refuses: no entry of the route's allow list holds: allow[0] another method";
    assert_eq!(found.why.last().map(String::as_str), Some(last));
}

#[test]
fn a_request_without_a_route_says_why_each_was_passed_over() {
    let found = explain(&Method::POST, "/v2/models/fraud", &[("x-tenant", "shop")]);
    assert_eq!(found.outcome, Answer::NoRoute);
    assert_eq!(found.code.as_deref(), Some("WALD-3001"));
    let why = [
        "route fraud does not match: header x-tenant",
        "route digits does not match: path",
        "route closed does not match: listener",
        "no route matches",
    ];
    assert_eq!(found.why, why);
}

#[test]
fn method_and_host_are_reasons_too() {
    let policy = sample::policy(&[]);
    let headers = sample::headers(&[]);
    let request = Request {
        host: "elsewhere.test",
        ..sample::request(&Method::GET, "/v2/models/fraud", &headers)
    };
    let found = policy.explain(&request, Caller::anonymous(), &[], 0);
    let why = [
        "route fraud does not match: method",
        "route digits does not match: host",
    ];
    assert_eq!(found.why.get(..2), Some(&why.map(str::to_owned)[..]));
}

#[test]
fn an_explanation_in_json_has_every_field_whatever_happens() {
    let denied = explain(&Method::GET, "/v2/models/digits", &[]);
    let json = serde_json::to_value(&denied).expect("an explanation is JSON");
    let fields = json.as_object().expect("an object");
    for field in [
        "outcome",
        "route",
        "code",
        "experiment",
        "arm",
        "backend",
        "shadows",
        "why",
    ] {
        assert!(fields.contains_key(field), "{field} is missing");
    }
    assert_eq!(json["outcome"], "deny");
    assert!(json["backend"].is_null());
}

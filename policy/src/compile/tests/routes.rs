//! What a route does when its backend fails, what it asks instead, and how much it lets through.

use std::time::Duration;

use http::StatusCode;

use super::*;
use crate::{RateKey, RateLimit, RewritePath, Route, Target, Unit};

fn with(fields: &str) -> Route {
    let written = format!("{ROUTE}\n    {fields}");
    let policy = compile(&sample::document(&[(ROUTE, &written)])).unwrap();
    policy.routes()[0].clone()
}

#[track_caller]
fn refused_with(code: Code, field: &str, fields: &str) {
    let written = format!("{ROUTE}\n    {fields}");
    refused(code, &format!("routes[0].{field}"), ROUTE, &written);
}

#[test]
fn retries_are_what_the_document_says_and_otherwise_careful() {
    assert_eq!(with("timeout: 5s").retries, None);
    let retries = with("retries: { attempts: 2, when: [connect, 503] }").retries;
    let retries = retries.unwrap();
    assert_eq!((retries.attempts, retries.body_bytes), (2, 1 << 20));
    assert!((retries.budget - 0.2).abs() < 1e-9);
    assert!(retries.when.connect && !retries.when.reset && !retries.when.timeout);
    assert_eq!(retries.when.statuses, [StatusCode::SERVICE_UNAVAILABLE]);
    assert!(retries.may_repeat(&http::Method::POST));
    let fields = "retries: { attempts: 1, when: [reset, timeout], methods: [GET], budget: 5%, body_max: 1KiB }";
    let retries = with(fields).retries.unwrap();
    assert!(retries.when.reset && retries.when.timeout);
    assert!(!retries.may_repeat(&http::Method::POST) && retries.body_bytes == 1024);
}

#[test]
fn retries_that_would_be_none_or_endless_are_refused() {
    let out = code::OUT_OF_RANGE;
    for attempts in [0, 11] {
        let fields = format!("retries: {{ attempts: {attempts}, when: [connect] }}");
        refused_with(out, "retries.attempts", &fields);
    }
    refused_with(
        out,
        "retries.when[0]",
        "retries: { attempts: 1, when: [200] }",
    );
    let fields = "retries: { attempts: 1, when: [] }";
    refused_with(code::NOTHING_THERE, "retries.when", fields);
}

#[test]
fn a_route_falls_back_to_anything_but_an_experiment() {
    let route = with("fallback: [{ upstream: fraud-v2 }, { respond: { status: 503 } }]");
    assert!(matches!(
        route.fallback[..],
        [Target::Upstream(_), Target::Respond { .. }]
    ));
    let fields = "fallback: [{ experiment: fraud-v2 }]";
    refused_with(code::BAD_BACKEND, "fallback[0]", fields);
}

#[test]
fn a_stream_may_be_silent_as_long_as_an_answer_may_take_unless_the_document_says_otherwise() {
    let route = with("timeout: 5s");
    assert_eq!((route.idle, route.total), (Duration::from_secs(5), None));
    let route = with("idle: 2m\n    total: 1h");
    let times = (route.idle, route.total.unwrap());
    assert_eq!(times, (Duration::from_secs(120), Duration::from_secs(3600)));
    for field in ["idle", "total"] {
        refused_with(code::OUT_OF_RANGE, field, &format!("{field}: 0s"));
    }
}

#[test]
fn parts_of_a_request_become_others() {
    let rewrite = with("rewrite: { host: models.internal, prefix: /v1/, model: new }").rewrite;
    assert_eq!(rewrite.host.unwrap(), "models.internal");
    let (from, to) = ("/v2/models/fraud".into(), "/v1".into());
    assert_eq!(rewrite.path, Some(RewritePath::Prefix { from, to }));
    assert_eq!(rewrite.model.as_deref(), Some("new"));
    assert!(with("rewrite: { model: new }").asks_for_model());
}

#[test]
fn a_rewrite_that_changes_nothing_or_too_much_is_refused() {
    let bad = code::BAD_REWRITE;
    refused_with(bad, "rewrite", "rewrite: {}");
    refused_with(bad, "rewrite", "rewrite: { path: /a, prefix: /b }");
    refused_with(bad, "rewrite.path", "rewrite: { path: a }");
    refused_with(bad, "rewrite.path", "rewrite: { path: /a?b }");
    refused_with(bad, "rewrite.host", "rewrite: { host: \"a b\" }");
    refused_with(bad, "rewrite.model", "rewrite: { model: \"\" }");
    let matched = "path: { prefix: /v2/models/fraud }";
    let edits = [
        (matched, "path: { exact: /v2/models/fraud }"),
        (ROUTE, &format!("{ROUTE}\n    rewrite: {{ prefix: /b }}")),
    ];
    check(Severity::Error, bad, "routes[0].rewrite.prefix", &edits);
}

#[test]
fn a_client_is_sent_to_somewhere_else() {
    let sent = |redirect: &str| {
        let written = format!("backend: {{ redirect: {redirect} }}");
        compile(&sample::document(&[(ROUTE, &written)])).map(|it| it.routes()[0].target.clone())
    };
    let Ok(Target::Redirect(redirect)) = sent("{ scheme: https, host: \"a.test:8443\" }") else {
        panic!("no redirect");
    };
    assert_eq!(redirect.status, StatusCode::PERMANENT_REDIRECT);
    for redirect in [
        "{}",
        "{ scheme: ftp }",
        "{ host: a/b }",
        "{ path: b }",
        "{ path: /b, status: 200 }",
    ] {
        let problems = sent(redirect).unwrap_err();
        let is_bad = |problem: &Problem| problem.code == code::BAD_REWRITE;
        assert!(problems.iter().any(is_bad), "{redirect}");
    }
}

#[test]
fn a_rate_is_a_time_between_requests_and_how_many_may_come_at_once() {
    let rate = |fields: &str| {
        with(&format!("limits: {{ rate: {{ {fields} }} }}"))
            .rate
            .unwrap()
    };
    let RateLimit {
        burst,
        interval,
        key,
    } = rate("requests: 100/s");
    let seen = (burst, interval, key);
    assert_eq!(seen, (100, Duration::from_millis(10), RateKey::Everybody));
    assert_eq!(rate("requests: 6/m").burst, 1);
    assert_eq!(rate("requests: 6/m, burst: 3").burst, 3);
    let header = Unit::Header("x-tenant".parse().unwrap());
    let key = rate("requests: 1/s, key: { header: x-tenant }").key;
    assert_eq!(key, RateKey::Unit(header));
    assert_eq!(rate("requests: 1/s, key: address").key, RateKey::Address);
    let fields = "limits: { rate: { requests: 0/s } }";
    refused_with(code::OUT_OF_RANGE, "limits.rate.requests", fields);
    let fields = "limits: { rate: { requests: 1/s, key: { claim: sub } } }";
    refused_with(code::BAD_CLAIM, "limits.rate.key", fields);
}

#[test]
fn a_connection_changes_to_what_the_route_names_and_never_to_http2() {
    let route = with("upgrades: [WebSocket]");
    assert!(route.may_upgrade(b"websocket") && !route.may_upgrade(b"h2c"));
    assert!(!with("timeout: 5s").may_upgrade(b"websocket"));
    for name in ["h2c", "\"a b\""] {
        let fields = format!("upgrades: [{name}]");
        refused_with(code::BAD_MATCH, "upgrades[0]", &fields);
    }
}

#[test]
fn a_shadow_is_an_upstream_with_limits_and_pointers() {
    let with = |fields: &str| {
        format!("{ROUTE}\n    shadow: [{{ backend: {{ upstream: fraud-v2 }}, {fields} }}]")
    };
    for (code, place, fields) in [
        (
            code::BAD_MATCH,
            "compare.ignore[0]",
            "compare: { ignore: [id] }",
        ),
        (
            code::BAD_MATCH,
            "compare.only[1]",
            "compare: { only: [/a, /b~2] }",
        ),
        (
            code::OUT_OF_RANGE,
            "compare.tolerance",
            "compare: { tolerance: 1.5 }",
        ),
        (
            code::OUT_OF_RANGE,
            "compare.cosine",
            "compare: { cosine: 1.5 }",
        ),
        (code::OUT_OF_RANGE, "in_flight", "in_flight: 0"),
        (code::BAD_MATCH, "methods[0]", "methods: [post]"),
    ] {
        let place = format!("routes[0].shadow[0].{place}");
        refused(code, &place, ROUTE, &with(fields));
    }
    let answer = with("").replace("upstream: fraud-v2", "respond: { status: 204 }");
    refused(
        code::BAD_BACKEND,
        "routes[0].shadow[0].backend",
        ROUTE,
        &answer,
    );
    let policy = sample::policy(&[(ROUTE, &with("share: 10%, methods: [POST], body_max: 1KiB"))]);
    let shadow = &policy.routes()[0].shadows[0];
    assert!(shadow.copies(&http::Method::POST, 0.09) && !shadow.copies(&http::Method::POST, 0.1));
    assert!(!shadow.copies(&http::Method::PUT, 0.0));
    assert_eq!((shadow.body_bytes, shadow.in_flight), (1024, 32));
}

#[test]
fn a_shadow_may_be_a_model_that_runs_here() {
    let with = "\n    shadow: [{ backend: { model: digits, version: \"9\" } }]";
    let policy = sample::policy(&[(ROUTE, &format!("{ROUTE}{with}"))]);
    let target = policy.routes()[0].shadows[0].target;
    assert_eq!(policy.backend(&target.into()), "digits/9");
}

//! What finding a route costs: `cargo bench -p policy`.
//!
//! Every table holds routes that differ in one thing only, and every request takes the last but
//! one route, the worst place for a search that asks all routes in order. The last one takes what
//! nobody else takes.

#![expect(
    clippy::expect_used,
    reason = "a bench whose policy does not compile has nothing to measure"
)]

use divan::Bencher;
use divan::counter::ItemsCount;
use http::{HeaderMap, HeaderValue, Method};
use policy::{Policy, Request};

const SIZES: [usize; 3] = [1, 100, 1_000];

fn main() {
    divan::main();
}

/// A policy with `count` routes and one for the rest.
fn policy(count: usize, condition: impl Fn(usize) -> String) -> Policy {
    let route = |name: String, condition: String| {
        format!(
            "  - {{ name: {name}, match: {condition}, allow: [{{ callers: anyone }}], backend: {{ respond: {{ status: 204 }} }} }}\n"
        )
    };
    let routes: String = (0..count)
        .map(|id| route(format!("route-{id}"), condition(id)))
        .collect();
    let rest = route("rest".to_owned(), "{}".to_owned());
    let listeners = "listeners: [{ name: edge, address: \"127.0.0.1:8080\" }]";
    let text = format!("version: wald/v1\n{listeners}\nroutes:\n{routes}{rest}");
    let document = config::read(&text, &|_| None, std::path::Path::new("/")).expect("a document");
    policy::compile(&document).expect("a policy")
}

/// Measures the search for the last but one of `count` routes.
fn measure(bencher: Bencher<'_, '_>, policy: &Policy, host: &str, path: &str, tenant: &str) {
    let mut headers = HeaderMap::new();
    for name in [
        "accept",
        "content-type",
        "user-agent",
        "x-request-id",
        "authorization",
    ] {
        headers.insert(name, HeaderValue::from_static("something"));
    }
    headers.insert("x-tenant", tenant.parse().expect("a value"));
    let listener = policy.listeners()[0].id;
    let request = Request {
        listener,
        host,
        path,
        method: &Method::POST,
        headers: &headers,
        model: policy::Asked::Nothing,
    };
    let last = policy.routes().len() - 2;
    assert_eq!(policy.route(&request).expect("a route").id.index(), last);
    bencher
        .counter(ItemsCount::new(1_usize))
        .bench_local(|| policy.route(divan::black_box(&request)).is_ok());
}

#[divan::bench(args = SIZES)]
fn told_apart_by_path(bencher: Bencher<'_, '_>, count: usize) {
    let policy = policy(count, |id| {
        format!("{{ path: {{ prefix: /v2/models/model-{id} }} }}")
    });
    let path = format!("/v2/models/model-{}/infer", count - 1);
    measure(bencher, &policy, "models.test:8080", &path, "bank");
}

#[divan::bench(args = SIZES)]
fn told_apart_by_host(bencher: Bencher<'_, '_>, count: usize) {
    let policy = policy(count, |id| {
        format!("{{ hosts: [tenant-{id}.models.test] }}")
    });
    let host = format!("tenant-{}.models.test:8080", count - 1);
    measure(bencher, &policy, &host, "/v2/models/fraud/infer", "bank");
}

#[divan::bench(args = SIZES)]
fn told_apart_by_header(bencher: Bencher<'_, '_>, count: usize) {
    let policy = policy(count, |id| {
        format!(
            "{{ path: {{ prefix: /v2/models/fraud }}, headers: {{ x-tenant: {{ exact: tenant-{id} }} }} }}"
        )
    });
    let tenant = format!("tenant-{}", count - 1);
    measure(
        bencher,
        &policy,
        "models.test:8080",
        "/v2/models/fraud/infer",
        &tenant,
    );
}

/// Expressions are filed by what their matches begin with; without that, all would be tried.
#[divan::bench(args = SIZES)]
fn told_apart_by_regex(bencher: Bencher<'_, '_>, count: usize) {
    let policy = policy(count, |id| {
        format!("{{ path: {{ regex: /v2/models/model-{id}/.* }} }}")
    });
    let path = format!("/v2/models/model-{}/infer", count - 1);
    measure(bencher, &policy, "models.test:8080", &path, "bank");
}

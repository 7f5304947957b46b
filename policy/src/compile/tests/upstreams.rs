//! How requests are shared among servers, and how servers are looked after.

use std::time::Duration;

use super::*;
use crate::{Balance, Eviction, Health, Probe, Unit, Upstream};

fn compiled(edits: &[(&str, &str)]) -> Policy {
    compile(&sample::document(edits)).unwrap()
}

fn with(fields: &str) -> Upstream {
    let written = format!("{UPSTREAM}, {fields}");
    compiled(&[(UPSTREAM, &written)]).upstreams()[0].clone()
}

#[track_caller]
fn refused_with(code: Code, field: &str, fields: &str) {
    let written = format!("{UPSTREAM}, {fields}");
    refused(code, &format!("upstreams[0].{field}"), UPSTREAM, &written);
}

#[test]
fn servers_are_chosen_as_the_document_says() {
    let user = Unit::Header("x-user".parse().unwrap());
    for (written, expected) in [
        ("peak_ewma", Balance::PeakEwma),
        ("least_requests", Balance::LeastRequests),
        ("round_robin", Balance::RoundRobin),
        ("{ hash: { header: x-user } }", Balance::Hash(user)),
        (
            "{ hash: { cookie: session } }",
            Balance::Hash(Unit::Cookie("session".into())),
        ),
    ] {
        assert_eq!(with(&format!("balance: {written}")).balance, expected);
    }
    assert_eq!(with("slow_start: 10s").balance, Balance::PeakEwma);
}

#[test]
fn a_key_that_no_request_carries_is_refused() {
    for key in ["{ header: \"a b\" }", "{ cookie: \"a b\" }"] {
        let fields = format!("balance: {{ hash: {key} }}");
        refused_with(code::BAD_UNIT, "balance.hash", &fields);
    }
    let fields = "balance: { hash: { claim: sub } }";
    refused_with(code::BAD_CLAIM, "balance.hash", fields);
}

#[test]
fn an_endpoint_may_weigh_more_and_stand_nearer_than_others() {
    let url = "http://127.0.0.1:8001";
    let written = format!(
        "endpoints: [{{ url: \"{url}\", weight: 3, zone: eu-1a }}, {{ url: \"{url}\", zone: eu-1b }}, \"{url}\"]"
    );
    let zone = ("version: wald/v1", "version: wald/v1\nzone: eu-1a");
    let policy = compiled(&[(UPSTREAM, &written), zone]);
    let seen = policy.upstreams()[0].endpoints.iter();
    let seen: Vec<_> = seen
        .map(|endpoint| (endpoint.weight, endpoint.is_near))
        .collect();
    assert_eq!(seen, [(3, true), (1, false), (1, false)]);
    for weight in ["0", "101"] {
        let heavy = format!("endpoints: [{{ url: \"{url}\", weight: {weight} }}]");
        let path = "upstreams[0].endpoints[0].weight";
        refused(code::OUT_OF_RANGE, path, UPSTREAM, &heavy);
    }
}

#[test]
fn a_health_check_asks_in_one_way_that_its_upstream_speaks() {
    let asked = |fields: &str| with(fields).health.unwrap();
    let Health {
        probe,
        interval,
        timeout,
        healthy,
        unhealthy,
    } = asked("health: { path: /ready?x=1 }");
    assert_eq!(probe, Probe::Http("/ready?x=1".parse().unwrap()));
    let times = [interval, timeout].map(|time| time.as_secs());
    assert_eq!((times, healthy, unhealthy), ([5, 1], 2, 3));
    assert_eq!(asked("health: { tcp: true }").probe, Probe::Tcp);
    let fields = "protocol: http2, health: { grpc: fraud }";
    assert_eq!(asked(fields).probe, Probe::Grpc("fraud".into()));

    for fields in [
        "health: {}",
        "health: { tcp: false }",
        "health: { path: /, tcp: true }",
    ] {
        refused_with(code::BAD_HEALTH, "health", fields);
    }
    refused_with(code::BAD_HEALTH, "health.path", "health: { path: ready }");
    refused_with(code::BAD_HEALTH, "health.grpc", "health: { grpc: fraud }");
    let fields = "health: { path: /, interval: 0s }";
    refused_with(code::OUT_OF_RANGE, "health.interval", fields);
}

#[test]
fn a_server_that_fails_is_set_aside_only_where_the_document_says_so() {
    assert_eq!(with("slow_start: 1s").eviction, None);
    assert_eq!(with("eviction: {}").eviction, Some(Eviction::default()));
    let fields = "eviction: { consecutive_failures: 2, base: 1s, max: 4s }";
    let expected = Eviction {
        consecutive_failures: 2,
        base: Duration::from_secs(1),
        max: Duration::from_secs(4),
    };
    assert_eq!(with(fields).eviction, Some(expected));
    let fields = "eviction: { base: 10s, max: 5s }";
    refused_with(code::OUT_OF_RANGE, "eviction.max", fields);
}

#[test]
fn name_servers_are_addresses() {
    let version = "version: wald/v1";
    let named = |servers: &str| format!("{version}\ndns: {{ servers: [{servers}] }}");
    let policy = compiled(&[(version, &named("10.0.0.2, \"10.0.0.3:5353\", \"::1\""))]);
    let expected = ["10.0.0.2:53", "10.0.0.3:5353", "[::1]:53"];
    assert_eq!(
        policy.dns_servers(),
        expected.map(|text| text.parse().unwrap())
    );
    refused(code::NOTHING_THERE, "dns.servers", version, &named(""));
    refused(code::BAD_ADDRESS, "dns.servers[0]", version, &named("a.b"));
}

//! TLS that fits together compiles, and what does not is refused where it is written.

use super::*;
use crate::SpiffeId;
use crate::tls::{Clients, Name, Server};

const OWN: &str = "certificate: { chain: a.pem, key: a.key }";
const TRUST: &str = "trust: [ca.pem]";
const PLAIN: &str = "http://127.0.0.1:8001";

fn listener(tls: &str) -> String {
    format!("{{ name: edge, address: \"127.0.0.1:8080\", tls: {{ {tls} }} }}")
}

fn upstream(rest: &str) -> String {
    format!("endpoints: [\"https://127.0.0.1:8001\"], {rest}")
}

#[track_caller]
fn refused_listener(path: &str, tls: &str) {
    let path = format!("listeners[0].tls{path}");
    refused(code::BAD_TLS, &path, LISTENER, &listener(tls));
}

#[track_caller]
fn refused_upstream(path: &str, rest: &str) {
    let path = format!("upstreams[0].{path}");
    refused(code::BAD_TLS, &path, UPSTREAM, &upstream(rest));
}

#[track_caller]
fn compiled(old: &str, new: &str) -> Policy {
    compile(&sample::document(&[(old, new)])).unwrap()
}

#[test]
fn a_listener_knows_its_certificates_and_whom_it_believes() {
    let written = listener(&format!(
        "{OWN}, certificates: [{{ chain: b.pem, key: b.key }}], clients: optional, crl: [c.crl], \
         trust: [ca.pem, {{ domain: bank.example, bundle: bank.pem }}], minimum: \"1.2\""
    ));
    let policy = compiled(LISTENER, &written);
    let tls = policy.listeners()[0].tls.as_ref().unwrap();
    let Clients::Known(trust) = &tls.clients else {
        panic!("clients are not asked for certificates");
    };
    let domains: Vec<_> = trust
        .bundles
        .iter()
        .map(|it| it.domain.as_deref())
        .collect();
    assert_eq!(domains, [None, Some("bank.example")]);
    assert!(trust.optional && tls.tls12);
    let files = tls.files().filter_map(|file| file.file_name()?.to_str());
    let expected = [
        "a.pem", "a.key", "b.pem", "b.key", "ca.pem", "bank.pem", "c.crl",
    ];
    assert_eq!(files.collect::<Vec<_>>(), expected);
}

#[test]
fn a_listener_without_a_certificate_has_nothing_to_show() {
    let none = listener("clients: none");
    refused(code::NOTHING_THERE, "listeners[0].tls", LISTENER, &none);
}

#[test]
fn what_a_listener_says_about_clients_fits_together() {
    refused_listener(".clients", &format!("{OWN}, clients: required"));
    refused_listener(".trust", &format!("{OWN}, {TRUST}"));
    refused_listener(".crl", &format!("{OWN}, clients: none, crl: [c.crl]"));
    refused_listener(".minimum", &format!("{OWN}, minimum: \"1.1\""));
    for domain in [
        "spiffe://bank.example",
        "bank.example/a",
        "Bank.example",
        "",
    ] {
        let trust = format!("[{{ domain: \"{domain}\", bundle: ca.pem }}]");
        let tls = format!("{OWN}, clients: required, trust: {trust}");
        refused_listener(".trust[0].domain", &tls);
    }
}

#[test]
fn an_upstream_is_a_workload_or_a_name_or_its_host() {
    let id: SpiffeId = "spiffe://bank.example/fraud".parse().unwrap();
    for (rest, name) in [
        ("tls: { trust: [ca.pem] }", Name::Host),
        ("tls: { dns_name: a.test }", Name::Dns("a.test".into())),
        (
            "tls: { trust: [ca.pem], spiffe_id: \"spiffe://bank.example/fraud\" }",
            Name::Spiffe(id),
        ),
    ] {
        let policy = compiled(UPSTREAM, &upstream(rest));
        let tls = policy.upstreams()[0].tls.as_ref().unwrap();
        let Server::Named { name: found, .. } = &tls.server else {
            panic!("anyone is believed");
        };
        assert_eq!(*found, name, "{rest}");
    }
}

#[test]
fn an_insecure_upstream_is_warned_about() {
    let edits = [(UPSTREAM, &*upstream("insecure: true"))];
    warned(code::INSECURE, "upstreams[0].insecure", &edits);
    let policy = compiled(UPSTREAM, &upstream("insecure: true"));
    let tls = policy.upstreams()[0].tls.as_ref().unwrap();
    assert_eq!(tls.server, Server::Anyone);
}

#[test]
fn what_is_said_about_an_upstream_fits_together() {
    refused_upstream("tls.spiffe_id", "tls: { spiffe_id: \"spiffe://b/a\" }");
    refused_upstream(
        "tls.spiffe_id",
        "tls: { trust: [a], spiffe_id: \"https://b\" }",
    );
    let both = "tls: { trust: [a], spiffe_id: \"spiffe://b/a\", dns_name: b }";
    refused_upstream("tls", both);
    refused_upstream("tls.dns_name", "tls: { dns_name: \"a b\" }");
    refused_upstream("tls.trust", "insecure: true, tls: { trust: [a] }");
}

#[test]
fn tls_is_not_promised_where_it_is_not_spoken() {
    for (field, value) in [("tls", "{ trust: [a] }"), ("insecure", "true")] {
        let plain = format!("{UPSTREAM}, {field}: {value}");
        let path = format!("upstreams[0].{field}");
        refused(code::BAD_TLS, &path, UPSTREAM, &plain);
    }
    let mixed = format!("endpoints: [\"{PLAIN}\", \"https://127.0.0.1:8002\"]");
    refused(code::BAD_TLS, "upstreams[0].endpoints", UPSTREAM, &mixed);
}

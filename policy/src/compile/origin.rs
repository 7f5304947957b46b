//! Whose word about a connection or a request is taken.

use std::net::IpAddr;

use config::document::{ClientCertificates, ProxyProtocol, Tls};
use config::{Path, code};
use ipnet::IpNet;

use super::Report;
use crate::{Forwarders, Networks};

/// Whoever may open the listener's Unix socket.
const UNIX: &str = "unix";

/// Whose PROXY headers are taken.
pub(super) fn balancers(
    report: &mut Report<'_>,
    path: &Path,
    written: &ProxyProtocol,
    is_unix: bool,
) -> Option<Networks> {
    let path = path.field("trusted");
    if written.trusted.is_empty() {
        let message = "no balancer is trusted, so no connection could come";
        let remedy = "name their networks, for example [10.0.0.0/8]";
        report.error(code::NOTHING_THERE, &path, message, remedy);
        return None;
    }
    let mut networks = Networks::default();
    for (position, text) in written.trusted.iter().enumerate() {
        let path = path.index(position);
        if !network(report, &path, text, is_unix, &mut networks) {
            let remedy = "write a network, for example 10.0.0.0/8, or `unix`";
            let message = format!("{text:?} is no network");
            report.error(code::BAD_ADDRESS, &path, message, remedy);
        }
    }
    Some(networks)
}

/// Whose forwarding fields are believed.
pub(super) fn forwarders(
    report: &mut Report<'_>,
    path: &Path,
    written: &[String],
    is_unix: bool,
    proves: bool,
) -> Forwarders {
    let mut forwarders = Forwarders::default();
    for (position, text) in written.iter().enumerate() {
        let path = path.index(position);
        if network(report, &path, text, is_unix, &mut forwarders.networks) {
            continue;
        }
        match text.parse() {
            Ok(_) if !proves => {
                let message =
                    "this listener asks for no client certificate, so nobody can prove that id";
                let remedy =
                    "give it `tls` with `clients: required` or `optional`, or name a network";
                report.error(code::BAD_CALLER, &path, message, remedy);
            }
            Ok(pattern) => forwarders.callers.push(pattern),
            Err(_) => {
                let message = format!("{text:?} is neither a network nor a SPIFFE id");
                let remedy = "write, for example, 10.0.0.0/8 or spiffe://bank.example/edge/**";
                report.error(code::BAD_CALLER, &path, message, remedy);
            }
        }
    }
    forwarders
}

/// Whether a listener lets its clients prove which workload they are.
pub(super) fn proves_workloads(tls: &Tls) -> bool {
    let clients = tls.clients.as_ref();
    clients.is_some_and(|clients| *clients != ClientCertificates::None)
}

/// Adds what is written as a network; false if it is written as none.
fn network(
    report: &mut Report<'_>,
    path: &Path,
    text: &str,
    is_unix: bool,
    networks: &mut Networks,
) -> bool {
    if text == UNIX {
        if !is_unix {
            let message = "`unix` is about listeners on a Unix socket, and this one is none";
            report.error(code::BAD_ADDRESS, path, message, "name a network");
        }
        networks.unix = true;
        return true;
    }
    let alone = text.parse::<IpAddr>().map(IpNet::from);
    let Some(prefix) = text.parse().ok().or(alone.ok()) else {
        return false;
    };
    if prefix.prefix_len() == 0 {
        let message = format!("{text} is everybody, whose word is worth nothing");
        let remedy = "name the networks of your own proxies";
        report.warning(code::BAD_ADDRESS, path, message, remedy);
    }
    networks.prefixes.push(prefix);
    true
}

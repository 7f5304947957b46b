//! How servers are asked whether they are well.

use config::document;
use config::{Path, code};
use std::time::Duration;

use super::Report;
use crate::{Health, Probe, Protocol};

const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);
const HEALTHY: u32 = 2;
const UNHEALTHY: u32 = 3;

/// Compiles the `health` of an upstream whose servers speak `protocol`.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Health,
    protocol: Protocol,
) -> Option<Health> {
    let document::Health {
        path: target,
        grpc,
        tcp,
        interval,
        timeout,
        healthy,
        unhealthy,
    } = written;
    let path = path.field("health");
    let probe = match (target, grpc, tcp) {
        (Some(target), None, None) => http(report, &path.field("path"), target),
        (None, Some(service), None) => grpc_probe(report, &path.field("grpc"), service, protocol),
        (None, None, Some(true)) => Some(Probe::Tcp),
        _ => {
            let message = "a health check asks in exactly one way";
            let remedy = "write one of `path: /ready`, `grpc: SERVICE` and `tcp: true`";
            report.error(code::BAD_HEALTH, &path, message, remedy);
            None
        }
    };
    let interval = interval.map(|time| time.0);
    let timeout = timeout.map(|time| time.0);
    Some(Health {
        interval: report.positive(&path, "interval", interval, INTERVAL),
        timeout: report.positive(&path, "timeout", timeout, TIMEOUT),
        healthy: report.positive(&path, "healthy", *healthy, HEALTHY),
        unhealthy: report.positive(&path, "unhealthy", *unhealthy, UNHEALTHY),
        probe: probe?,
    })
}

fn http(report: &mut Report<'_>, path: &Path, target: &str) -> Option<Probe> {
    let parsed = target.starts_with('/').then(|| target.parse().ok());
    let parsed = parsed.flatten();
    if parsed.is_none() {
        let message = format!("{target:?} is no path");
        let remedy = "write a path, for example /v2/health/ready";
        report.error(code::BAD_HEALTH, path, message, remedy);
    }
    parsed.map(Probe::Http)
}

fn grpc_probe(
    report: &mut Report<'_>,
    path: &Path,
    service: &str,
    protocol: Protocol,
) -> Option<Probe> {
    if protocol == Protocol::Http1 {
        let message = "gRPC needs HTTP/2, and this upstream speaks HTTP/1.1";
        let remedy = "add `protocol: http2` to the upstream, or ask by `path` or `tcp`";
        report.error(code::BAD_HEALTH, path, message, remedy);
        return None;
    }
    Some(Probe::Grpc(service.into()))
}

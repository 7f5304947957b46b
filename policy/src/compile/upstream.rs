//! Upstreams: where they are, what they speak, what is asked of them.

mod dns;
mod endpoint;
mod health;

use std::time::Duration;

use config::document;
use config::{Path, code};

pub(super) use dns::dns_servers;

use super::{Report, Scope, allow, authorization, experiment, tls};
use crate::{Balance, Eviction, Protocol, Timeouts, Unit, Upstream, UpstreamId, UpstreamLimits};

/// The part of the servers that must be well, unless the document says otherwise: Envoy's default, too.
const PANIC_THRESHOLD: f64 = 0.5;

/// Compiles one upstream.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Upstream,
) -> Option<Upstream> {
    let document::Upstream {
        name,
        endpoints,
        protocol,
        region,
        balance,
        tls,
        timeouts,
        health,
        eviction,
        panic_threshold,
        slow_start,
        limits,
        insecure,
        authorization,
    } = written;
    let balance = self::balance(scope, &path.field("balance"), balance.as_ref());
    let zone = scope.document.zone.as_deref();
    let report = &mut scope.report;
    report.not_built(path, "region", region.is_some());
    let protocol = self::protocol(protocol.as_ref());
    let health = match health {
        Some(written) => Some(health::compile(report, path, written, protocol)?),
        None => None,
    };
    let eviction = eviction
        .as_ref()
        .map(|written| self::eviction(report, path, written));
    let endpoints = endpoint::list(report, &path.field("endpoints"), endpoints, zone);
    let insecure = *insecure == Some(true);
    // Without endpoints nothing can be said about TLS.
    let tls = endpoints
        .as_ref()
        .and_then(|known| tls::client(report, path, known, tls.as_ref(), insecure));
    let known = endpoints.as_deref().unwrap_or_default();
    let field = path.field("authorization");
    let authorization = match authorization {
        Some(written) => Some(authorization::compile(report, &field, written, known)?),
        None => None,
    };
    Some(Upstream {
        authorization,
        id: UpstreamId(position),
        name: name.as_str().into(),
        protocol,
        balance: balance?,
        health,
        eviction,
        panic_threshold: panic_threshold.map_or(PANIC_THRESHOLD, |share| share.value()),
        slow_start: slow_start.map_or(Duration::ZERO, |time| time.0),
        timeouts: timeouts.as_ref().map_or_else(Timeouts::default, |written| {
            self::timeouts(report, path, written)
        }),
        limits: limits
            .as_ref()
            .map_or_else(UpstreamLimits::default, |written| {
                self::limits(report, path, written)
            }),
        tls,
        endpoints: endpoints?,
    })
}

fn protocol(written: Option<&document::Protocol>) -> Protocol {
    match written {
        None | Some(document::Protocol::Http1) => Protocol::Http1,
        Some(document::Protocol::Http2) => Protocol::Http2,
    }
}

fn balance(
    scope: &mut Scope<'_>,
    path: &Path,
    written: Option<&document::Balance>,
) -> Option<Balance> {
    let key = match written {
        None | Some(document::Balance::PeakEwma) => return Some(Balance::PeakEwma),
        Some(document::Balance::LeastRequests) => return Some(Balance::LeastRequests),
        Some(document::Balance::RoundRobin) => return Some(Balance::RoundRobin),
        Some(document::Balance::Hash(key)) => key,
    };
    let path = path.field("hash");
    let unit = match key {
        document::HashKey::Claim(name) => allow::claim(scope, &path, name).map(Unit::Claim),
        document::HashKey::Header(name) => {
            experiment::header(&mut scope.report, &path, name).map(Unit::Header)
        }
        document::HashKey::Cookie(name) => experiment::cookie(&mut scope.report, &path, name),
    };
    unit.map(Balance::Hash)
}

fn eviction(report: &mut Report<'_>, path: &Path, written: &document::Eviction) -> Eviction {
    let document::Eviction {
        consecutive_failures,
        base,
        max,
    } = written;
    let (path, default) = (path.field("eviction"), Eviction::default());
    let base = base.map(|time| time.0);
    let max = max.map(|time| time.0);
    let eviction = Eviction {
        consecutive_failures: report.positive(
            &path,
            "consecutive_failures",
            *consecutive_failures,
            default.consecutive_failures,
        ),
        base: report.positive(&path, "base", base, default.base),
        max: report.positive(&path, "max", max, default.max),
    };
    if eviction.max < eviction.base {
        let message = "`max` is shorter than `base`";
        let remedy = "write a longer `max`, or a shorter `base`";
        report.error(code::OUT_OF_RANGE, &path.field("max"), message, remedy);
    }
    eviction
}

fn timeouts(report: &mut Report<'_>, path: &Path, written: &document::Timeouts) -> Timeouts {
    let document::Timeouts {
        connect,
        response,
        idle,
        queue,
    } = written;
    let (path, default) = (path.field("timeouts"), Timeouts::default());
    Timeouts {
        connect: report.positive(
            &path,
            "connect",
            connect.map(|time| time.0),
            default.connect,
        ),
        response: report.positive(
            &path,
            "response",
            response.map(|time| time.0),
            default.response,
        ),
        idle: report.positive(&path, "idle", idle.map(|time| time.0), default.idle),
        queue: report.positive(&path, "queue", queue.map(|time| time.0), default.queue),
    }
}

fn limits(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::UpstreamLimits,
) -> UpstreamLimits {
    let document::UpstreamLimits {
        connections,
        in_flight,
        queued,
    } = written;
    let (path, default) = (path.field("limits"), UpstreamLimits::default());
    UpstreamLimits {
        queued: queued.unwrap_or(default.queued),
        connections: report.positive(&path, "connections", *connections, default.connections),
        in_flight: report.positive(&path, "in_flight", *in_flight, default.in_flight),
    }
}

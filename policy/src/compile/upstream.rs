//! Upstreams and their endpoints.

use config::document::{self, Balance};
use config::{Path, code};
use http::Uri;

use super::{Report, Scope, authorization, tls};
use crate::{Endpoint, Protocol, Timeouts, Upstream, UpstreamId, UpstreamLimits};

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
        limits,
        insecure,
        authorization,
    } = written;
    let report = &mut scope.report;
    self::balance(report, path, balance.as_ref());
    report.not_built(path, "region", region.is_some());
    report.not_built(path, "health", health.is_some());
    report.not_built(path, "eviction", eviction.is_some());
    let endpoints = self::endpoints(report, &path.field("endpoints"), endpoints);
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
        protocol: match protocol {
            None | Some(document::Protocol::Http1) => Protocol::Http1,
            Some(document::Protocol::Http2) => Protocol::Http2,
        },
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

fn balance(report: &mut Report<'_>, path: &Path, written: Option<&Balance>) {
    let what = match written {
        None | Some(Balance::RoundRobin) => return,
        Some(Balance::PeakEwma) => "`peak_ewma`",
        Some(Balance::LeastRequests) => "`least_requests`",
        Some(Balance::Hash(_)) => "`hash`",
    };
    report.not_built_value(&path.field("balance"), what);
}

fn timeouts(report: &mut Report<'_>, path: &Path, written: &document::Timeouts) -> Timeouts {
    let document::Timeouts {
        connect,
        response,
        idle,
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
    report.not_built(&path, "queued", queued.is_some());
    UpstreamLimits {
        connections: report.positive(&path, "connections", *connections, default.connections),
        in_flight: report.positive(&path, "in_flight", *in_flight, default.in_flight),
    }
}

fn endpoints(report: &mut Report<'_>, path: &Path, written: &[String]) -> Option<Vec<Endpoint>> {
    if written.is_empty() {
        let remedy = "name at least one, for example [http://127.0.0.1:8001]";
        report.error(
            code::NOTHING_THERE,
            path,
            "the upstream has no endpoint",
            remedy,
        );
    }
    let endpoint = |(position, url): (usize, &String)| endpoint(report, &path.index(position), url);
    let endpoints: Vec<_> = written.iter().enumerate().map(endpoint).collect();
    endpoints
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|endpoints| !endpoints.is_empty())
}

fn endpoint(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Endpoint> {
    let parsed = written.parse::<Uri>().ok();
    let endpoint = parsed.as_ref().and_then(address);
    if endpoint.is_none() {
        let message = format!("{written:?} is not the address of a server");
        report.error(
            code::BAD_ADDRESS,
            path,
            message,
            "write http://HOST:PORT or https://HOST:PORT, without user, path or query",
        );
    }
    endpoint
}

/// Host and port of an `http://` or `https://` address.
fn address(url: &Uri) -> Option<Endpoint> {
    let (secure, usual) = match url.scheme_str()? {
        "http" => (false, 80),
        "https" => (true, 443),
        _ => return None,
    };
    let authority = url
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))?;
    let host = Some(authority.host()).filter(|host| !host.is_empty())?;
    // A port that is no port makes `port_u16` none, as does none at all.
    let port = if authority.as_str() == host {
        usual
    } else {
        authority.port_u16()?
    };
    let bare = url
        .path_and_query()
        .is_none_or(|rest| rest.as_str() == "/" || rest.as_str().is_empty());
    bare.then(|| Endpoint {
        authority: format!("{host}:{port}"),
        secure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(
            url.parse()
                .ok()
                .as_ref()
                .and_then(address)
                .map(|endpoint| endpoint.authority)
                .as_deref(),
            expected,
            "{url}"
        );
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        check("http://127.0.0.1:8001", Some("127.0.0.1:8001"));
        check("http://models.test/", Some("models.test:80"));
        check("https://models.test", Some("models.test:443"));
        check("http://[::1]:8001", Some("[::1]:8001"));
    }

    #[test]
    fn an_endpoint_has_nothing_else() {
        for url in [
            "127.0.0.1:8001",
            "http://",
            "http://a/b",
            "http://a/?b",
            "http://u@a",
            "http://a:0x",
            "ftp://a",
        ] {
            check(url, None);
        }
    }
}

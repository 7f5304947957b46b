//! What metrics say about TLS: how handshakes ended, until when certificates are good, who is believed blindly.

use std::collections::BTreeMap;

use policy::tls::Server;
use prometheus::proto::{MetricFamily, MetricType};

use super::{Counters, counter, family, gauge};
use crate::live::Snapshot;

/// The families of TLS.
pub(super) fn families(counters: &Counters, snapshot: &Snapshot) -> Vec<MetricFamily> {
    let handshakes = counters.handshakes.iter();
    let handshakes = handshakes.map(|((listener, outcome), count)| {
        counter(&[("listener", listener), ("outcome", outcome)], *count)
    });
    let proxy_headers = counters.proxy_headers.iter();
    let proxy_headers = proxy_headers.map(|((listener, outcome), count)| {
        counter(&[("listener", listener), ("outcome", outcome)], *count)
    });
    // Files of one name, and lists in one file, share a line: the first to end is the one that matters.
    let mut ends = BTreeMap::new();
    for paper in snapshot.credentials.papers() {
        let end = ends.entry(paper.name()).or_insert(paper.until);
        *end = paper.until.min(*end);
    }
    let upstreams = snapshot.policy.upstreams().iter();
    let insecure = upstreams.filter(|upstream| {
        let server = upstream.tls.as_ref().map(|tls| &tls.server);
        server == Some(&Server::Anyone)
    });
    vec![
        family(
            "wald_tls_handshakes_total",
            "TLS handshakes with clients, by how they ended.",
            MetricType::COUNTER,
            handshakes,
        ),
        family(
            "wald_proxy_headers_total",
            "Connections of a listener that wants PROXY headers, by what they began with.",
            MetricType::COUNTER,
            proxy_headers,
        ),
        family(
            "wald_certificate_expiry_timestamp_seconds",
            "Until when a certificate, a bundle or a revocation list is good.",
            MetricType::GAUGE,
            ends.iter()
                .map(|(name, end)| gauge(&[("name", name)], seconds(*end))),
        ),
        family(
            "wald_upstream_insecure",
            "1 for an upstream that is believed whoever it is.",
            MetricType::GAUGE,
            insecure.map(|upstream| gauge(&[("upstream", &upstream.name)], 1.0)),
        ),
    ]
}

/// Prometheus counts in floating point, which is exact for dates.
#[expect(
    clippy::cast_precision_loss,
    reason = "dates are far below 2⁵³ seconds"
)]
fn seconds(since_1970: i64) -> f64 {
    since_1970 as f64
}

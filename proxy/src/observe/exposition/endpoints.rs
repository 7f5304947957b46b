//! How the servers of upstreams are doing.

use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::{counter, family, float, gauge};
use crate::live::Snapshot;
use crate::observe::Counters;
use crate::observe::endpoints::{Doing, endpoints};

/// Five families; they are empty where there are no upstreams.
pub(super) fn families(counters: &Counters, snapshot: &Snapshot) -> Vec<MetricFamily> {
    let doing = endpoints(snapshot, counters);
    let each = |value: fn(&Doing<'_>) -> f64| {
        doing
            .iter()
            .map(|doing| labelled(doing, |labels| gauge(labels, value(doing))))
            .collect::<Vec<_>>()
    };
    let evictions = doing
        .iter()
        .map(|doing| labelled(doing, |labels| counter(labels, doing.seen.evictions)));
    let panicking = counters.panicking.iter().map(|(upstream, workers)| {
        let is_panicking = f64::from(u8::from(*workers > 0));
        gauge(&[("upstream", upstream)], is_panicking)
    });
    vec![
        family(
            "wald_upstream_endpoint_healthy",
            "1 while health checks pass and no worker has set the endpoint aside.",
            MetricType::GAUGE,
            each(|doing| f64::from(u8::from(doing.is_healthy()))),
        ),
        family(
            "wald_upstream_endpoint_in_flight_requests",
            "Requests without a whole answer.",
            MetricType::GAUGE,
            each(|doing| float(doing.seen.in_flight)),
        ),
        family(
            "wald_upstream_endpoint_requests_total",
            "Tries since the endpoint came, by whether it answered that it can serve.",
            MetricType::COUNTER,
            doing.iter().flat_map(answers),
        ),
        family(
            "wald_upstream_endpoint_evictions_total",
            "How often workers have set the endpoint aside since it came.",
            MetricType::COUNTER,
            evictions,
        ),
        family(
            "wald_upstream_panic",
            "1 while so few endpoints are well that all are used.",
            MetricType::GAUGE,
            panicking,
        ),
    ]
}

fn answers(doing: &Doing<'_>) -> [Metric; 2] {
    let address = doing.member.address.to_string();
    let outcomes = [
        ("answered", doing.seen.answered),
        ("failed", doing.seen.failed),
    ];
    outcomes.map(|(outcome, count)| {
        let labels = [
            ("upstream", &*doing.upstream.name),
            ("endpoint", &address),
            ("outcome", outcome),
        ];
        counter(&labels, count)
    })
}

fn labelled(doing: &Doing<'_>, metric: impl FnOnce(super::Labels<'_>) -> Metric) -> Metric {
    let address = doing.member.address.to_string();
    metric(&[("upstream", &doing.upstream.name), ("endpoint", &address)])
}

//! Shadows: what became of copies, and how often the answers agree.

use prometheus::proto::{MetricFamily, MetricType};

use super::super::counters::Counters;
use super::{counter, family, gauge};
use crate::shadow;

pub(super) fn families(counters: &Counters, shadows: &[shadow::Shown]) -> [MetricFamily; 2] {
    let copies = counters
        .shadows
        .iter()
        .map(|((route, backend, outcome), count)| {
            let labels = [
                ("route", &**route),
                ("backend", backend),
                ("outcome", outcome),
            ];
            counter(&labels, *count)
        });
    let ratios = shadows.iter().filter_map(|shown| {
        let run = shown.run.map(|run| run.to_string());
        let mut labels = vec![("route", &*shown.route), ("backend", &*shown.backend)];
        if let Some(run) = &run {
            labels.push(("run", run));
        }
        if let Some(against) = &shown.against {
            labels.push(("against", against));
        }
        Some(gauge(&labels, shown.agreement.estimate?))
    });
    [
        family(
            "wald_shadow_requests_total",
            "Copies of requests, by what became of them.",
            MetricType::COUNTER,
            copies,
        ),
        family(
            "wald_shadow_agreement_ratio",
            "The part of compared answers that agree.",
            MetricType::GAUGE,
            ratios,
        ),
    ]
}

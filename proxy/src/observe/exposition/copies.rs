//! Shadows: what became of copies, and how often the answers agree.

use prometheus::proto::{MetricFamily, MetricType};

use super::super::counters::Counters;
use super::{counter, family, gauge};
use crate::shadow;

pub(super) fn families(counters: &Counters, shadows: &[shadow::Shown]) -> [MetricFamily; 3] {
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
    let shown: Vec<_> = shadows.iter().map(|shown| (labels(shown), shown)).collect();
    let ratios = shown
        .iter()
        .filter_map(|(labels, shown)| Some(gauge(&borrowed(labels), shown.agreement.estimate?)));
    let too_large = shown
        .iter()
        .map(|(labels, shown)| counter(&borrowed(labels), shown.too_large));
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
        family(
            "wald_shadow_too_large_total",
            "Pairs of answers that say more than may be held, once their encoding is undone.",
            MetricType::COUNTER,
            too_large,
        ),
    ]
}

fn labels(shown: &shadow::Shown) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        ("route", shown.route.clone()),
        ("backend", shown.backend.clone()),
    ];
    labels.extend(shown.run.map(|run| ("run", run.to_string())));
    labels.extend(shown.against.clone().map(|arm| ("against", arm)));
    labels
}

fn borrowed<'a>(labels: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let borrow = |(name, value): &'a (&'static str, String)| (*name, &**value);
    labels.iter().map(borrow).collect()
}

//! How deliveries of events go, and how far each webhook is behind.

use prometheus::proto::{MetricFamily, MetricType};

use super::{counter, family, float, gauge};
use crate::webhooks::Shown;

/// Both families; they are empty where nobody is sent anything.
pub(super) fn families(webhooks: &[Shown]) -> [MetricFamily; 2] {
    let deliveries = webhooks.iter().flat_map(|it| {
        let outcomes = [
            ("delivered", it.delivered),
            ("failed", it.failed),
            ("refused", it.refused),
        ];
        outcomes
            .map(|(outcome, count)| counter(&[("webhook", &*it.name), ("outcome", outcome)], count))
    });
    let lags = webhooks.iter();
    let lags = lags.map(|it| gauge(&[("webhook", &*it.name)], float(it.lag)));
    [
        family(
            "wald_webhook_deliveries_total",
            "Tries to deliver an event: taken, failed and repeated, refused for good.",
            MetricType::COUNTER,
            deliveries,
        ),
        family(
            "wald_webhook_lag_records",
            "Records of the audit trail that the webhook has not come to yet.",
            MetricType::GAUGE,
            lags,
        ),
    ]
}

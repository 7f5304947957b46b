//! How old the keys of issuers are, and how fetching them goes.

use std::time::Duration;

use policy::{Issuer, KeySource};
use prometheus::proto::{Metric, MetricFamily, MetricType};

use super::{counter, family, gauge};
use crate::identify::key_servers::Standing;
use crate::live::Snapshot;

/// Both families; they are empty where no tokens are believed.
pub(super) fn families(standings: &[Standing], snapshot: &Snapshot) -> [MetricFamily; 2] {
    let refreshes = standings.iter().flat_map(refreshes);
    let issuers = snapshot.policy.issuers().iter();
    let ages = issuers.filter_map(|issuer| {
        let age = age(issuer, standings, snapshot)?;
        Some(gauge(&[("issuer", &issuer.name)], age.as_secs_f64()))
    });
    [
        family(
            "wald_key_set_refreshes_total",
            "Fetches of an issuer's keys from its server.",
            MetricType::COUNTER,
            refreshes,
        ),
        family(
            "wald_key_set_age_seconds",
            "Time since the issuer's keys were last read or confirmed.",
            MetricType::GAUGE,
            ages,
        ),
    ]
}

fn refreshes(standing: &Standing) -> [Metric; 3] {
    let outcomes = [
        ("changed", standing.changed),
        ("unchanged", standing.unchanged),
        ("failed", standing.failed),
    ];
    outcomes.map(|(outcome, count)| {
        let labels = [("issuer", &*standing.issuer), ("outcome", outcome)];
        counter(&labels, count)
    })
}

/// How long ago the issuer's keys were last read or confirmed; none until there are keys.
pub(crate) fn age(
    issuer: &Issuer,
    standings: &[Standing],
    snapshot: &Snapshot,
) -> Option<Duration> {
    match issuer.keys {
        KeySource::File(_) => {
            let read = snapshot.key_sets.of(issuer.id)?.read();
            Some(read.elapsed().unwrap_or_default())
        }
        KeySource::Url(_) => {
            let mut standings = standings.iter();
            let its = standings.find(|standing| standing.issuer == issuer.name)?;
            its.fetched.map(|fetched| fetched.elapsed())
        }
    }
}

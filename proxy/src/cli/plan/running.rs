//! What the control is like in a running wald: baselines by the address of its admin listener.

use policy::Experiment;

use super::normal;
use super::scenario::{Baseline, Wrong};
use super::world::Shape;
use crate::cli::admin::Credentials;
use crate::cli::experiment;

/// The control's estimates of the experiment of the same name, for metrics that were observed.
pub(super) fn baselines(
    admin: &str,
    credentials: &Credentials,
    wanted: &Experiment,
) -> Result<Vec<Baseline>, Wrong> {
    let path = format!("/api/v1/experiments/{}", wanted.name);
    let asked = async { credentials.open(admin).await?.get(&path).await };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Wrong::Runtime)?;
    let told: experiment::Experiment = runtime.block_on(asked).map_err(|source| Wrong::Admin {
        admin: admin.to_owned(),
        source,
    })?;
    Ok(of(&told, wanted))
}

fn of(told: &experiment::Experiment, wanted: &Experiment) -> Vec<Baseline> {
    let metrics = wanted.design.metrics.iter().zip(&wanted.observations);
    let known = metrics.filter_map(|(metric, &observe)| {
        let seen = told.metrics.iter().find(|seen| seen.name == metric.name)?;
        let (shape, _, spread) = Shape::assumed(metric.kind, observe);
        let value = value(metric.kind, shape, seen.estimate.control?, spread)?;
        let metric = metric.name.clone();
        Some(Baseline {
            metric,
            value,
            spread: None,
        })
    });
    known.collect()
}

/// The number that a shape is told by: reports say quantiles and rates of exceeding, where a plan wants the
/// median of durations.
fn value(kind: stats::Kind, shape: Shape, estimate: f64, spread: f64) -> Option<f64> {
    match (kind, shape) {
        (stats::Kind::Quantile { at }, _) => Some(estimate / (spread * normal::quantile(at)).exp()),
        (_, Shape::Above { limit }) => (estimate > 0.0 && estimate < 1.0)
            .then(|| limit / (spread * normal::quantile(1.0 - estimate)).exp()),
        (_, Shape::Rate) => (estimate > 0.0 && estimate < 1.0).then_some(estimate),
        _ => Some(estimate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stats::Kind;

    #[track_caller]
    fn check(kind: Kind, shape: Shape, estimate: f64, expected: Option<f64>) {
        let found = value(kind, shape, estimate, 0.5);
        let close = match (found, expected) {
            (Some(found), Some(expected)) => (found / expected - 1.0).abs() < 1e-3,
            (found, expected) => found == expected,
        };
        assert!(close, "{kind:?}: {found:?}");
    }

    #[test]
    fn a_report_is_read_as_what_a_plan_is_told() {
        // e^(0.5 · 2.326) = 3.2: so far lies the 99th percentile above the median.
        check(
            Kind::Quantile { at: 0.99 },
            Shape::Duration,
            0.32,
            Some(0.1),
        );
        let limit = 0.25;
        let slo = Kind::Exceedance { limit };
        check(slo, Shape::Above { limit }, 0.01, Some(0.25 / 3.2));
        check(slo, Shape::Above { limit }, 0.0, None);
        check(Kind::Proportion, Shape::Rate, 0.02, Some(0.02));
        check(Kind::Proportion, Shape::Rate, 0.0, None);
    }
}

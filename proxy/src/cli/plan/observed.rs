//! What the control was like in a recording: baselines that nobody has to guess.

use std::fs::File;
use std::path::Path;

use policy::Experiment;

use super::scenario::{Baseline, Wrong};
use super::world::Shape;
use crate::cli::judge::{self, Rows, What};

/// The control's values in a recording, summed up one row at a time.
pub(super) fn baselines(path: &Path, experiment: &Experiment) -> Result<Vec<Baseline>, Wrong> {
    let file = File::open(path).map_err(|source| judge::Wrong::Open {
        path: path.to_owned(),
        source,
    })?;
    let design = &experiment.design.metrics;
    let mut sums = vec![Sums::default(); design.len()];
    for row in Rows::new(file, experiment)? {
        let row = row?;
        if let (0, What::Value { metric, y, beside }) = (row.arm, row.what)
            && let Some(sums) = sums.get_mut(metric)
        {
            sums.add(experiment.capped(metric, y), beside.unwrap_or(1.0));
        }
    }
    let told = design.iter().zip(&experiment.observations).zip(sums);
    let told = told.filter_map(|((metric, &observe), sums)| {
        let (shape, ..) = Shape::assumed(metric.kind, observe);
        sums.baseline(&metric.name, shape)
    });
    let told: Vec<Baseline> = told.collect();
    if told.is_empty() {
        return Err(Wrong::NothingObserved {
            path: path.to_owned(),
        });
    }
    Ok(told)
}

/// Sums of what was observed, as numbers and as logarithms.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    plain: Moments,
    logs: Moments,
    /// Of the numbers beside them.
    beside: Moments,
    /// Of the logarithms of one by the other.
    ratios: Moments,
}

#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    n: f64,
    mean: f64,
    /// Squared deviations from the mean (Welford 1962).
    square: f64,
}

impl Sums {
    fn add(&mut self, y: f64, beside: f64) {
        self.plain.add(y);
        self.beside.add(beside);
        if y > 0.0 {
            self.logs.add(y.ln());
        }
        if y > 0.0 && beside > 0.0 {
            self.ratios.add((y / beside).ln());
        }
    }

    fn baseline(&self, metric: &str, shape: Shape) -> Option<Baseline> {
        let metric = metric.to_owned();
        let (value, spread) = match shape {
            // Half an event and one observation more, lest a rate is 0 because none was seen (Krichevsky
            // and Trofimov 1981).
            Shape::Rate => {
                let Moments { n, mean, .. } = self.plain;
                (n > 0.0).then(|| ((n * mean + 0.5) / (n + 1.0), None))?
            }
            Shape::Number | Shape::Adjusted { is_log: false, .. } => {
                (self.plain.mean, Some(self.plain.deviation()?))
            }
            Shape::Events => (self.plain.n > 0.0).then(|| {
                let Moments { n, mean, .. } = self.plain;
                ((n * mean + 0.5) / n, None)
            })?,
            Shape::Ratio { .. } => {
                let ratio = self.plain.mean / self.beside.mean;
                (
                    ratio.is_finite().then_some(ratio)?,
                    Some(self.ratios.deviation()?),
                )
            }
            Shape::Duration | Shape::Above { .. } | Shape::Adjusted { is_log: true, .. } => {
                (self.logs.mean.exp(), Some(self.logs.deviation()?))
            }
        };
        Some(Baseline {
            metric,
            value,
            spread,
        })
    }
}

impl Moments {
    fn add(&mut self, y: f64) {
        self.n += 1.0;
        let off = y - self.mean;
        self.mean += off / self.n;
        self.square += off * (y - self.mean);
    }

    /// None of fewer than two.
    fn deviation(&self) -> Option<f64> {
        (self.n > 1.0).then(|| (self.square / (self.n - 1.0)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Sums {
        let mut sums = Sums::default();
        values.iter().for_each(|&y| sums.add(y, 2.0));
        sums
    }

    #[test]
    fn a_rate_that_was_never_seen_is_not_nought() {
        let told = of(&[0.0; 99]).baseline("errors", Shape::Rate).unwrap();
        assert_eq!((told.value, told.spread), (0.005, None));
    }

    #[test]
    fn durations_are_told_by_median_and_spread_of_the_logarithm() {
        let told = of(&[1.0, std::f64::consts::E.powi(2)]).baseline("latency", Shape::Duration);
        let told = told.unwrap();
        assert!((told.value - std::f64::consts::E).abs() < 1e-12, "{told:?}");
        assert!(
            (told.spread.unwrap() - 2.0_f64.sqrt()).abs() < 1e-12,
            "{told:?}"
        );
    }

    #[test]
    fn numbers_are_told_by_mean_and_deviation_and_nothing_by_one_of_them() {
        let told = of(&[1.0, 3.0]).baseline("score", Shape::Number).unwrap();
        assert_eq!((told.value, told.spread), (2.0, Some(2.0_f64.sqrt())));
        assert_eq!(of(&[1.0]).baseline("score", Shape::Number), None);
    }

    #[test]
    fn ratios_are_of_sums_and_events_of_requests() {
        let shape = Shape::Ratio { of_requests: false };
        let told = of(&[1.0, 3.0]).baseline("speed", shape).unwrap();
        assert_eq!(told.value.total_cmp(&1.0), std::cmp::Ordering::Equal);
        let told = of(&[0.0, 0.0, 1.0, 0.0]).baseline("crashes", Shape::Events);
        assert_eq!(told.map(|it| it.value), Some(0.375));
    }
}

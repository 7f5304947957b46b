//! A run's history as charts want it: one column a number, with the lines that it is held against.

use policy::Observe;
use serde::Serialize;
use stats::{Better, Effect, Kind, Margin, Role};

use super::super::run::Run;
use super::{Mark, Point};

/// The history of a run. Columns are as long as `at_ms`; what is not known at a moment is null.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    name: String,
    run: u32,
    /// How far apart the points are, but for the newest one.
    spacing_ms: u64,
    /// Milliseconds since 1970.
    at_ms: Vec<u64>,
    observations: Vec<u64>,
    arms: Vec<Arm>,
    sample_ratio: Ratio,
    metrics: Vec<Metric>,
}

#[derive(Debug, Serialize)]
struct Arm {
    name: String,
    share: Vec<f32>,
    exposures: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct Ratio {
    log_e: Vec<f32>,
    threshold: f64,
}

#[derive(Debug, Serialize)]
struct Metric {
    name: String,
    arm: String,
    role: Role,
    scale: Effect,
    /// Of both estimates.
    unit: Unit,
    better: Better,
    /// Whether any harm rolls back, not only harm beyond the margin.
    critical: bool,
    /// The effect of a candidate that is no different; none where there is no one effect.
    neutral: Option<f64>,
    /// The effect that a guardrail must stay clear of; none where the margin is about something else.
    margin: Option<f64>,
    control: Vec<f32>,
    candidate: Vec<f32>,
    low: Vec<f32>,
    high: Vec<f32>,
    superior: Test,
    not_worse: Test,
    worse: Test,
}

/// What a value of the metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    /// The part of requests, from 0 to 1.
    Share,
    Seconds,
    Bytes,
    Tokens,
    /// Nothing that has a name here.
    Plain,
}

/// What a test had reached, and what it had to reach.
#[derive(Debug, Serialize)]
struct Test {
    value: Vec<f32>,
    bound: Vec<f32>,
}

impl Shown {
    pub(super) fn of(run: &Run, after_ms: u64) -> Self {
        let series = &run.series;
        let from = series
            .points
            .partition_point(|point| point.at_ms <= after_ms);
        let points = series.points.get(from..).unwrap_or_default();
        let report = run.ledger.report();
        let arms = run.experiment.arms.iter().enumerate();
        let metrics = report.metrics.iter().enumerate();
        Self {
            name: run.experiment.name.to_string(),
            run: run.record.run,
            spacing_ms: series.spacing_ms(),
            at_ms: points.iter().map(|point| point.at_ms).collect(),
            observations: points.iter().map(|point| point.observations).collect(),
            arms: arms
                .map(|(place, arm)| Arm {
                    name: arm.name.to_string(),
                    share: column(points, |point| point.shares.get(place).copied()),
                    exposures: points
                        .iter()
                        .map(|point| point.exposures.get(place).copied().unwrap_or_default())
                        .collect(),
                })
                .collect(),
            sample_ratio: Ratio {
                log_e: column(points, |point| Some(point.sample_ratio)),
                threshold: report.sample_ratio.threshold,
            },
            metrics: metrics
                .filter_map(|(place, metric)| Metric::of(run, metric, place, points))
                .collect(),
        }
    }
}

impl Metric {
    fn of(run: &Run, metric: &stats::MetricReport, place: usize, points: &[Point]) -> Option<Self> {
        let metrics = run.experiment.design.metrics.iter();
        let mut observed = metrics.zip(&run.experiment.observations);
        let (asked, observed) = observed.find(|(asked, _)| asked.name == metric.name)?;
        let arm = run.experiment.arms.get(metric.arm)?;
        let marks =
            |value: fn(&Mark) -> f32| column(points, |point| point.metrics.get(place).map(value));
        Some(Self {
            name: metric.name.clone(),
            arm: arm.name.to_string(),
            role: metric.role,
            scale: metric.scale,
            unit: Unit::of(asked.kind, *observed),
            better: asked.better,
            critical: asked.critical,
            neutral: neutral(metric.scale),
            margin: margin(asked, metric),
            control: marks(|mark| mark.estimate[0]),
            candidate: marks(|mark| mark.estimate[1]),
            low: marks(|mark| mark.interval[0]),
            high: marks(|mark| mark.interval[1]),
            superior: Test {
                value: marks(|mark| mark.tests[0][0]),
                bound: marks(|mark| mark.tests[0][1]),
            },
            not_worse: Test {
                value: marks(|mark| mark.tests[1][0]),
                bound: marks(|mark| mark.tests[1][1]),
            },
            worse: Test {
                value: marks(|mark| mark.tests[2][0]),
                bound: marks(|mark| mark.tests[2][1]),
            },
        })
    }
}

impl Unit {
    fn of(kind: Kind, observed: Observe) -> Self {
        match (kind, observed) {
            (Kind::Proportion | Kind::Exceedance { .. }, _) => Self::Share,
            // A sum by another sum has the unit of neither.
            (Kind::Ratio, _) => Self::Plain,
            (_, Observe::Duration | Observe::FirstByte) => Self::Seconds,
            (_, Observe::ResponseBytes) => Self::Bytes,
            (_, Observe::Tokens) => Self::Tokens,
            _ => Self::Plain,
        }
    }
}

fn column(points: &[Point], value: impl Fn(&Point) -> Option<f32>) -> Vec<f32> {
    points
        .iter()
        .map(|point| value(point).unwrap_or(f32::NAN))
        .collect()
}

/// The effect of no difference.
fn neutral(scale: Effect) -> Option<f64> {
    match scale {
        Effect::OddsRatio | Effect::Ratio | Effect::RateRatio | Effect::QuantileRatio => Some(1.0),
        Effect::Difference | Effect::ExceedanceDifference => Some(0.0),
        Effect::None => None,
    }
}

/// A margin as the effect that it allows; a relative one of a difference moves with the control's estimate.
fn margin(asked: &stats::Metric, metric: &stats::MetricReport) -> Option<f64> {
    let sign = match asked.better {
        Better::Lower => 1.0,
        Better::Higher => -1.0,
    };
    match (metric.scale, asked.margin?) {
        (Effect::OddsRatio, Margin::Odds(odds)) => Some(odds.powf(sign)),
        (Effect::Ratio | Effect::RateRatio | Effect::QuantileRatio, Margin::Relative(relative)) => {
            Some(1.0 + sign * relative)
        }
        (Effect::Difference, Margin::Absolute(difference)) => Some(sign * difference),
        (Effect::Difference, Margin::Relative(relative)) => {
            Some(sign * relative * metric.estimate.control?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(better: Better, scale: Effect, allowed: Margin, expected: Option<f64>) {
        let asked = stats::Metric {
            name: "m".to_owned(),
            kind: Kind::Proportion,
            better,
            role: Role::Guardrail,
            margin: Some(allowed),
            critical: false,
            worth: None,
        };
        let none = stats::LogE {
            superior: None,
            not_worse: None,
            worse: None,
        };
        let report = stats::MetricReport {
            name: "m".to_owned(),
            arm: 1,
            role: Role::Guardrail,
            scale,
            estimate: stats::Estimate {
                control: Some(4.0),
                candidate: None,
            },
            interval: None,
            log_e: none,
            listed: false,
            alarm: false,
            methods: stats::Methods {
                superior: None,
                not_worse: None,
                worse: None,
            },
            superior: None,
            not_worse: None,
            worse: None,
            n: [0, 0],
        };
        assert_eq!(
            margin(&asked, &report),
            expected,
            "{better:?} {scale:?} {allowed:?}"
        );
    }

    #[test]
    fn a_margin_lies_on_the_side_of_harm_whichever_direction_is_good() {
        let (lower, higher) = (Better::Lower, Better::Higher);
        check(lower, Effect::OddsRatio, Margin::Odds(2.0), Some(2.0));
        check(higher, Effect::OddsRatio, Margin::Odds(2.0), Some(0.5));
        check(lower, Effect::Ratio, Margin::Relative(0.25), Some(1.25));
        check(higher, Effect::Ratio, Margin::Relative(0.25), Some(0.75));
        check(lower, Effect::Difference, Margin::Absolute(3.0), Some(3.0));
        check(
            higher,
            Effect::Difference,
            Margin::Absolute(3.0),
            Some(-3.0),
        );
    }

    #[test]
    fn a_relative_margin_of_a_difference_moves_with_the_control() {
        check(
            Better::Lower,
            Effect::Difference,
            Margin::Relative(0.5),
            Some(2.0),
        );
    }

    #[test]
    fn a_ceiling_of_the_candidates_own_rate_is_no_line_of_the_effect() {
        check(Better::Lower, Effect::OddsRatio, Margin::AtMost(0.01), None);
    }
}

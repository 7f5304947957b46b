//! Where an effect may lie, valid at every moment.

use serde::{Deserialize, Serialize};

use crate::design::{Kind, Metric, Scale, Unit};

/// What an interval is about; always B against A.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The odds of a 1.
    OddsRatio,
    /// The ratio of geometric means.
    Ratio,
    /// The difference of means, rates or ratios of sums, B − A.
    Difference,
    /// The ratio of the rates of events.
    RateRatio,
    /// The ratio of quantiles.
    QuantileRatio,
    /// The difference, B − A, of how often the moving limit of a quantile is exceeded; B's limit lies higher
    /// by a relative margin.
    ExceedanceDifference,
    /// Nothing: whole distributions have no one effect.
    None,
}

/// A confidence sequence's current member: at every moment of a run at once, it holds the true effect
/// with the stated confidence.
/// Written as `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "[f64; 2]", from = "[f64; 2]")]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Effect {
    /// The effect that this metric is reported by.
    #[must_use]
    pub fn of(metric: &Metric, unit: Unit) -> Self {
        match (metric.kind, unit) {
            (Kind::Proportion | Kind::Exceedance { .. }, Unit::Request) => Self::OddsRatio,
            (Kind::Proportion | Kind::Exceedance { .. } | Kind::Count, Unit::Sticky)
            | (
                Kind::Mean {
                    scale: Scale::Linear,
                }
                | Kind::Adjusted {
                    scale: Scale::Linear,
                }
                | Kind::Ratio,
                _,
            ) => Self::Difference,
            (Kind::Mean { scale: Scale::Log } | Kind::Adjusted { scale: Scale::Log }, _) => {
                Self::Ratio
            }
            (Kind::Count, Unit::Request) => Self::RateRatio,
            (Kind::Quantile { .. }, Unit::Request) => Self::QuantileRatio,
            (Kind::Quantile { .. }, Unit::Sticky) => Self::ExceedanceDifference,
            (Kind::Distribution, _) => Self::None,
        }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl Interval {
    /// The same ends, each mapped by an increasing function; none if an end is no number any more.
    #[must_use]
    pub fn map(self, increasing: impl Fn(f64) -> f64) -> Option<Self> {
        let mapped = Self {
            low: increasing(self.low),
            high: increasing(self.high),
        };
        (mapped.low.is_finite() && mapped.high.is_finite()).then_some(mapped)
    }
}

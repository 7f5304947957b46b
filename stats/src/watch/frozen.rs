//! What an arm showed before its promotion, and how bad it may become.

use serde::{Deserialize, Serialize};

use crate::{
    agreement,
    design::{Better, Kind, Margin, Metric, Unit},
    evidence::Cell,
};

/// Numbers are watched by how often they lie beyond this quantile of the frozen ones.
const QUANTILE: f64 = 0.9;

/// Rates nearer to 0 or 1 than this are none that counts can tell.
const EDGE: f64 = 1e-9;

/// What counts as bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bad {
    /// A 1 of a proportion; a number above the limit of an exceedance.
    One,
    /// A 0 of a proportion.
    Zero,
    /// A number above this bin of its histogram.
    Above(i32),
    /// A number below this bin.
    Below(i32),
}

/// A metric of an arm as it was when the arm was promoted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frozen {
    /// What counts as bad.
    pub bad: Bad,
    /// Outcomes before the promotion, ...
    pub n: u64,
    /// ... and how many of them were bad.
    pub events: u64,
    /// The rate of bad outcomes that is no worse than that, given its uncertainty and the metric's margin.
    pub allowed: f64,
}

impl Bad {
    /// Outcomes and bad ones.
    pub(super) fn count(self, cell: &Cell) -> [u64; 2] {
        let (n, ones) = (cell.tally.n, cell.tally.ones());
        match self {
            Self::One => [n, ones],
            Self::Zero => [n, n - ones],
            Self::Above(bin) => cell
                .histogram
                .as_ref()
                .map_or([0, 0], |seen| [seen.n(), seen.above(bin)]),
            Self::Below(bin) => cell.histogram.as_ref().map_or([0, 0], |seen| {
                [seen.n(), seen.n() - seen.above(bin.saturating_sub(1))]
            }),
        }
    }

    /// The same with the limit so many bins lower: of numbers that are so many bins larger.
    fn of_larger(self, bins: i32) -> Self {
        match self {
            Self::Above(bin) => Self::Above(bin.saturating_sub(bins)),
            Self::Below(bin) => Self::Below(bin.saturating_sub(bins)),
            Self::One | Self::Zero => self,
        }
    }
}

impl Frozen {
    /// What is frozen of a metric; none if it cannot be watched. The interval misses with chance `alpha`.
    pub(super) fn of(metric: &Metric, unit: Unit, seen: &Cell, alpha: f64) -> Option<Self> {
        let bad = bad(metric, seen)?;
        let [n, events] = bad.count(seen);
        let margin = metric.margin;
        // An arm whose numbers are larger by what the margin allows would show this.
        let [_, worst] = bad.of_larger(metric.allowance(margin)).count(seen);
        let effect = design_effect(unit, seen);
        let [n_independent, worst] = [n, worst].map(|count| part(count, effect));
        let interval = agreement::interval(
            agreement::PRIOR,
            alpha,
            worst.min(n_independent),
            n_independent,
        )?;
        let allowed = match (bad, margin) {
            (_, Some(Margin::AtMost(limit))) => limit,
            (_, Some(Margin::Odds(odds))) => worse_odds(interval.high, odds),
            (Bad::One | Bad::Zero, Some(Margin::Absolute(part))) => interval.high + part,
            (Bad::One, Some(Margin::Relative(part))) => interval.high * (1.0 + part),
            (Bad::Zero, Some(Margin::Relative(part))) => 1.0 - (1.0 - interval.high) * (1.0 - part),
            (Bad::Above(_) | Bad::Below(_), Some(Margin::Relative(_) | Margin::Absolute(_)))
            | (_, None) => interval.high,
        };
        (allowed < 1.0 - EDGE).then(|| Self {
            bad,
            n,
            events,
            allowed: allowed.max(EDGE),
        })
    }
}

/// What of a metric counts as bad, if that can be told.
fn bad(metric: &Metric, seen: &Cell) -> Option<Bad> {
    if let Kind::Proportion | Kind::Exceedance { .. } = metric.kind {
        return Some(match metric.better {
            Better::Lower => Bad::One,
            Better::Higher => Bad::Zero,
        });
    }
    let at = match metric.kind {
        Kind::Quantile { at } => at,
        _ => QUANTILE,
    };
    let histogram = seen.histogram.as_ref()?;
    match metric.better {
        Better::Lower => histogram.quantile(at).map(Bad::Above),
        Better::Higher => histogram.quantile(1.0 - at).map(Bad::Below),
    }
}

/// A count by a design effect of at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not above the count, nor below 0"
)]
fn part(count: u64, effect: f64) -> u64 {
    (count as f64 / effect).round() as u64
}

fn worse_odds(rate: f64, factor: f64) -> f64 {
    let odds = factor * rate / (1.0 - rate).max(EDGE);
    odds / (1.0 + odds)
}

/// By how much the variance of a rate is larger than if outcomes did not depend on each other, at least 1:
/// by the buckets of returning units. Kish's design effect.
fn design_effect(unit: Unit, seen: &Cell) -> f64 {
    let (Unit::Sticky, Some(buckets)) = (unit, &seen.buckets) else {
        return 1.0;
    };
    let rate = seen.tally.mean().unwrap_or_default();
    let alone = seen.tally.count() * rate * (1.0 - rate);
    let scatter = buckets
        .iter()
        .map(|bucket| (bucket.sum - rate * bucket.n as f64).powi(2));
    let effect = scatter.sum::<f64>() / alone;
    if effect.is_finite() {
        effect.max(1.0)
    } else {
        1.0
    }
}

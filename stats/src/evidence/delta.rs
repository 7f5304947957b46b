//! What one worker saw since it was last asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::design::{Better, Design, Kind, Scale, Unit};

use super::{
    Cell, MovingLimit, TickEvidence,
    bucket::BUCKETS,
    firsts::{FirstOutcome, FirstOutcomes},
    merge_ticks,
};

/// Durations are clamped here before their logarithm is taken: a nanosecond is below any clock's
/// resolution over a network.
const LOG_FLOOR: f64 = 1e-9;

/// A request that brings more events than this is broken, and the sums of rarer ones stay exact.
const COUNT_MAX: f64 = 1e6;

/// Beyond this a square times 10⁹ observations would no longer be a number.
const MAGNITUDE_MAX: f64 = 1e100;

/// How many different units one delta tells apart, each on each of its arms; a worker is asked every
/// tick. Those beyond go uncounted by the sample ratio until they return.
const UNITS_MAX: usize = 1 << 16;

/// What one worker, or the feedback desk, saw of one run since it was last collected. Worker-local:
/// no locks; an observation allocates only when it opens a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    arms: usize,
    kinds: Vec<Kind>,
    /// Which metrics have an alarm behind them that looks at the whole distribution.
    alarmed: Vec<bool>,
    /// Which way is good for metrics that hold an arm against a ceiling by units' first requests; none for others.
    ceilings: Vec<Option<Better>>,
    /// How many bins larger a candidate's numbers may be than a limit that moves; none for metrics without.
    allowances: Vec<Option<i32>>,
    /// By metric; nothing where no limit moves, or none is known yet.
    #[serde(skip)]
    limits: Arc<[MovingLimit]>,
    unit: Unit,
    pub(crate) ticks: Vec<TickEvidence>,
    pub(crate) exposures: Vec<Exposures>,
    /// By unit and arm: a ramp moves returning units, perhaps within one delta.
    pub(crate) units: BTreeMap<(u64, usize), First>,
    pub(crate) firsts: FirstOutcomes,
    pub(crate) unusable: u64,
}

/// When a unit was first seen on an arm; ordered so that the earlier is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct First {
    pub(crate) epoch: u32,
    pub(crate) tick: u64,
}

/// How many requests each arm was given in an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exposures {
    pub(crate) epoch: u32,
    pub(crate) counts: Vec<u64>,
}

impl Delta {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(design: &Design) -> Self {
        Self {
            arms: design.arms,
            kinds: design.metrics.iter().map(|metric| metric.kind).collect(),
            alarmed: design
                .metrics
                .iter()
                .map(|metric| metric.alarm_allowance(design.unit).is_some())
                .collect(),
            ceilings: design
                .metrics
                .iter()
                .map(|metric| metric.counts_firsts(design.unit).then_some(metric.better))
                .collect(),
            allowances: design
                .metrics
                .iter()
                .map(|metric| metric.moving_allowance(design.unit))
                .collect(),
            limits: Arc::default(),
            unit: design.unit,
            ticks: Vec::new(),
            exposures: Vec::new(),
            units: BTreeMap::new(),
            firsts: FirstOutcomes::default(),
            unusable: 0,
        }
    }

    /// Holds what is seen from now on against these limits, which its ledger gave.
    pub fn follow(&mut self, limits: Arc<[MovingLimit]>) {
        self.limits = limits;
    }

    /// Whether there is nothing to collect.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty() && self.exposures.is_empty() && self.unusable == 0
    }

    /// Counts a request that was given to an arm, whatever becomes of it.
    pub fn expose(&mut self, epoch: u32, tick: u64, arm: usize, unit: u64) {
        if arm >= self.arms {
            self.unusable += 1;
            return;
        }
        if let Some(count) = self.exposures_of(epoch).counts.get_mut(arm) {
            *count += 1;
        }
        if self.unit == Unit::Sticky {
            self.count_unit((unit, arm), First { epoch, tick });
        }
    }

    /// Counts an outcome. What cannot be one (no number, a proportion other than 0 or 1, an arm or a
    /// metric that the design does not have) is counted as unusable and nothing else.
    pub fn observe(
        &mut self,
        epoch: u32,
        tick: u64,
        metric: usize,
        arm: usize,
        bucket: u16,
        y: f64,
    ) {
        // A ratio without a second number is one per request.
        let x = match self.kinds.get(metric) {
            Some(Kind::Ratio) => Some(1.0),
            _ => None,
        };
        self.observe_pair(epoch, tick, metric, arm, bucket, [Some(y), x]);
    }

    /// Counts an outcome with the number beside it that its metric asks for: what a ratio divides by,
    /// or the covariate.
    pub fn observe_pair(
        &mut self,
        epoch: u32,
        tick: u64,
        metric: usize,
        arm: usize,
        bucket: u16,
        [y, x]: [Option<f64>; 2],
    ) {
        let is_alarmed = self.alarmed.get(metric).is_some_and(|&alarmed| alarmed);
        let value = self.kinds.get(metric).and_then(|&kind| usable(kind, y?, x));
        let (Some(value), true) = (value, arm < self.arms && bucket < BUCKETS) else {
            self.unusable += 1;
            return;
        };
        let (sticky, place) = (self.unit == Unit::Sticky, metric * self.arms + arm);
        let summed = self.summed(metric, tick, arm, value.y);
        let Some(cell) = self.tick_of(tick, epoch).cells.get_mut(place) else {
            return;
        };
        let bucket = sticky.then_some(bucket);
        match (bucket, summed) {
            (Some(bucket), Some(y)) => cell.add_in_bucket(bucket, y),
            (None, Some(y)) => cell.add(y),
            (_, None) => {}
        }
        if let Some(y) = y.filter(|_| is_alarmed || value.is_placed) {
            cell.add_to_histogram(y);
        }
        if let Some(x) = value.second {
            cell.add_second(bucket, value.y, x);
        }
    }

    /// Beside [`Delta::observe`], says whose outcome it was and at which moment of its tick the request
    /// started, for metrics of returning units with a ceiling; of others nothing is kept.
    pub fn observe_unit(
        &mut self,
        tick: u64,
        moment: u64,
        metric: usize,
        arm: usize,
        unit: u64,
        y: f64,
    ) {
        let Some(better) = self.ceilings.get(metric).copied().flatten() else {
            return;
        };
        let value = self
            .kinds
            .get(metric)
            .and_then(|&kind| usable(kind, y, None));
        if let Some(Usable { y, .. }) = value.filter(|_| arm < self.arms) {
            let outcome = FirstOutcome {
                tick,
                moment,
                is_good: (y > 0.5) == (better == Better::Higher),
            };
            self.firsts.add((metric, unit, arm), outcome);
        }
    }

    /// Takes back a 1 that was counted in advance: what would have been missing has come. Whatever the order,
    /// the sums add up; what was never counted makes no rate negative, since ones are clamped as they are
    /// counted.
    pub fn take_back(&mut self, epoch: u32, tick: u64, metric: usize, arm: usize, bucket: u16) {
        let (sticky, place) = (self.unit == Unit::Sticky, metric * self.arms + arm);
        if arm >= self.arms || bucket >= BUCKETS {
            self.unusable += 1;
        } else if let Some(cell) = self.tick_of(tick, epoch).cells.get_mut(place) {
            cell.take_back(sticky.then_some(bucket));
        }
    }

    /// Counts requests that were given to an arm, each a unit of its own: for simulations, which draw
    /// the sums of a tick rather than its requests.
    pub fn expose_many(&mut self, epoch: u32, arm: usize, requests: u64) {
        if let Some(count) = self.exposures_of(epoch).counts.get_mut(arm) {
            *count += requests;
        }
    }

    /// Counts outcomes of one metric on one arm that were summed already, on the metric's own scale.
    pub fn observe_many(&mut self, epoch: u32, tick: u64, metric: usize, arm: usize, sums: &Cell) {
        if arm >= self.arms || metric >= self.kinds.len() {
            self.unusable += sums.tally.n;
            return;
        }
        let place = metric * self.arms + arm;
        if let Some(cell) = self.tick_of(tick, epoch).cells.get_mut(place) {
            cell.merge(sums);
        }
    }

    /// Adds what another worker saw of the same run.
    pub fn merge(&mut self, other: Self) {
        for theirs in other.ticks {
            merge_ticks(&mut self.ticks, theirs);
        }
        for theirs in other.exposures {
            let ours = self.exposures_of(theirs.epoch);
            for (ours, theirs) in ours.counts.iter_mut().zip(&theirs.counts) {
                *ours += theirs;
            }
        }
        for (unit, first) in other.units {
            self.count_unit(unit, first);
        }
        for (whose, outcome) in other.firsts.iter() {
            self.firsts.add(whose, outcome);
        }
        self.unusable += other.unusable;
    }

    /// What of an observation is summed: itself, or whether it exceeds the moving limit of its tick; nothing
    /// while that is not known.
    fn summed(&self, metric: usize, tick: u64, arm: usize, y: f64) -> Option<f64> {
        let Some(allowance) = self.allowances.get(metric).copied().flatten() else {
            return Some(y);
        };
        let allowance = if arm == 0 { 0 } else { allowance };
        let exceeded = self.limits.get(metric)?.is_exceeded(tick, y, allowance)?;
        Some(f64::from(u8::from(exceeded)))
    }

    fn count_unit(&mut self, unit: (u64, usize), first: First) {
        if let Some(seen) = self.units.get_mut(&unit) {
            *seen = (*seen).min(first);
        } else if self.units.len() < UNITS_MAX {
            self.units.insert(unit, first);
        }
    }

    fn exposures_of(&mut self, epoch: u32) -> &mut Exposures {
        let place = match self
            .exposures
            .binary_search_by_key(&epoch, |seen| seen.epoch)
        {
            Ok(found) => found,
            Err(place) => {
                self.exposures.insert(
                    place,
                    Exposures {
                        epoch,
                        counts: vec![0; self.arms],
                    },
                );
                place
            }
        };
        &mut self.exposures[place]
    }

    fn tick_of(&mut self, tick: u64, epoch: u32) -> &mut TickEvidence {
        let place = match self
            .ticks
            .binary_search_by_key(&(tick, epoch), TickEvidence::position)
        {
            Ok(found) => found,
            Err(place) => {
                let cells = self.kinds.len() * self.arms;
                self.ticks
                    .insert(place, TickEvidence::new(tick, epoch, cells));
                place
            }
        };
        &mut self.ticks[place]
    }
}

/// An observation as it is summed.
struct Usable {
    y: f64,
    /// Whether it counts where it lies.
    is_placed: bool,
    /// The number beside it.
    second: Option<f64>,
}

/// What is summed for an observation, if it can be one.
fn usable(kind: Kind, y: f64, x: Option<f64>) -> Option<Usable> {
    let is_number = |y: f64| y.abs() <= MAGNITUDE_MAX;
    let (y, second) = match kind {
        Kind::Proportion => {
            let is_either = y.to_bits() == 1.0_f64.to_bits() || y.abs() < f64::MIN_POSITIVE;
            (is_either.then_some(y)?, None)
        }
        Kind::Exceedance { limit } => {
            let exceeded = is_number(y).then(|| f64::from(u8::from(y > limit)))?;
            (exceeded, None)
        }
        Kind::Mean { scale } => (on_scale(scale, y)?, None),
        Kind::Adjusted { scale } => {
            let x = x.filter(|&x| is_number(x))?;
            (on_scale(scale, y)?, Some(covariate(scale, x)))
        }
        Kind::Quantile { .. } | Kind::Distribution => (is_number(y).then_some(y)?, None),
        Kind::Ratio => {
            let x = x.filter(|&x| is_number(x))?;
            (is_number(y).then_some(y)?, Some(x))
        }
        Kind::Count => {
            let is_count = (0.0..=COUNT_MAX).contains(&y) && y.fract().abs() < f64::MIN_POSITIVE;
            (is_count.then_some(y)?, None)
        }
    };
    Some(Usable {
        y,
        is_placed: matches!(kind, Kind::Quantile { .. } | Kind::Distribution),
        second,
    })
}

fn on_scale(scale: Scale, y: f64) -> Option<f64> {
    (y.abs() <= MAGNITUDE_MAX).then(|| match scale {
        Scale::Linear => y,
        Scale::Log => y.max(LOG_FLOOR).ln(),
    })
}

/// Any function of what was known before routing is a covariate; beside logarithms the logarithm
/// explains most, and ln(1 + x) is one where nothing is sent.
fn covariate(scale: Scale, x: f64) -> f64 {
    match scale {
        Scale::Linear => x,
        Scale::Log => x.max(0.0).ln_1p(),
    }
}

#[cfg(test)]
mod tests;

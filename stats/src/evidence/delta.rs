//! What one worker saw since it was last asked.

use std::collections::BTreeMap;

use crate::design::{Design, Kind, Scale, Unit};

use super::{Cell, TickEvidence, bucket::BUCKETS, merge_ticks};

/// Durations are clamped here before their logarithm is taken: a nanosecond is below any clock's
/// resolution over a network.
const LOG_FLOOR: f64 = 1e-9;

/// Beyond this a square times 10⁹ observations would no longer be a number.
const MAGNITUDE_MAX: f64 = 1e100;

/// How many different units one delta tells apart; a worker is asked every tick. Those beyond go
/// uncounted by the sample ratio until they return.
const UNITS_MAX: usize = 1 << 16;

/// What one worker, or the feedback desk, saw of one run since it was last collected. Worker-local:
/// no locks; an observation allocates only when it opens a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    arms: usize,
    kinds: Vec<Kind>,
    unit: Unit,
    pub(crate) ticks: Vec<TickEvidence>,
    pub(crate) exposures: Vec<Exposures>,
    pub(crate) units: BTreeMap<u64, First>,
    pub(crate) unusable: u64,
}

/// Where a unit was first seen; ordered so that the earlier epoch is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct First {
    pub(crate) epoch: u32,
    pub(crate) arm: usize,
}

/// How many requests each arm was given in an epoch.
#[derive(Clone, Debug, PartialEq)]
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
            unit: design.unit,
            ticks: Vec::new(),
            exposures: Vec::new(),
            units: BTreeMap::new(),
            unusable: 0,
        }
    }

    /// Whether there is nothing to collect.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ticks.is_empty() && self.exposures.is_empty() && self.unusable == 0
    }

    /// Counts a request that was given to an arm, whatever becomes of it. The tick is not used: shares
    /// are constant within an epoch.
    pub fn expose(&mut self, epoch: u32, _tick: u64, arm: usize, unit: u64) {
        if arm >= self.arms {
            self.unusable += 1;
            return;
        }
        if let Some(count) = self.exposures_of(epoch).counts.get_mut(arm) {
            *count += 1;
        }
        if self.unit == Unit::Sticky {
            self.count_unit(unit, First { epoch, arm });
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
        let value = self.kinds.get(metric).and_then(|&kind| usable(kind, y));
        let (Some(y), true) = (value, arm < self.arms && bucket < BUCKETS) else {
            self.unusable += 1;
            return;
        };
        let (sticky, place) = (self.unit == Unit::Sticky, metric * self.arms + arm);
        let Some(cell) = self.tick_of(tick, epoch).cells.get_mut(place) else {
            return;
        };
        if sticky {
            cell.add_in_bucket(bucket, y)
        } else {
            cell.add(y)
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
        self.unusable += other.unusable;
    }

    fn count_unit(&mut self, unit: u64, first: First) {
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

/// The number that is summed for an observation, if it can be one.
fn usable(kind: Kind, y: f64) -> Option<f64> {
    match kind {
        Kind::Proportion => {
            (y.to_bits() == 1.0_f64.to_bits() || y.abs() < f64::MIN_POSITIVE).then_some(y)
        }
        Kind::Mean {
            scale: Scale::Linear,
        } => (y.abs() <= MAGNITUDE_MAX).then_some(y),
        Kind::Mean { scale: Scale::Log } => {
            (y.abs() <= MAGNITUDE_MAX).then(|| y.max(LOG_FLOOR).ln())
        }
    }
}

#[cfg(test)]
mod tests;

//! What was observed, as sums: by metric, arm, epoch and tick. All of it adds, across workers and
//! proxies, in any order; past 65 536 different units in one beat, which of them the sample ratio counts
//! depends on it, without regard to arms.
//!
//! One metric on one arm takes at most 256 bytes a tick, and more only for what it asks for: 8 KiB for
//! units that return, whose sums are kept in 512 buckets of the unit's hash, and as much again if there
//! is a second number beside each; up to 39 KiB for a histogram, by how far the numbers range. A test
//! weighs each kind (`tests/allocation.rs`).

mod bucket;
mod delta;
mod firsts;
mod histogram;
mod limit;
mod pair;
mod tally;

use serde::{Deserialize, Serialize};

pub use bucket::{BUCKETS, Bucket, Buckets};
pub use delta::Delta;
pub(crate) use delta::First;
pub(crate) use firsts::FirstOutcome;
pub(crate) use histogram::BIN_MIN;
pub use histogram::{GAMMA, Histogram};
pub use limit::MovingLimit;
pub use pair::Pair;
pub use tally::Tally;

/// The observations of one metric on one arm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Over all units.
    pub tally: Tally,
    /// By bucket of the unit; only where units return.
    pub buckets: Option<Buckets>,
    /// How often numbers fell where; only for quantiles and distributions.
    pub histogram: Option<Histogram>,
    /// Of a second number; only for ratios and covariates.
    pub pair: Option<Pair>,
}

/// All metrics and arms of one epoch within one tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TickEvidence {
    /// The tick in which the observed requests started.
    pub tick: u64,
    /// The stretch of constant shares that they belong to.
    pub epoch: u32,
    /// One cell per metric and arm, the arms of a metric side by side.
    pub cells: Vec<Cell>,
}

/// One metric in one epoch, all arms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochEvidence {
    /// The stretch of constant shares.
    pub epoch: u32,
    /// One cell an arm.
    pub arms: Vec<Cell>,
}

impl Cell {
    pub(crate) fn add(&mut self, y: f64) {
        self.tally.add(y);
    }

    pub(crate) fn add_in_bucket(&mut self, bucket: u16, y: f64) {
        self.tally.add(y);
        self.buckets.get_or_insert_default().add(bucket, y);
    }

    pub(crate) fn take_back(&mut self, bucket: Option<u16>) {
        self.tally.take_back();
        if let Some(bucket) = bucket {
            self.buckets.get_or_insert_default().take_back(bucket);
        }
    }

    pub(crate) fn add_to_histogram(&mut self, y: f64) {
        self.histogram.get_or_insert_default().add(y);
    }

    pub(crate) fn add_second(&mut self, bucket: Option<u16>, y: f64, x: f64) {
        self.pair.get_or_insert_default().add(bucket, y, x);
    }

    /// Whether nothing was seen.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another saw.
    pub fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        if let Some(theirs) = &other.buckets {
            self.buckets.get_or_insert_default().merge(theirs);
        }
        if let Some(theirs) = &other.histogram {
            self.histogram.get_or_insert_default().merge(theirs);
        }
        if let Some(theirs) = &other.pair {
            self.pair.get_or_insert_default().merge(theirs);
        }
    }
}

impl TickEvidence {
    pub(crate) fn new(tick: u64, epoch: u32, cells: usize) -> Self {
        Self {
            tick,
            epoch,
            cells: vec![Cell::default(); cells],
        }
    }

    /// Ticks close in this order.
    pub(crate) fn position(&self) -> (u64, u32) {
        (self.tick, self.epoch)
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.cells.iter_mut().zip(&other.cells) {
            ours.merge(theirs);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.iter().all(Cell::is_empty)
    }

    pub(crate) fn observations(&self) -> u64 {
        self.cells.iter().map(|cell| cell.tally.n).sum()
    }
}

/// Adds ticks to ticks that are kept in their order.
pub(crate) fn merge_ticks(ours: &mut Vec<TickEvidence>, theirs: TickEvidence) {
    match ours.binary_search_by_key(&theirs.position(), TickEvidence::position) {
        Ok(found) => ours[found].merge(&theirs),
        Err(place) => ours.insert(place, theirs),
    }
}

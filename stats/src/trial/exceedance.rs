//! A quantile without a limit of its own: how often each arm exceeds the quantile that both arms had in
//! earlier ticks.
//!
//! The limit of a tick is an edge of the histogram and depends on earlier ticks only, so in a tick the
//! exceedances are a proportion like any other, and the conditional 2×2 test is exact for equal arms. A
//! relative margin divides B's numbers by what it allows before they are pooled and compared: once B
//! exceeds the pooled p-quantile less often than A, B's p-quantile lies below A's times the margin.
//! The first tick only sets the limit.

use serde::{Deserialize, Serialize};

use super::{Closing, Numbers, block::Block};
use crate::{
    conditional::Conditional,
    design::Side,
    evidence::{Cell, Histogram, Tally},
};

/// The test of one quantile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exceedance {
    at: f64,
    /// By how many bins B's numbers may be larger.
    allowance: i32,
    /// The bin that both arms' quantile of earlier ticks lies in.
    limit: Option<i32>,
    test: Conditional,
    block: Block,
}

impl Exceedance {
    /// Of the quantile `at`, when B's numbers may be larger by so many bins, against this log odds
    /// ratio.
    pub(crate) fn new(at: f64, allowance: i32, null: f64, side: Side) -> Self {
        Self {
            at,
            allowance,
            limit: None,
            test: Conditional::new(null, side),
            block: Block::default(),
        }
    }

    pub(crate) fn close(&mut self, arm: usize, closing: &Closing<'_>) {
        if let (Some(limit), Some(control), Some(candidate)) =
            (self.limit, closing.cells.first(), closing.cells.get(arm))
        {
            let control = exceeding(control, limit);
            let candidate = exceeding(candidate, limit.saturating_add(self.allowance));
            let tables = self.block.add(closing.epoch, &control, &candidate);
            tables.iter().for_each(|table| self.test.add(table));
        }
        self.limit = self.pooled(arm, closing).quantile(self.at);
    }

    pub(crate) fn log_e(&self) -> f64 {
        self.test.log_e()
    }

    pub(crate) fn numbers(&self) -> Numbers {
        Numbers::QuantileExceedance {
            at: self.at,
            allowance: self.allowance,
            limit: self.limit,
            null: self.test.null(),
            gains: self.test.gains().to_vec(),
        }
    }

    fn pooled(&self, arm: usize, closing: &Closing<'_>) -> Histogram {
        let mut pooled = Histogram::default();
        for (control, candidate) in closing.pairs(arm) {
            if let Some(control) = &control.histogram {
                pooled.merge(control);
            }
            if let Some(candidate) = &candidate.histogram {
                pooled.merge_moved(candidate, -self.allowance);
            }
        }
        pooled
    }
}

/// How many lie above the bin, as the tally of a proportion.
fn exceeding(cell: &Cell, bin: i32) -> Tally {
    let above = cell.histogram.as_ref().map_or(0, |seen| seen.above(bin)) as f64;
    Tally {
        n: cell.tally.n,
        sum: above,
        square: above,
    }
}

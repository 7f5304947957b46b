//! How many rows ran together, counted by the threads of a model.

use std::sync::atomic::{AtomicU64, Ordering};

/// The upper bounds of the buckets, in rows.
pub const BATCH_BOUNDS: [u16; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// Written by the threads of one model only.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [AtomicU64; BATCH_BOUNDS.len()],
    rows: AtomicU64,
}

impl Tally {
    pub(super) fn record(&self, rows: usize) {
        let bucket = BATCH_BOUNDS.partition_point(|bound| usize::from(*bound) < rows);
        // No request has more rows than the last bucket takes, as no model is asked for more.
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    pub(super) fn sizes(&self) -> BatchSizes {
        let count = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        BatchSizes {
            counts: self.counts.each_ref().map(count),
            rows: count(&self.rows),
        }
    }
}

/// How many runs had so many rows, by the buckets of [`BATCH_BOUNDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSizes {
    /// Runs of each bucket, not of those below it.
    pub counts: [u64; BATCH_BOUNDS.len()],
    /// All rows.
    pub rows: u64,
}

//! A second number beside each observation: what a ratio divides by, or a covariate.

use serde::{Deserialize, Serialize};

use super::{Buckets, Tally};

/// The sums that a second number x adds to those of y.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// n, Σx and Σx².
    pub x: Tally,
    /// Σxy.
    pub xy: f64,
    /// Σx by bucket of the unit; only where units return.
    pub buckets: Option<Buckets>,
}

impl Pair {
    pub(crate) fn add(&mut self, bucket: Option<u16>, y: f64, x: f64) {
        self.x.add(x);
        self.xy += x * y;
        if let Some(bucket) = bucket {
            self.buckets.get_or_insert_default().add(bucket, x);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.x.merge(&other.x);
        self.xy += other.xy;
        if let Some(theirs) = &other.buckets {
            self.buckets.get_or_insert_default().merge(theirs);
        }
    }
}

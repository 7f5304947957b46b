//! The clusters of a sticky experiment: units by their hash, apart from the hash that chose the arm.

use serde::{Deserialize, Serialize};

/// How many clusters there are: enough for their sum of squares to be steady, few enough to add up on
/// every tick.
pub const BUCKETS: u16 = 512;

/// The observations of the units of one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bucket {
    /// How many were observed.
    pub n: u64,
    /// Σy.
    pub sum: f64,
}

/// All buckets of one metric on one arm. Written down without its empty ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Vec<(u16, u64, f64)>", from = "Vec<(u16, u64, f64)>")]
pub struct Buckets(Box<[Bucket]>);

impl Buckets {
    /// Every bucket, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Bucket> {
        self.0.iter()
    }

    pub(crate) fn add(&mut self, bucket: u16, y: f64) {
        if let Some(bucket) = self.0.get_mut(usize::from(bucket)) {
            bucket.n += 1;
            bucket.sum += y;
        }
    }

    pub(crate) fn take_back(&mut self, bucket: u16) {
        if let Some(bucket) = self.0.get_mut(usize::from(bucket)) {
            bucket.sum -= 1.0;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            ours.n += theirs.n;
            ours.sum += theirs.sum;
        }
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self(vec![Bucket::default(); usize::from(BUCKETS)].into_boxed_slice())
    }
}

impl From<Buckets> for Vec<(u16, u64, f64)> {
    fn from(buckets: Buckets) -> Self {
        let numbered = (0..BUCKETS).zip(&buckets.0);
        numbered
            .filter(|(_, bucket)| **bucket != Bucket::default())
            .map(|(j, bucket)| (j, bucket.n, bucket.sum))
            .collect()
    }
}

impl From<Vec<(u16, u64, f64)>> for Buckets {
    fn from(written: Vec<(u16, u64, f64)>) -> Self {
        let mut buckets = Self::default();
        for (j, n, sum) in written {
            if let Some(bucket) = buckets.0.get_mut(usize::from(j)) {
                *bucket = Bucket { n, sum };
            }
        }
        buckets
    }
}

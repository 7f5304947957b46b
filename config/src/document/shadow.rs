//! Copies of requests that go elsewhere, to compare the answers.

use super::Backend;
use crate::decode::record;
use crate::value::Share;

record! {
    /// A copy of requests, whose answers are compared and thrown away.
    pub struct Shadow {
        /// Where the copies go, for example `{ upstream: fraud-v3 }`.
        pub backend: Backend,
        /// The part of requests that is copied, for example `10%`. Default: `100%`.
        pub share: Option<Share>,
        /// How answers are compared. Default: they must be equal.
        pub compare: Option<Compare>,
    }
}

record! {
    /// How answers are compared.
    pub struct Compare {
        /// JSON pointers to what may differ, for example `[/id]`.
        pub ignore: Vec<String>,
        /// By how much numbers may differ, as a part of the larger, for example `1e-3`. Default: `0`.
        pub tolerance: Option<f64>,
    }
}

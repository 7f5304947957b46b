//! Copies of requests that go elsewhere, to compare the answers.

use super::Backend;
use crate::decode::record;
use crate::value::{ByteCount, Period, Share};

record! {
    /// A copy of requests, whose answers are compared and thrown away.
    pub struct Shadow {
        /// Where the copies go: an upstream, for example `{ upstream: fraud-v3 }`.
        pub backend: Backend,
        /// The part of requests that is copied, for example `10%`. Default: `100%`.
        pub share: Option<Share>,
        /// Methods that are copied, for example `[POST]`. Name none that has effects there. Default: all that
        /// the route takes.
        pub methods: Vec<String>,
        /// How much of a request's body, and of each answer, may be held. What is larger is not copied or
        /// compared. Default: `1MiB`.
        pub body_max: Option<ByteCount>,
        /// How many copies a worker has on their way at once; others are dropped and counted. Default: `32`.
        pub in_flight: Option<u32>,
        /// How long the answer to a copy may take. Default: `30s`.
        pub timeout: Option<Period>,
        /// How answers are compared. Default: they must be equal.
        pub compare: Option<Compare>,
    }
}

record! {
    /// How answers are compared.
    pub struct Compare {
        /// JSON pointers to what may differ, for example `[/id]`; `*` stands for any member of a list.
        pub ignore: Vec<String>,
        /// JSON pointers to what is compared, for example `[/label]`. Default: all but what is ignored.
        pub only: Vec<String>,
        /// By how much numbers may differ, as a part of the larger one or of 1, for example `1e-3`. Default: `0`.
        pub tolerance: Option<f64>,
        /// Lists of numbers agree if their cosine is at least this, for example `0.99`. Default: number by number.
        pub cosine: Option<f64>,
    }
}

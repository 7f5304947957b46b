//! Copies of requests that go elsewhere: after the client has its answer, a shadow is asked the same, and the two
//! answers are compared on the control side.
//!
//! The request that is copied must not notice. Nothing waits for a copy, what is held for it has a limit, and
//! what would exceed one is dropped and counted before anything else is. A copy begins when its primary has ended,
//! over connections of its own; how long it takes is compared with nothing.

mod answer;
mod call;
mod compare;
mod copy;
mod desk;
mod mirror;
mod tally;
mod tensors;

pub(crate) use answer::Form;
pub(crate) use call::INFER;
pub(crate) use desk::{Desk, Shown};
pub(crate) use mirror::{Mirror, Tee};
pub(crate) use tally::{Copies, Outcome, Way};

use http::HeaderName;

/// Tells a shadow that nobody gets its answer.
const SHADOW: HeaderName = HeaderName::from_static("x-wald-shadow");

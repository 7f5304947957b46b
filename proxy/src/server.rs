mod phase;
pub(crate) mod socket;
mod worker;
pub(crate) use phase::Phase;
pub(crate) use worker::{Duty, Worker, work};

//! What a worker saw: exposures and outcomes for the referee, counts and durations for Prometheus.
//!
//! Each worker keeps one [`View`] a snapshot, reached through an `Rc`: indices into the snapshot are
//! indices into its arrays, so an observation costs no lookup, no lock and no shared cache line. A view
//! of an older snapshot lives until its last request ends and its evidence is collected.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod counters;
pub(crate) mod endpoints;
mod evidence;
pub(crate) mod exposition;
mod lane;
mod passage;
mod roll;
mod view;

pub(crate) use counters::{BOUNDS, Counters, EndpointLabels, EndpointSeen, Histogram};
#[cfg(test)]
pub(crate) use counters::{PathLabels, RequestLabels};
pub(crate) use evidence::Moment;
#[cfg(test)]
pub(crate) use evidence::{Outcome, RunShard};
pub(crate) use lane::Lane;
pub(crate) use passage::{Passage, Step};
pub(crate) use roll::{Roll, Seen};
pub(crate) use view::View;

/// What the workers hold numbers of running experiments against, by experiment and run; empty where no limit
/// moves.
pub(crate) type Limits = HashMap<(String, u32), Arc<[stats::MovingLimit]>>;

/// The evidence of one run, on its way from a worker to the referee.
#[derive(Serialize, Deserialize)]
pub(crate) struct Observed {
    /// The experiment's name: ids change with a reload, names and runs do not.
    pub(crate) experiment: String,
    /// Which run of it.
    pub(crate) run: u32,
    /// What was seen.
    pub(crate) delta: stats::Delta,
    /// The same one by one, if it is recorded. It goes to no other process: a recording is one's own.
    #[serde(skip)]
    pub(crate) roll: Option<Roll>,
}

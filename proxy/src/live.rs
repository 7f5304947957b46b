//! The snapshot now in force: policy, ramp positions, models and token keys behind one pointer.
//!
//! A request loads it once, so no request ever sees two policies. Only the referee publishes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::{ModelId, Policy, Stage};

use crate::credentials::Credentials;
use crate::identify::KeySets;
use crate::members::Rosters;
use crate::rates::Rates;
use crate::token;

/// All that a request may depend on. Never changed, only replaced.
pub(crate) struct Snapshot {
    /// The compiled document.
    pub(crate) policy: Arc<Policy>,
    /// Where each experiment stands, by `ExperimentId`.
    pub(crate) stages: Vec<Stage>,
    /// The running inline models, by `ModelId`.
    pub(crate) models: Vec<Arc<inference::Pool>>,
    /// Whether every observation is written down, beside being counted.
    pub(crate) recorded: bool,
    /// The public keys of issuers, by `IssuerId`. Another pointer means other keys, or another document.
    pub(crate) key_sets: Arc<KeySets>,
    /// Certificates, keys and whom they make Wald believe.
    pub(crate) credentials: Arc<Credentials>,
    /// Who the servers of upstreams are. What is in them changes without a new snapshot.
    pub(crate) rosters: Arc<Rosters>,
    /// How many requests callers have sent.
    pub(crate) rates: Arc<Rates>,
    /// What assignment tokens are signed with.
    pub(crate) keys: Arc<token::Keys>,
}

impl Snapshot {
    /// The worker threads that run `model`.
    pub(crate) fn model(&self, model: ModelId) -> Option<&Arc<inference::Pool>> {
        self.models.get(model.index())
    }
}

/// The pointer to the snapshot in force.
#[derive(Clone)]
pub(crate) struct Live(Arc<ArcSwap<Snapshot>>);

impl Live {
    /// Puts the first snapshot in force.
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(snapshot)))
    }

    /// The snapshot in force at this moment.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.0.load()
    }

    /// Replaces the snapshot. Called by the referee alone, after its decision is durable.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}

//! Where a request can end.

use std::sync::Arc;

use http::StatusCode;

use crate::{ExperimentId, ModelId, UpstreamId};

/// What answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A server elsewhere.
    Upstream(UpstreamId),
    /// A model that runs here.
    Model(ModelId),
    /// Wald itself.
    Respond {
        /// The status to answer.
        status: StatusCode,
        /// The text to answer, if any.
        body: Option<Arc<str>>,
    },
    /// Whichever arm the experiment picks. A placement never leads here.
    Experiment(ExperimentId),
}

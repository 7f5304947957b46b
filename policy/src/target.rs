//! Where a request can end.

use std::sync::Arc;

use http::StatusCode;

use crate::{Cascade, ExperimentId, ModelId, UpstreamId};

/// Where a client is sent: parts that are none stay as they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redirect {
    /// `http` or `https`.
    pub scheme: Option<Box<str>>,
    /// Host, and port if it is not the usual one.
    pub host: Option<Box<str>>,
    /// The path.
    pub path: Option<Box<str>>,
    /// One of 301, 302, 303, 307 and 308.
    pub status: StatusCode,
}

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
    /// The client, who is sent elsewhere.
    Redirect(Arc<Redirect>),
    /// Models in turn. A placement leads to one of them.
    Cascade(Arc<Cascade>),
    /// Whichever arm the experiment picks. A placement never leads here.
    Experiment(ExperimentId),
}

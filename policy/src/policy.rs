//! The compiled document.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::{Document, Problems};

use crate::route::Table;
use crate::{Admin, Experiment, Issuer, Listener, Model, Route, Target, Upstream, Webhook};

/// What a request may trust: every name resolved, every limit set, every route filed.
///
/// Only [`crate::compile`] makes one.
#[derive(Debug)]
pub struct Policy {
    pub(crate) document: Arc<Document>,
    pub(crate) hash: String,
    pub(crate) warnings: Problems,
    pub(crate) admin: Admin,
    pub(crate) store: Option<PathBuf>,
    pub(crate) workers: Option<NonZeroUsize>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) upstreams: Vec<Upstream>,
    pub(crate) models: Vec<Arc<Model>>,
    pub(crate) routes: Vec<Route>,
    pub(crate) experiments: Vec<Experiment>,
    pub(crate) table: Table,
    pub(crate) asks_for_models: bool,
    pub(crate) dns_servers: Vec<SocketAddr>,
    pub(crate) drain: Drain,
    pub(crate) upgrade_socket: Option<PathBuf>,
    pub(crate) audit: Option<Audit>,
    pub(crate) webhooks: Vec<Webhook>,
}

/// How the audit trail is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// A file with a private key.
    pub key: PathBuf,
    /// The file that signed checkpoints are appended to.
    pub checkpoints: PathBuf,
}

/// How a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long connections are still taken after it has said that it is not ready.
    pub wait: Duration,
    /// How long requests may take to finish after that.
    pub time: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            wait: Duration::ZERO,
            time: Duration::from_secs(30),
        }
    }
}

impl Policy {
    /// What the operator wrote.
    #[must_use]
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Names the document by what it says: 32 hexadecimal digits, the same wherever it is read.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What works, but probably not as meant.
    #[must_use]
    pub fn warnings(&self) -> &Problems {
        &self.warnings
    }

    /// Where the admin API listens, and for whom.
    #[must_use]
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// The file of the durable store, if the document names one.
    #[must_use]
    pub fn store(&self) -> Option<&Path> {
        self.store.as_deref()
    }

    /// How many workers serve traffic; if absent, as many as there are cores.
    #[must_use]
    pub fn workers(&self) -> Option<NonZeroUsize> {
        self.workers
    }

    /// Where traffic comes in, by [`crate::ListenerId`].
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Whose tokens are believed, by [`crate::IssuerId`].
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// Servers elsewhere, by [`crate::UpstreamId`].
    #[must_use]
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Who is asked for the addresses of names; if nobody, whom the machine asks.
    #[must_use]
    pub fn dns_servers(&self) -> &[SocketAddr] {
        &self.dns_servers
    }

    /// How a server of this policy stops.
    #[must_use]
    pub fn drain(&self) -> Drain {
        self.drain
    }

    /// How the audit trail is signed, if it is.
    #[must_use]
    pub fn audit(&self) -> Option<&Audit> {
        self.audit.as_ref()
    }

    /// Who is sent what happens to experiments.
    #[must_use]
    pub fn webhooks(&self) -> &[Webhook] {
        &self.webhooks
    }

    /// The Unix socket at which another Wald asks to take over; if none, nobody can.
    #[must_use]
    pub fn upgrade_socket(&self) -> Option<&Path> {
        self.upgrade_socket.as_deref()
    }

    /// Models that run here, by [`crate::ModelId`]; shared, since each request to one holds it.
    #[must_use]
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// Routes in the order in which they are asked, by [`crate::RouteId`].
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Whether any route depends on the model that a request asks for.
    #[must_use]
    pub fn asks_for_models(&self) -> bool {
        self.asks_for_models
    }

    /// What is being decided, by [`crate::ExperimentId`].
    #[must_use]
    pub fn experiments(&self) -> &[Experiment] {
        &self.experiments
    }

    /// The experiment of this name.
    #[must_use]
    pub fn experiment(&self, name: &str) -> Option<&Experiment> {
        self.experiments
            .iter()
            .find(|experiment| *experiment.name == *name)
    }

    /// How metrics, logs and explanations name what answers: `fraud-v1`, `digits/2`, `respond 403`.
    #[must_use]
    pub fn backend(&self, target: &Target) -> String {
        let name = match target {
            Target::Upstream(id) => self
                .upstreams
                .get(id.index())
                .map(|upstream| upstream.name.to_string()),
            Target::Model(id) => self
                .models
                .get(id.index())
                .map(|model| format!("{}/{}", model.name, model.version)),
            Target::Cascade(cascade) => {
                let steps = cascade.steps.iter();
                let steps: Vec<_> = steps.map(|step| self.backend(&step.target)).collect();
                Some(format!("cascade {}", steps.join(" ")))
            }
            Target::Redirect(redirect) => Some(format!("redirect {}", redirect.status.as_u16())),
            Target::Respond { status, .. } => Some(format!("respond {}", status.as_u16())),
            Target::Experiment(id) => self
                .experiments
                .get(id.index())
                .map(|experiment| experiment.name.to_string()),
        };
        name.unwrap_or_default()
    }
}

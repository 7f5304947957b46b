//! The document's types, as written: no defaults that need thought, nothing checked across fields.
//!
//! The comments on fields are what an operator reads in the JSON Schema.

mod bundle;
mod caller;
mod events;
mod experiment;
mod listener;
mod metric;
mod model;
mod retry;
mod route;
mod shadow;
mod telemetry;
mod text;
mod token;
mod upstream;
mod version;

pub use bundle::*;
pub use caller::*;
pub use events::*;
pub use experiment::*;
pub use listener::*;
pub use metric::*;
pub use model::*;
pub use retry::*;
pub use route::*;
pub use shadow::*;
pub use telemetry::*;
pub use text::*;
pub use token::*;
pub use upstream::*;
pub use version::*;

use crate::decode::record;
use crate::value::Period;
use crate::{Path, Place, Places};
use std::path::PathBuf;

record! {
    /// A document of Wald: what comes in, where it may go, and what is being decided.
    pub struct Document {
        /// The version of this format: `wald/v1`.
        pub version: Version,
        /// The admin API. Default: `127.0.0.1:9901`.
        pub admin: Option<Admin>,
        /// Where durable state lives. Without it, state is lost when Wald stops.
        pub store: Option<Store>,
        /// How many threads serve traffic, for example `2`. Default: one for each core.
        pub workers: Option<u32>,
        /// Where traffic comes in.
        pub listeners: Vec<Listener> = required,
        /// Whose tokens are believed.
        pub tokens: Vec<Issuer>,
        /// Where traffic may go.
        pub upstreams: Vec<Upstream>,
        /// Models that Wald runs itself.
        pub models: Vec<Model>,
        /// Whose models are believed.
        pub signers: Vec<Signer>,
        /// Refuses models without a `signature`. Default: `false`.
        pub require_signature: Option<bool>,
        /// What may go where; the first match wins.
        pub routes: Vec<Route> = required,
        /// What is being decided.
        pub experiments: Vec<Experiment>,
        /// Where this Wald runs, for example `eu-1a`; endpoints in the same zone are preferred.
        pub zone: Option<String>,
        /// Who is asked for the addresses of names. Default: whom the machine asks.
        pub dns: Option<Dns>,
        /// How it stops.
        pub drain: Option<Drain>,
        /// How another takes over from it (`wald run --upgrade`).
        pub upgrade: Option<Upgrade>,
        /// How the audit trail is signed. Default: it is not.
        pub audit: Option<Audit>,
        /// Who is told what happens to experiments.
        pub events: Option<Events>,
        /// What is told about it all.
        pub telemetry: Option<Telemetry>,
    } with {
        /// Where in the text everything stands.
        pub places: Places,
    }
}

record! {
    /// How Wald stops when it is told to (SIGTERM, SIGINT or `POST /api/v1/drain`).
    pub struct Drain {
        /// How long it still takes connections after it has said that it is not ready (`/readyz`), so that
        /// balancers find out. Default: no time at all.
        pub wait: Option<Period>,
        /// How long requests may take to finish after that. Default: `30s`.
        pub time: Option<Period>,
    }
}

record! {
    /// Signed checkpoints of the audit trail, without which nobody sees that its end was cut off.
    pub struct Audit {
        /// A private Ed25519 key in PEM, for example `audit.key` (`openssl genpkey -algorithm ed25519`).
        pub key: PathBuf = required,
        /// The file that checkpoints are appended to, best on another disk. Default: the store's path with
        /// `.checkpoints` behind it.
        pub checkpoints: Option<PathBuf>,
    }
}

record! {
    /// How a newer Wald takes over sockets and store from this one while traffic runs (`wald run --upgrade`).
    pub struct Upgrade {
        /// The Unix socket at which it asks; only the same user and root may. At most 103 bytes, relative to
        /// the document's folder. Default: the store's path with `.upgrade` behind it, and without a store
        /// nobody can take over.
        pub socket: PathBuf = required,
    }
}

record! {
    /// Who is asked for the addresses of names.
    pub struct Dns {
        /// Name servers, for example `[10.0.0.2, "10.0.0.3:5353"]`.
        pub servers: Vec<String> = required,
    }
}

impl Document {
    /// Where `path` stands in the text.
    #[must_use]
    pub fn place(&self, path: &Path) -> Place {
        self.places.of(path)
    }
}

record! {
    /// The admin API's address and who may use it.
    pub struct Admin {
        /// Host and port, for example `127.0.0.1:9901`.
        pub address: String,
        /// Serves TLS. Required, with `allow` or `roles`, beyond a loopback address.
        pub tls: Option<Tls>,
        /// Who may use it; without `roles`, for everything. Default: whoever can reach it.
        pub allow: Vec<Allow>,
        /// Who of them may do what.
        pub roles: Option<Roles>,
    }
}

record! {
    /// Who may do what at the admin address; each role may do what those before it may.
    pub struct Roles {
        /// Who may look, and report feedback.
        pub viewer: Vec<Allow>,
        /// Who may reload, drain, start, pause and resume.
        pub operator: Vec<Allow>,
        /// Who may promote, roll back, approve and stop.
        pub approver: Vec<Allow>,
    }
}

record! {
    /// The durable store: decisions, ramp positions, evidence.
    pub struct Store {
        /// The file, relative to the document's folder, for example `./wald.redb`.
        pub path: PathBuf,
    }
}

/// Any YAML value: a section whose shape is not settled yet.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Anything(pub serde_json::Value);

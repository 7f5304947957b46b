//! The document's types, as written: no defaults that need thought, nothing checked across fields.

mod experiment;
mod listener;
mod model;
mod route;
mod telemetry;
mod token;
mod upstream;

pub use experiment::*;
pub use listener::*;
pub use model::*;
pub use route::*;
pub use telemetry::*;
pub use token::*;
pub use upstream::*;

use std::path::PathBuf;

/// A whole document of version `wald/v1`.
pub struct Document {
    /// Must be `wald/v1`.
    pub version: String,
    /// Where the admin API listens; loopback by default.
    pub admin: Option<Admin>,
    /// Where durable state lives.
    pub store: Option<Store>,
    /// How many worker threads serve traffic; the number of cores by default.
    pub workers: Option<u32>,
    /// Where traffic comes in.
    pub listeners: Vec<Listener>,
    /// Whose tokens are believed.
    pub tokens: Vec<Issuer>,
    /// Where traffic may go.
    pub upstreams: Vec<Upstream>,
    /// Models that Wald runs itself.
    pub models: Vec<Model>,
    /// What may go where; the first match wins.
    pub routes: Vec<Route>,
    /// What is being decided.
    pub experiments: Vec<Experiment>,
    /// What is told about it all.
    pub telemetry: Option<Telemetry>,
}

/// The admin API's address and who may use it.
pub struct Admin {
    /// Host and port.
    pub address: String,
    /// Reserved: TLS of the admin address.
    pub tls: Option<Tls>,
    /// Reserved: who may use it.
    pub allow: Vec<Allow>,
    /// Reserved: roles by caller.
    pub roles: Option<Anything>,
}

/// The durable store.
pub struct Store {
    /// The file, relative to the document's folder.
    pub path: PathBuf,
}

/// Any YAML value: a section whose shape is not settled yet.
pub struct Anything(pub serde_json_like::Value);

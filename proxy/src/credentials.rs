//! All that TLS is made of in one snapshot, by listener and by upstream, as the files were when it was prepared.
//!
//! A new handshake takes what is in force then; connections that are open stay as they are. A file that cannot
//! be used keeps the whole candidate out of force, so that what was there before stays.

mod due;
mod secrets;

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use policy::{ListenerId, Policy, Secret, UpstreamId};

pub(crate) use due::{now, warn};
pub(crate) use secrets::SecretError;

use crate::identify::agents::Agents;
use crate::identify::paper::{Paper, PaperError};
use crate::{accept, forward};

/// What proves who Wald is, and whom it believes.
#[derive(Default)]
pub(crate) struct Credentials {
    /// By `ListenerId`; none for plain text.
    listeners: Vec<Option<Arc<accept::Tls>>>,
    /// By `UpstreamId`; none for plain text.
    upstreams: Vec<Option<Arc<forward::Tls>>>,
    /// By `UpstreamId`; none where Wald presents nothing of its own.
    secrets: Vec<Option<HeaderValue>>,
    /// Of the admin address.
    admin: Option<Arc<accept::Tls>>,
    /// What agents have issued.
    agents: Agents,
}

/// Why credentials cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("TLS of {used_by} cannot be used")]
    Tls {
        /// The listener or upstream.
        used_by: String,
        /// Why.
        source: Box<PaperError>,
    },
    #[error("the Workload API gives nothing that can be used")]
    Agent {
        /// Why.
        source: Box<PaperError>,
    },
    #[error("authorization of upstream `{upstream}` cannot be used")]
    Secret {
        /// Whom it is for.
        upstream: String,
        /// Why.
        source: Box<SecretError>,
    },
}

impl Credentials {
    /// Reads every file that a policy names. Upstreams that did not change keep what `before` has.
    pub(crate) fn read(policy: &Policy, before: Option<&Self>) -> Result<Self, CredentialsError> {
        let sockets = agents(policy).map(PathBuf::as_path);
        let agents = Agents::ask(sockets, before.map(|before| &before.agents));
        let agents = agents.map_err(|(socket, source)| CredentialsError::Agent {
            source: Box::new(PaperError::Agent { socket, source }),
        })?;
        let listener = |listener: &policy::Listener| {
            let tls = listener.tls.as_ref();
            let protocols = [listener.http1, listener.http2];
            let used_by = format!("listener {}", listener.name);
            let read =
                tls.map(|tls| accept::Tls::read(&used_by, protocols, tls, &agents).map(Arc::new));
            read.transpose().map_err(|source| CredentialsError::Tls {
                used_by: format!("listener `{}`", listener.name),
                source: Box::new(source),
            })
        };
        let upstream = |upstream: &policy::Upstream| {
            let tls = upstream.tls.as_ref();
            let kept = before.into_iter().flat_map(|before| &before.upstreams);
            let read = tls.map(|tls| {
                let kept = kept.flatten().find(|kept| kept.serves(upstream, tls));
                forward::Tls::read(upstream, tls, &agents, kept)
            });
            read.transpose().map_err(|source| CredentialsError::Tls {
                used_by: format!("upstream `{}`", upstream.name),
                source: Box::new(source),
            })
        };
        let listeners = policy.listeners().iter().map(listener);
        let upstreams = policy.upstreams().iter().map(upstream);
        let (listeners, upstreams) = (
            listeners.collect::<Result<_, _>>()?,
            upstreams.collect::<Result<_, _>>()?,
        );
        Ok(Self {
            admin: admin(policy, &agents)?,
            secrets: secrets(policy)?,
            listeners,
            upstreams,
            agents,
        })
    }

    /// TLS of a listener; none if it speaks plain text.
    pub(crate) fn listener(&self, id: ListenerId) -> Option<&Arc<accept::Tls>> {
        self.listeners.get(id.index())?.as_ref()
    }

    /// TLS towards an upstream; none if it is spoken to in plain text.
    pub(crate) fn upstream(&self, id: UpstreamId) -> Option<&Arc<forward::Tls>> {
        self.upstreams.get(id.index())?.as_ref()
    }

    /// What Wald presents to an upstream in its own name.
    pub(crate) fn secret(&self, id: UpstreamId) -> Option<&HeaderValue> {
        self.secrets.get(id.index())?.as_ref()
    }

    /// What agents have issued.
    pub(crate) fn agents(&self) -> &Agents {
        &self.agents
    }

    /// TLS of the admin address; none if it speaks plain text.
    pub(crate) fn admin(&self) -> Option<&Arc<accept::Tls>> {
        self.admin.as_ref()
    }

    /// What has an end.
    pub(crate) fn papers(&self) -> impl Iterator<Item = &Paper> {
        let listeners = self.listeners.iter().flatten().flat_map(|tls| tls.papers());
        let upstreams = self.upstreams.iter().flatten().flat_map(|tls| tls.papers());
        let admin = self.admin.iter().flat_map(|tls| tls.papers());
        listeners.chain(upstreams).chain(admin)
    }
}

fn admin(policy: &Policy, agents: &Agents) -> Result<Option<Arc<accept::Tls>>, CredentialsError> {
    let tls = policy.admin().tls.as_ref();
    let read = tls.map(|tls| accept::Tls::read("admin", [true, false], tls, agents).map(Arc::new));
    read.transpose().map_err(|source| CredentialsError::Tls {
        used_by: "the admin address".to_owned(),
        source: Box::new(source),
    })
}

fn secrets(policy: &Policy) -> Result<Vec<Option<HeaderValue>>, CredentialsError> {
    let secret = |upstream: &policy::Upstream| {
        let read = upstream.authorization.as_ref().map(secrets::read);
        read.transpose().map_err(|source| CredentialsError::Secret {
            upstream: upstream.name.to_string(),
            source: Box::new(source),
        })
    };
    policy.upstreams().iter().map(secret).collect()
}

/// The sockets of every agent that credentials come from.
pub(crate) fn agents(policy: &Policy) -> impl Iterator<Item = &PathBuf> {
    let listeners = policy.listeners().iter();
    let listeners = listeners.filter_map(|listener| listener.tls.as_ref());
    let upstreams = policy.upstreams().iter();
    let upstreams = upstreams.filter_map(|upstream| upstream.tls.as_ref());
    let servers = listeners.chain(&policy.admin().tls);
    servers
        .flat_map(policy::tls::ServerTls::agents)
        .chain(upstreams.flat_map(policy::tls::ClientTls::agents))
}

/// Every file that credentials are read from.
pub(crate) fn files(policy: &Policy) -> impl Iterator<Item = &PathBuf> {
    let listeners = policy.listeners().iter();
    let listeners = listeners.filter_map(|listener| listener.tls.as_ref());
    let upstreams = policy.upstreams().iter();
    let secrets =
        upstreams
            .clone()
            .filter_map(|upstream| match &upstream.authorization.as_ref()?.secret {
                Secret::File(file) => Some(file),
                Secret::Env(_) => None,
            });
    let upstreams = upstreams.filter_map(|upstream| upstream.tls.as_ref());
    listeners
        .flat_map(policy::tls::ServerTls::files)
        .chain(upstreams.flat_map(policy::tls::ClientTls::files))
        .chain(secrets)
        .chain(
            policy
                .admin()
                .tls
                .iter()
                .flat_map(policy::tls::ServerTls::files),
        )
}

//! All that TLS is made of in one snapshot, by listener and by upstream, as the files were when it was prepared.
//!
//! A new handshake takes what is in force then; connections that are open stay as they are. A file that cannot
//! be used keeps the whole candidate out of force, so that what was there before stays.

mod due;
mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use policy::{ListenerId, Policy, Secret, UpstreamId};

pub(crate) use due::{now, warn};
pub(crate) use secrets::{SecretError, signing};

use crate::identify::agents::Agents;
use crate::identify::paper::{Paper, PaperError};
use crate::webhooks::SigningKey;
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
    /// What deliveries are signed with, by the webhook's name.
    webhooks: BTreeMap<Box<str>, Arc<SigningKey>>,
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
    #[error("the secret of webhook `{webhook}` cannot be used")]
    Webhook {
        /// Whom it is for.
        webhook: Box<str>,
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
            webhooks: webhooks(policy)?,
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

    /// What a webhook's deliveries are signed with, if they are.
    pub(crate) fn webhook(&self, name: &str) -> Option<Arc<SigningKey>> {
        self.webhooks.get(name).cloned()
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

fn webhooks(policy: &Policy) -> Result<BTreeMap<Box<str>, Arc<SigningKey>>, CredentialsError> {
    let mut keys = BTreeMap::new();
    for webhook in policy.webhooks() {
        let key = signing(webhook).map_err(|source| CredentialsError::Webhook {
            webhook: webhook.name.clone(),
            source: Box::new(source),
        })?;
        keys.extend(key.map(|key| (webhook.name.clone(), Arc::new(key))));
    }
    Ok(keys)
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
    let presented = upstreams.clone();
    let presented = presented.filter_map(|it| Some(&it.authorization.as_ref()?.secret));
    let signing = policy.webhooks().iter();
    let signing = signing.filter_map(|webhook| webhook.secret.as_ref());
    let secrets = presented.chain(signing).filter_map(|secret| match secret {
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

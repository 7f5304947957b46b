//! Certificates and authorities from a SPIFFE Workload API, an agent behind a Unix socket that renews them.
//!
//! To the rest of Wald an agent is like a folder of files: what it has issued is asked for when a document is
//! prepared, and whoever watches files watches the agent's stream, too. An agent that does not answer keeps
//! nothing from being prepared as long as it has answered before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, crypto::CryptoProvider};
use sha2::{Digest as _, Sha256};
use spiffe::{WorkloadApiClient, X509Context};

use crate::causes::causes;

/// The longest that an agent may take for its first answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// Why nothing was issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("the agent does not answer within {ANSWER_TIME_MAX:?}")]
    Late,
    #[error("the agent issues nothing")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the agent has closed its stream")]
    Closed,
    #[error("the agent has issued no certificate")]
    Nothing,
    #[error("the thread that asks the agent cannot run")]
    Thread,
    #[error("the certificate and key of the agent do not fit together")]
    Unusable(#[source] rustls::Error),
}

/// What every agent of a document has issued.
#[derive(Clone, Default)]
pub(crate) struct Agents(BTreeMap<PathBuf, Arc<Issued>>);

/// What one agent has issued.
pub(crate) struct Issued {
    /// The workload's certificate and its intermediates.
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// Authorities by trust domain: of the workload's own, and of those that it is federated with.
    bundles: BTreeMap<Box<str>, Vec<CertificateDer<'static>>>,
    digest: [u8; 32],
}

impl Agents {
    /// Asks each agent, on a thread of its own since this blocks. Who does not answer counts with what it
    /// issued before, if it did.
    pub(crate) fn ask<'a>(
        sockets: impl Iterator<Item = &'a Path>,
        before: Option<&Self>,
    ) -> Result<Self, (PathBuf, AgentError)> {
        let mut agents = BTreeMap::new();
        for socket in sockets {
            if agents.contains_key(socket) {
                continue;
            }
            let asked = std::thread::scope(|scope| scope.spawn(|| first(socket)).join());
            let issued = match (asked.unwrap_or(Err(AgentError::Thread)), before) {
                (Ok(issued), _) => Arc::new(issued),
                (Err(error), Some(before)) if before.of(socket).is_some() => {
                    tracing::warn!(socket = %socket.display(), error = %causes(&error), "the agent's last certificate stays in force");
                    before
                        .0
                        .get(socket)
                        .cloned()
                        .ok_or((socket.to_owned(), error))?
                }
                (Err(error), _) => return Err((socket.to_owned(), error)),
            };
            agents.insert(socket.to_owned(), issued);
        }
        Ok(Self(agents))
    }

    /// What an agent has issued.
    pub(crate) fn of(&self, socket: &Path) -> Option<&Issued> {
        self.0.get(socket).map(|issued| &**issued)
    }
}

impl Issued {
    /// The certificate with its key.
    pub(crate) fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, AgentError> {
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), provider)
            .map_err(AgentError::Unusable)
    }

    /// The certificate that is shown first.
    pub(crate) fn leaf(&self) -> &[u8] {
        self.chain.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// Authorities by trust domain.
    pub(crate) fn bundles(&self) -> impl Iterator<Item = (&str, RootCertStore)> {
        self.bundles.iter().map(|(domain, authorities)| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(authorities.iter().cloned());
            (&**domain, roots)
        })
    }

    /// The authorities of one trust domain; none if the agent knows none.
    pub(crate) fn bundle(&self, domain: &str) -> Option<RootCertStore> {
        let mut bundles = self.bundles();
        bundles.find_map(|(known, roots)| (known == domain).then_some(roots))
    }

    /// Tells whether two answers of an agent are the same.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn of(context: &X509Context) -> Result<Self, AgentError> {
        let svid = context.default_svid().ok_or(AgentError::Nothing)?;
        let der = |certificate: &spiffe::cert::Certificate| {
            CertificateDer::from(certificate.as_bytes().to_vec())
        };
        let bundles = context.bundle_set().iter().map(|(domain, bundle)| {
            let authorities = bundle.authorities().iter().map(der).collect();
            (domain.as_ref().into(), authorities)
        });
        let key = PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec());
        let mut issued = Self {
            chain: svid.cert_chain().iter().map(der).collect(),
            key: key.into(),
            bundles: bundles.collect(),
            digest: [0; 32],
        };
        issued.digest = issued.summed();
        Ok(issued)
    }

    fn summed(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        add(&mut digest, self.key.secret_der());
        add_all(&mut digest, &self.chain);
        for (domain, authorities) in &self.bundles {
            add(&mut digest, domain.as_bytes());
            add_all(&mut digest, authorities);
        }
        digest.finalize().into()
    }
}

/// Adds bytes with their length, so that what lies on one side of a border never sums up like the other.
fn add(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn add_all(digest: &mut Sha256, certificates: &[CertificateDer<'_>]) {
    digest.update((certificates.len() as u64).to_be_bytes());
    for certificate in certificates {
        add(digest, certificate);
    }
}

/// What an agent issues from now on; whoever listens hears what is in force first.
pub(crate) async fn stream(
    socket: &Path,
) -> Result<impl Stream<Item = Result<Issued, AgentError>> + Unpin + use<>, AgentError> {
    let refused = |error: spiffe::WorkloadApiError| AgentError::Refused(Box::new(error));
    let endpoint = format!("unix://{}", socket.display());
    let client = WorkloadApiClient::connect_to(endpoint).await;
    let contexts = client.map_err(refused)?.stream_x509_contexts().await;
    let issued = contexts
        .map_err(refused)?
        .map(move |context| Issued::of(&context.map_err(refused)?));
    Ok(Box::pin(issued))
}

fn first(socket: &Path) -> Result<Issued, AgentError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = async {
        let mut issued = stream(socket).await?;
        issued.next().await.unwrap_or(Err(AgentError::Closed))
    };
    runtime.map_err(|_| AgentError::Thread)?.block_on(async {
        tokio::time::timeout(ANSWER_TIME_MAX, answer)
            .await
            .unwrap_or(Err(AgentError::Late))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(bundles: [(&str, &[&'static [u8]]); 2]) -> [u8; 32] {
        let authorities = |known: &[&'static [u8]]| known.iter().map(|it| (*it).into()).collect();
        let bundles = bundles.map(|(domain, known)| (domain.into(), authorities(known)));
        let issued = Issued {
            chain: Vec::new(),
            key: PrivatePkcs8KeyDer::from(Vec::new()).into(),
            bundles: bundles.into(),
            digest: [0; 32],
        };
        issued.summed()
    }

    #[test]
    fn an_authority_that_moves_to_another_domain_is_a_change() {
        let before = issued([("a", &[b"1", b"2"]), ("b", &[b"3"])]);
        assert_ne!(before, issued([("a", &[b"1"]), ("b", &[b"2", b"3"])]));
        assert_eq!(before, issued([("a", &[b"1", b"2"]), ("b", &[b"3"])]));
    }
}

//! TLS of one listener: who Wald is to clients, and which clients it takes.

mod clients;
mod failure;
mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::SpiffeId;
use policy::tls::{self, ServerTls};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier as _;
use rustls::server::{ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub(crate) use failure::Failure;

use crate::identify::agents::Agents;
use crate::identify::certificate::Certificate;
use crate::identify::paper::{self, Paper, PaperError};
use clients::Authorities;
use names::Names;

/// The files of one listener as they were when they were read.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    /// Who judges clients; none if they are asked for nothing.
    clients: Option<Arc<clients::Clients>>,
    papers: Vec<Paper>,
}

/// What a handshake proved of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proved {
    /// The workload, if the client showed the certificate of one.
    pub(crate) workload: Option<SpiffeId>,
    /// Until when, in milliseconds since 1970: the end of the certificate.
    pub(crate) until_ms: u64,
    /// Its certificates, to be looked at again when the trust changes; none if it showed none.
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// Reads the files of a listener that speaks HTTP/1.1 and HTTP/2, or not.
    pub(crate) fn read(
        used_by: &str,
        [http1, http2]: [bool; 2],
        tls: &ServerTls,
        agents: &Agents,
    ) -> Result<Self, PaperError> {
        let mut papers = Vec::new();
        let mut shown = Vec::with_capacity(tls.certificates.len());
        for files in &tls.certificates {
            let (key, paper) = paper::certified(used_by, files, agents)?;
            shown.push((Names::new(&paper.names), Arc::new(key)));
            papers.push(paper);
        }
        let config = ServerConfig::builder_with_provider(paper::provider());
        let config = config.with_protocol_versions(versions(tls.tls12));
        let config = config.map_err(PaperError::Setup)?;
        let clients = match &tls.clients {
            tls::Clients::Unknown => None,
            tls::Clients::Known(trust) => {
                Some(Arc::new(believed(used_by, trust, agents, &mut papers)?))
            }
        };
        let config = match &clients {
            None => config.with_client_cert_verifier(Arc::new(NoClientAuth)),
            Some(clients) => {
                let clients: Arc<clients::Clients> = Arc::clone(clients);
                config.with_client_cert_verifier(clients)
            }
        };
        let mut config = config.with_cert_resolver(Arc::new(Shown(shown)));
        // Resumption would skip the look at the client's certificate, which may be revoked or expired by now.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = protocols(http1, http2);
        Ok(Self {
            acceptor: Arc::new(config).into(),
            clients,
            papers,
        })
    }

    /// What has an end.
    pub(crate) fn papers(&self) -> &[Paper] {
        &self.papers
    }

    /// Whether a client that showed this chain, or none, would be believed today.
    pub(super) fn believes(&self, chain: &[CertificateDer<'static>]) -> bool {
        match (&self.clients, chain.split_first()) {
            (None, _) => true,
            (Some(clients), None) => !clients.client_auth_mandatory(),
            (Some(clients), Some((leaf, intermediates))) => clients
                .verify_client_cert(leaf, intermediates, UnixTime::now())
                .is_ok(),
        }
    }

    /// The workload of a client that proved it at some time, if it would still be believed.
    pub(crate) fn workload<'a>(&self, proved: &'a Proved, now_ms: u64) -> Option<&'a SpiffeId> {
        let workload = proved.workload.as_ref();
        workload.filter(|_| now_ms < proved.until_ms && self.believes(&proved.chain))
    }

    /// Shakes hands.
    pub(crate) async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: T,
    ) -> Result<(TlsStream<T>, Proved), Failure> {
        let stream = self.acceptor.accept(stream).await.map_err(Failure::of)?;
        let proved = proved(&stream)?;
        Ok((stream, proved))
    }
}

static MODERN: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
static ALSO_OLD: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS13, &rustls::version::TLS12];

fn versions(tls12: bool) -> &'static [&'static SupportedProtocolVersion] {
    if tls12 { &ALSO_OLD } else { &MODERN }
}

fn protocols(http1: bool, http2: bool) -> Vec<Vec<u8>> {
    let spoken = [("h2", http2), ("http/1.1", http1)];
    let spoken = spoken.into_iter().filter(|(_, speaks)| *speaks);
    spoken.map(|(name, _)| name.as_bytes().to_vec()).collect()
}

/// Reads whom the listener believes.
fn believed(
    used_by: &str,
    trust: &tls::Trust,
    agents: &Agents,
    papers: &mut Vec<Paper>,
) -> Result<clients::Clients, PaperError> {
    let mut roots: BTreeMap<Option<Box<str>>, RootCertStore> = BTreeMap::new();
    for tls::Bundle { domain, file } in &trust.bundles {
        let roots = roots
            .entry(domain.clone())
            .or_insert_with(RootCertStore::empty);
        papers.push(paper::authorities(used_by, file, roots)?);
    }
    if let Some(socket) = &trust.agent {
        let bundles = paper::issued(socket, agents)?.bundles();
        roots.extend(bundles.map(|(domain, bundle)| (Some(domain.into()), bundle)));
    }
    let mut crls = Vec::new();
    for file in &trust.crls {
        let (lists, dates) = paper::revocations(used_by, file)?;
        crls.extend(lists);
        papers.extend(dates);
    }
    let authorities = Authorities { roots, crls };
    clients::Clients::new(authorities, trust.optional).map_err(PaperError::Trust)
}

/// What the client's certificate says, which the handshake has verified.
fn proved<T>(stream: &TlsStream<T>) -> Result<Proved, Failure> {
    let chain = stream.get_ref().1.peer_certificates();
    let Some((chain, leaf)) = chain.and_then(|chain| Some((chain, chain.first()?))) else {
        return Ok(Proved::default());
    };
    let certificate = Certificate::read(leaf).map_err(Failure::Workload)?;
    Ok(Proved {
        workload: certificate.workload().map_err(Failure::Workload)?,
        until_ms: u64::try_from(certificate.until)
            .unwrap_or_default()
            .saturating_mul(1000),
        chain: chain
            .iter()
            .cloned()
            .map(CertificateDer::into_owned)
            .collect(),
    })
}

/// The certificates of a listener, by the names on them.
#[derive(Debug)]
struct Shown(Vec<(Names, Arc<CertifiedKey>)>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Self(shown) = self;
        let asked = hello.server_name();
        let named = asked.and_then(|asked| shown.iter().find(|(names, _)| names.contain(asked)));
        // Whom none is meant for gets the first: clients that check SPIFFE ids ask for no name.
        let (_, key) = named.or(shown.first())?;
        Some(Arc::clone(key))
    }
}

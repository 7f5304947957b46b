//! Whom TLS proves to whom, by which files.

use std::path::PathBuf;

use crate::SpiffeId;

/// TLS as a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Who Wald is; at least one. The first is shown to whoever asks for a name that none has.
    pub certificates: Vec<Certificate>,
    /// Whether clients show certificates.
    pub clients: Clients,
    /// Whether a client may speak TLS 1.2.
    pub tls12: bool,
}

/// What is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clients {
    /// No certificate.
    Unknown,
    /// A certificate that one of these vouches for.
    Known(Trust),
}

/// Who is believed to vouch for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Whether a client may show none.
    pub optional: bool,
    /// At least one, unless there is an agent.
    pub bundles: Vec<Bundle>,
    /// The socket of an agent whose bundles are believed, each about its own trust domain.
    pub agent: Option<PathBuf>,
    /// What was revoked. Once there is one, every certificate must be covered by one that is current.
    pub crls: Vec<PathBuf>,
}

/// A file of authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The only trust domain that they may vouch for, if they may not for all.
    pub domain: Option<Box<str>>,
    /// The file.
    pub file: PathBuf,
}

/// Where a certificate and its key come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// From files.
    Files(CertificateFiles),
    /// From a SPIFFE Workload API behind this socket.
    Agent(PathBuf),
}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and its intermediates.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// TLS as a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// Who the server must be.
    pub server: Server,
    /// Who Wald is to it.
    pub certificate: Option<Certificate>,
}

/// Who a server must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Whoever these vouch for under this name. Without files: those that the machine believes.
    Named {
        /// Files of authorities.
        trust: Vec<PathBuf>,
        /// The socket of an agent whose bundle of the name's trust domain is believed.
        agent: Option<PathBuf>,
        /// What was revoked. Once there is one, every certificate must be covered by one that is current.
        crls: Vec<PathBuf>,
        /// The name on the certificate.
        name: Name,
    },
    /// Whoever answers. The document had to say so, and `validate` and a metric repeat it.
    Anyone,
}

/// The name that a certificate must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The host of the endpoint.
    Host,
    /// A DNS name.
    Dns(Box<str>),
    /// A SPIFFE id, as the one URI among its names.
    Spiffe(SpiffeId),
}

impl ServerTls {
    /// Every file that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let trust = match &self.clients {
            Clients::Unknown => None,
            Clients::Known(trust) => Some(trust),
        };
        let bundles = trust.into_iter().flat_map(|trust| &trust.bundles);
        let crls = trust.into_iter().flat_map(|trust| &trust.crls);
        let own = self.certificates.iter().flat_map(Certificate::files);
        own.chain(bundles.map(|bundle| &bundle.file)).chain(crls)
    }
}

impl ServerTls {
    /// The sockets of agents that it depends on.
    pub fn agents(&self) -> impl Iterator<Item = &PathBuf> {
        let trusted = match &self.clients {
            Clients::Unknown => None,
            Clients::Known(trust) => trust.agent.as_ref(),
        };
        self.certificates
            .iter()
            .filter_map(Certificate::agent)
            .chain(trusted)
    }
}

impl ClientTls {
    /// The sockets of agents that it depends on.
    pub fn agents(&self) -> impl Iterator<Item = &PathBuf> {
        let trusted = match &self.server {
            Server::Named { agent, .. } => agent.as_ref(),
            Server::Anyone => None,
        };
        self.certificate
            .iter()
            .filter_map(Certificate::agent)
            .chain(trusted)
    }

    /// Every file that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let (trust, crls) = match &self.server {
            Server::Named { trust, crls, .. } => (trust.as_slice(), crls.as_slice()),
            Server::Anyone => (&[][..], &[][..]),
        };
        let own = self.certificate.iter().flat_map(Certificate::files);
        own.chain(trust).chain(crls)
    }
}

impl Certificate {
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let files = match self {
            Self::Files(CertificateFiles { chain, key }) => Some([chain, key]),
            Self::Agent(_) => None,
        };
        files.into_iter().flatten()
    }

    fn agent(&self) -> Option<&PathBuf> {
        match self {
            Self::Files(_) => None,
            Self::Agent(socket) => Some(socket),
        }
    }
}

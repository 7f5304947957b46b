//! Whom TLS proves to whom, by which files.

use std::path::PathBuf;

use crate::SpiffeId;

/// TLS as a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Who Wald is; at least one. The first is shown to whoever asks for a name that none has.
    pub certificates: Vec<CertificateFiles>,
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
    /// At least one.
    pub bundles: Vec<Bundle>,
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
    pub certificate: Option<CertificateFiles>,
}

/// Who a server must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Whoever these vouch for under this name. Without files: those that the machine believes.
    Named {
        /// Files of authorities.
        trust: Vec<PathBuf>,
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
        let own = self.certificates.iter().flat_map(CertificateFiles::files);
        own.chain(bundles.map(|bundle| &bundle.file)).chain(crls)
    }
}

impl ClientTls {
    /// Every file that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let (trust, crls) = match &self.server {
            Server::Named { trust, crls, .. } => (trust.as_slice(), crls.as_slice()),
            Server::Anyone => (&[][..], &[][..]),
        };
        let own = self.certificate.iter().flat_map(CertificateFiles::files);
        own.chain(trust).chain(crls)
    }
}

impl CertificateFiles {
    fn files(&self) -> [&PathBuf; 2] {
        [&self.chain, &self.key]
    }
}

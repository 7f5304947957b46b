//! The files by which workloads prove who they are: certificates, keys, authorities, revocations.
//!
//! Files are read when a document is prepared and never while a request waits.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::tls::{self, CertificateFiles};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

use super::agents::{AgentError, Agents, Issued};
use super::certificate::Certificate;

/// Larger files are no certificates: a bundle of a thousand authorities has 2 MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PaperError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not PEM, or has nothing of what is looked for.
    #[error("no {wanted} in {}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What should be there.
        wanted: &'static str,
        /// Why there is none.
        source: pem::Error,
    },
    /// What is in it cannot be read.
    #[error("a {wanted} in {} cannot be read", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// The key cannot be used, or is that of another certificate.
    #[error("the key {} does not serve the certificate {}", key.display(), chain.display())]
    Key {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        chain: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The machine has no authorities of its own.
    #[error("the machine believes no authorities: name some in `trust`")]
    NoAuthorities,
    /// Authorities or revocations that are read but cannot be used.
    #[error("who is to be believed makes no sense")]
    Trust(#[source] rustls::server::VerifierBuilderError),
    /// An agent issues nothing that can be used.
    #[error("nothing from the agent at {}", socket.display())]
    Agent {
        /// Its socket.
        socket: PathBuf,
        /// Why.
        source: AgentError,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
    /// An endpoint's host is no name that a certificate could carry.
    #[error("{host:?} is no name that a certificate could carry")]
    Host {
        /// The host.
        host: String,
    },
}

/// What has an end: a certificate, a bundle by its first authority to expire, a list of revocations.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Paper {
    /// What it is for, for example `listener edge`.
    pub(crate) used_by: String,
    /// `certificate`, `trust` or `crl`.
    pub(crate) kind: &'static str,
    /// The file.
    pub(crate) file: PathBuf,
    /// DNS names and URIs of a certificate.
    pub(crate) names: Vec<String>,
    /// From when it is good, in seconds since 1970.
    pub(crate) from: i64,
    /// Until when it is good, in seconds since 1970.
    pub(crate) until: i64,
}

impl Paper {
    fn new(used_by: &str, kind: &'static str, file: &Path, read: &Certificate) -> Self {
        Self {
            used_by: used_by.to_owned(),
            kind,
            file: file.to_owned(),
            names: read.uris.iter().chain(&read.dns_names).cloned().collect(),
            from: read.from,
            until: read.until,
        }
    }

    /// How metrics and logs name it. The file tells several of one kind apart.
    pub(crate) fn name(&self) -> String {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        format!("{} {} {file}", self.used_by, self.kind)
    }

    /// Whether it should have been renewed by now: two thirds of its time are over.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.until.saturating_sub(now) < self.until.saturating_sub(self.from) / 3
    }
}

/// The algorithms of every handshake. The key exchange that also withstands quantum computers comes first.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![
            kx_group::X25519MLKEM768,
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// A certificate with its key, and its names and dates; from files, or from one of the agents.
pub(crate) fn certified(
    used_by: &str,
    certificate: &tls::Certificate,
    agents: &Agents,
) -> Result<(CertifiedKey, Paper), PaperError> {
    match certificate {
        tls::Certificate::Files(files) => of_files(used_by, files),
        tls::Certificate::Agent(socket) => of_agent(used_by, socket, agents),
    }
}

fn of_agent(
    used_by: &str,
    socket: &Path,
    agents: &Agents,
) -> Result<(CertifiedKey, Paper), PaperError> {
    let issued = issued(socket, agents)?;
    let refused = |source| PaperError::Agent {
        socket: socket.to_owned(),
        source,
    };
    let certified = issued.certified(&provider()).map_err(refused)?;
    let read = certificate(socket, issued.leaf())?;
    Ok((certified, Paper::new(used_by, "certificate", socket, &read)))
}

/// What an agent has issued; it was asked before anything was prepared.
pub(crate) fn issued<'a>(socket: &Path, agents: &'a Agents) -> Result<&'a Issued, PaperError> {
    agents.of(socket).ok_or_else(|| PaperError::Agent {
        socket: socket.to_owned(),
        source: AgentError::Nothing,
    })
}

fn of_files(used_by: &str, files: &CertificateFiles) -> Result<(CertifiedKey, Paper), PaperError> {
    let CertificateFiles { chain, key } = files;
    let certificates = list::<CertificateDer<'static>>(chain, "certificate")?;
    let first = certificates.first().map(AsRef::as_ref).unwrap_or_default();
    let read = certificate(chain, first)?;
    let private =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|source| PaperError::Pem {
            path: key.clone(),
            wanted: "private key",
            source,
        })?;
    let certified = CertifiedKey::from_der(certificates, private, &provider());
    let certified = certified.map_err(|source| PaperError::Key {
        key: key.clone(),
        chain: chain.clone(),
        source,
    })?;
    let paper = Paper::new(used_by, "certificate", chain, &read);
    Ok((certified, paper))
}

/// The authorities of a file, and a paper for the first of them to expire.
pub(crate) fn authorities(
    used_by: &str,
    file: &Path,
    roots: &mut RootCertStore,
) -> Result<Paper, PaperError> {
    let mut first: Option<Certificate> = None;
    for der in list::<CertificateDer<'static>>(file, "certificate")? {
        let read = certificate(file, &der)?;
        if first.as_ref().is_none_or(|first| read.until < first.until) {
            first = Some(read);
        }
        roots.add(der).map_err(|_| unusable(file, "certificate"))?;
    }
    let first = first.ok_or_else(|| unusable(file, "certificate"))?;
    Ok(Paper {
        names: Vec::new(),
        ..Paper::new(used_by, "trust", file, &first)
    })
}

/// The authorities that the machine believes.
pub(crate) fn machine_authorities() -> Result<RootCertStore, PaperError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(PaperError::NoAuthorities);
    }
    Ok(roots)
}

/// The revocations of a file. One without a date for the next would never expire, and is refused.
pub(crate) fn revocations(
    used_by: &str,
    file: &Path,
) -> Result<(Vec<CertificateRevocationListDer<'static>>, Vec<Paper>), PaperError> {
    let lists = list::<CertificateRevocationListDer<'static>>(file, "revocation list")?;
    let paper = |der: &CertificateRevocationListDer<'_>| {
        let (_, parsed) = CertificateRevocationList::from_der(der).ok()?;
        Some(Paper {
            used_by: used_by.to_owned(),
            kind: "crl",
            file: file.to_owned(),
            names: Vec::new(),
            from: parsed.last_update().timestamp(),
            until: parsed.next_update()?.timestamp(),
        })
    };
    let papers = lists.iter().map(paper).collect::<Option<_>>();
    let papers = papers.ok_or_else(|| unusable(file, "revocation list"))?;
    Ok((lists, papers))
}

fn certificate(file: &Path, der: &[u8]) -> Result<Certificate, PaperError> {
    Certificate::read(der).map_err(|_| unusable(file, "certificate"))
}

fn unusable(file: &Path, wanted: &'static str) -> PaperError {
    PaperError::Content {
        path: file.to_owned(),
        wanted,
    }
}

/// Everything of one kind in a PEM file; at least one.
fn list<T: PemObject>(file: &Path, wanted: &'static str) -> Result<Vec<T>, PaperError> {
    let refused = |source| PaperError::Pem {
        path: file.to_owned(),
        wanted,
        source,
    };
    let bytes = bytes(file)?;
    let found: Vec<T> = T::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(refused)?;
    if found.is_empty() {
        return Err(refused(pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// A file's bytes.
pub(crate) fn bytes(file: &Path) -> Result<Vec<u8>, PaperError> {
    use io::Read;
    let refused = |source| PaperError::Read {
        path: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(refused)?;
    opened
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(from: i64, until: i64) -> Paper {
        Paper {
            used_by: "listener edge".to_owned(),
            kind: "certificate",
            file: "/etc/wald/edge.pem".into(),
            names: Vec::new(),
            from,
            until,
        }
    }

    #[test]
    fn a_paper_is_due_when_two_thirds_of_its_time_are_over() {
        let day = paper(0, 90);
        assert!(!day.is_due(60) && day.is_due(61) && day.is_due(1000));
        assert_eq!(day.name(), "listener edge certificate edge.pem");
    }
}

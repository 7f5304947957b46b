//! Which server certificates are believed where rustls has no rule for it: by SPIFFE id, or whatever they are.

use std::sync::Arc;

use policy::SpiffeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};

use crate::identify::certificate::{Certificate, NoWorkload};
use crate::identify::paper;

/// Why a server with a valid chain is not the one that was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mistaken {
    /// Its names make no workload.
    #[error(transparent)]
    Workload(#[from] NoWorkload),
    /// It names no workload.
    #[error("the server's certificate names no workload")]
    Nameless,
    /// It is another.
    #[error("the server is {found}")]
    Other {
        /// Who it is.
        found: SpiffeId,
    },
}

/// Believes by other rules than rustls's own. Host and DNS names say nothing then.
#[derive(Debug)]
pub(super) struct Verifier {
    whom: Whom,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Whom {
    /// The one workload that is meant, if these authorities vouch for it.
    Workload {
        meant: SpiffeId,
        roots: RootCertStore,
    },
    /// Whoever answers, because the document says `insecure: true`.
    Anyone,
}

impl Verifier {
    /// Believes this workload if these authorities vouch for it.
    pub(super) fn workload(meant: SpiffeId, roots: RootCertStore) -> Self {
        Self::new(Whom::Workload { meant, roots })
    }

    /// Believes whoever answers.
    pub(super) fn anyone() -> Self {
        Self::new(Whom::Anyone)
    }

    fn new(whom: Whom) -> Self {
        let algorithms = paper::provider().signature_verification_algorithms;
        Self { whom, algorithms }
    }
}

fn is_meant(meant: &SpiffeId, leaf: &CertificateDer<'_>) -> Result<(), Mistaken> {
    let found = Certificate::read(leaf)?.workload()?;
    let found = found.ok_or(Mistaken::Nameless)?;
    if found == *meant {
        Ok(())
    } else {
        Err(Mistaken::Other { found })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Whom::Workload { meant, roots } = &self.whom {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(leaf)?,
                roots,
                intermediates,
                now,
                self.algorithms.all,
            )?;
            is_meant(meant, leaf)
                .map_err(|why| CertificateError::Other(OtherError(Arc::new(why))))?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

//! Which server certificates are believed where rustls has no rule for it: by SPIFFE id, or whatever they are.

use std::sync::Arc;

use policy::SpiffeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use rustls::server::VerifierBuilderError;
use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};

use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder,
};

use crate::identify::certificate::{Certificate, NoWorkload};
use crate::identify::paper::{self, PaperError};

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
        revoked: Vec<CertRevocationList<'static>>,
    },
    /// Whoever answers, because the document says `insecure: true`.
    Anyone,
}

impl Verifier {
    /// Believes this workload if these authorities vouch for it, and did not revoke it.
    pub(super) fn workload(
        meant: SpiffeId,
        roots: RootCertStore,
        revoked: &[CertificateRevocationListDer<'static>],
    ) -> Result<Self, PaperError> {
        let unusable = |_| {
            PaperError::Trust(VerifierBuilderError::InvalidCrl(
                CertRevocationListError::ParseError,
            ))
        };
        let read = |der: &CertificateRevocationListDer<'static>| {
            OwnedCertRevocationList::from_der(der).map(CertRevocationList::from)
        };
        let revoked = revoked
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map_err(unusable)?;
        Ok(Self::new(Whom::Workload {
            meant,
            roots,
            revoked,
        }))
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

/// What webpki has against a chain, as rustls tells it to the server.
fn refused(why: webpki::Error) -> Error {
    match why {
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertRevoked => CertificateError::Revoked,
        webpki::Error::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus,
        webpki::Error::CrlExpired { .. } => CertificateError::ExpiredRevocationList,
        webpki::Error::BadDer => CertificateError::BadEncoding,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
    .into()
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
        if let Whom::Workload {
            meant,
            roots,
            revoked,
        } = &self.whom
        {
            let revoked: Vec<&CertRevocationList<'_>> = revoked.iter().collect();
            // Every certificate of the chain must be covered by a list that is current.
            let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(|options| {
                let current = ExpirationPolicy::Enforce;
                options.with_expiration_policy(current).build()
            });
            let chain = EndEntityCert::try_from(leaf).map_err(refused)?;
            chain
                .verify_for_usage(
                    self.algorithms.all,
                    &roots.roots,
                    intermediates,
                    now,
                    KeyUsage::server_auth(),
                    revocation,
                    None,
                )
                .map_err(refused)?;
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

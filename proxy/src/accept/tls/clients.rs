//! Which client certificates are believed: chain, dates and revocation by webpki, the workload by rules of SPIFFE.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::SpiffeId;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::identify::certificate::{Certificate, NoWorkload};
use crate::identify::paper;

/// Who may vouch, for one trust domain or for all, and what was revoked.
pub(super) struct Authorities {
    /// By trust domain; none is for all.
    pub(super) roots: BTreeMap<Option<Box<str>>, RootCertStore>,
    /// Revocations.
    pub(super) crls: Vec<CertificateRevocationListDer<'static>>,
}

/// Why a certificate was refused for its names. Its chain was not looked at yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misnamed {
    /// Its names make no workload, nor do they make none.
    #[error(transparent)]
    Workload(#[from] NoWorkload),
    /// Nobody may vouch for workloads of its trust domain.
    #[error("no authorities for the trust domain of {0}")]
    Domain(SpiffeId),
    /// It names no workload, and authorities are believed about workloads only.
    #[error("the certificate names no workload")]
    Nameless,
}

/// The verifier of a listener.
#[derive(Debug)]
pub(super) struct Clients {
    by_domain: BTreeMap<Option<Box<str>>, Arc<dyn ClientCertVerifier>>,
    any: Arc<dyn ClientCertVerifier>,
    hints: Vec<DistinguishedName>,
    optional: bool,
}

impl Clients {
    /// Believes these authorities.
    pub(super) fn new(
        authorities: Authorities,
        optional: bool,
    ) -> Result<Self, VerifierBuilderError> {
        let Authorities { roots, crls } = authorities;
        let hints = roots.values().flat_map(RootCertStore::subjects).collect();
        let mut by_domain = BTreeMap::new();
        for (domain, roots) in roots {
            by_domain.insert(domain, verifier(roots, crls.clone())?);
        }
        let any = by_domain.values().next().cloned();
        Ok(Self {
            any: any.ok_or(VerifierBuilderError::NoRootAnchors)?,
            by_domain,
            hints,
            optional,
        })
    }

    /// The authorities that may vouch for the certificate. What it says of itself chooses them, and they
    /// then decide whether that is true.
    fn responsible(&self, leaf: &CertificateDer<'_>) -> Result<&dyn ClientCertVerifier, Misnamed> {
        let workload = Certificate::read(leaf)?.workload()?;
        let domain = workload.as_ref().map(SpiffeId::trust_domain);
        let own = domain.and_then(|domain| self.by_domain.get(&Some(domain.into())));
        match (own.or_else(|| self.by_domain.get(&None)), workload) {
            (Some(verifier), _) => Ok(&**verifier),
            (None, Some(workload)) => Err(Misnamed::Domain(workload)),
            (None, None) => Err(Misnamed::Nameless),
        }
    }
}

/// Once there is a revocation list, every certificate of a chain must be covered by one that is current:
/// unknown is refused by default, and expired because it is asked for here.
fn verifier(
    roots: RootCertStore,
    crls: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
    WebPkiClientVerifier::builder_with_provider(roots.into(), paper::provider())
        .with_crls(crls)
        .enforce_revocation_expiration()
        .build()
}

impl ClientCertVerifier for Clients {
    fn client_auth_mandatory(&self) -> bool {
        !self.optional
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let responsible = self.responsible(leaf).map_err(refused)?;
        responsible.verify_client_cert(leaf, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.any.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.any.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.any.supported_verify_schemes()
    }
}

fn refused(why: Misnamed) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(why))).into()
}

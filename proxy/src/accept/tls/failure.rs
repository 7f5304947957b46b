//! Why a handshake failed, as logs and the metric say it. The client learns the alert of TLS, nothing more.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage};

use super::clients::Misnamed;
use crate::identify::certificate::NoWorkload;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What the client sent was no valid handshake, or its certificate was refused.
    #[error(transparent)]
    Tls(Error),
    /// The client left.
    #[error(transparent)]
    Broken(io::Error),
    /// It took too long.
    #[error("the handshake took too long")]
    Late,
    /// The verified certificate names no workload, though it did when it was verified.
    #[error(transparent)]
    Workload(NoWorkload),
}

impl Failure {
    /// What `tokio_rustls` reports.
    pub(super) fn of(error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls.cloned() {
            Some(tls) => Self::Tls(tls),
            None => Self::Broken(error),
        }
    }

    /// The metric's label.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Tls(error) => tls(error),
            Self::Broken(_) => "broken",
            Self::Late => "late",
            Self::Workload(_) => "misnamed",
        }
    }
}

fn tls(error: &Error) -> &'static str {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "not_tls",
        Error::NoCertificatesPresented => "no_certificate",
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(_) => "refused_by_client",
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => "incompatible",
        _ => "invalid",
    }
}

fn certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not_valid_yet"
        }
        CertificateError::Revoked => "revoked",
        CertificateError::UnknownIssuer => "unknown_issuer",
        CertificateError::UnknownRevocationStatus => "unknown_revocation",
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => "expired_crl",
        CertificateError::Other(other) => match other.0.downcast_ref::<Misnamed>() {
            Some(Misnamed::Domain(_)) => "trust_domain",
            Some(Misnamed::Nameless) => "nameless",
            Some(Misnamed::Workload(_)) => "misnamed",
            None => "bad_certificate",
        },
        _ => "bad_certificate",
    }
}

//! Signatures of OpenSSF Model Signing that were made with a key.
//!
//! A Sigstore bundle (0.3) holds a DSSE envelope, and that holds an in-toto statement (version 1) with a digest
//! of each file of the model. <https://github.com/ossf/model-signing-spec>,
//! <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use webpki::aws_lc_rs::{ECDSA_P256_SHA256, ECDSA_P384_SHA384, ECDSA_P521_SHA512};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What the envelope says that it holds.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";

/// The only digests that a file's own is told apart by.
const SHA256: &str = "sha256";

/// Why a bundle proves nothing of a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatementError {
    #[error("it is no PEM of a public key")]
    Pem,
    #[error("its key is not on P-256, P-384 or P-521")]
    Curve,
    #[error("it is no JSON of that form")]
    Json(#[from] serde_json::Error),
    #[error("its base64 is broken")]
    Base64(#[from] base64::DecodeError),
    #[error("its {field} is `{found}`, expected `{expected}`")]
    Other {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("the key did not make it")]
    Key,
    #[error("the digest of its subject is not that of its list of files")]
    Subject,
    #[error("the file is not among those that it signs")]
    NotListed,
}

/// A public key.
pub(super) struct Key {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    point: Vec<u8>,
}

impl Key {
    /// Reads a key in PEM (RFC 7468 section 13).
    pub(super) fn parse(pem: &[u8]) -> Result<Self, StatementError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| StatementError::Pem)?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| StatementError::Pem)?;
        let curve = info.algorithm.parameters.as_ref();
        let curve = curve.and_then(|curve| curve.as_oid().ok());
        let curve = curve.ok_or(StatementError::Curve)?.to_id_string();
        Ok(Self {
            algorithm: algorithm(&curve).ok_or(StatementError::Curve)?,
            point: info.subject_public_key.data.to_vec(),
        })
    }
}

/// How keys on this curve sign, by its object identifier (RFC 5480 section 2.1.1.1): the signer takes a hash for
/// each.
fn algorithm(curve: &str) -> Option<&'static dyn SignatureVerificationAlgorithm> {
    match curve {
        "1.2.840.10045.3.1.7" => Some(ECDSA_P256_SHA256),
        "1.3.132.0.34" => Some(ECDSA_P384_SHA384),
        "1.3.132.0.35" => Some(ECDSA_P521_SHA512),
        _ => None,
    }
}

/// A statement, and who signed it.
pub(super) struct Bundle {
    payload: Vec<u8>,
    signatures: Vec<Vec<u8>>,
    statement: Statement,
}

impl Bundle {
    /// Reads a bundle; nothing of it is believed yet.
    pub(super) fn parse(json: &[u8]) -> Result<Self, StatementError> {
        let WrittenBundle { envelope } = serde_json::from_slice(json)?;
        expect("payloadType", &envelope.payload_type, PAYLOAD_TYPE)?;
        let payload = STANDARD.decode(envelope.payload)?;
        let statement: Statement = serde_json::from_slice(&payload)?;
        expect("_type", &statement.kind, STATEMENT_TYPE)?;
        expect("predicateType", &statement.predicate_type, PREDICATE_TYPE)?;
        let signatures = envelope.signatures.into_iter();
        Ok(Self {
            payload,
            signatures: signatures
                .map(|signature| STANDARD.decode(signature.sig))
                .collect::<Result<_, _>>()?,
            statement,
        })
    }

    /// Whether the key's owner signed a model that this file belongs to. Its name is not looked at: the digest
    /// says which file it is.
    pub(super) fn verify(&self, key: &Key, sha256: &[u8; 32]) -> Result<(), StatementError> {
        let message = encoded(PAYLOAD_TYPE, &self.payload);
        let is_signed = |signature: &Vec<u8>| {
            let verified = key
                .algorithm
                .verify_signature(&key.point, &message, signature);
            verified.is_ok()
        };
        if !self.signatures.iter().any(is_signed) {
            return Err(StatementError::Key);
        }
        let files = self.statement.files()?;
        if files.iter().any(|digest| digest == sha256) {
            Ok(())
        } else {
            Err(StatementError::NotListed)
        }
    }
}

/// What DSSE signs: type and payload, each behind its length.
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn expect(field: &'static str, found: &str, expected: &'static str) -> Result<(), StatementError> {
    if found == expected {
        return Ok(());
    }
    Err(StatementError::Other {
        field,
        found: found.to_owned(),
        expected,
    })
}

#[derive(Deserialize)]
struct WrittenBundle {
    #[serde(rename = "dsseEnvelope")]
    envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    sig: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    digest: SubjectDigest,
}

#[derive(Deserialize)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    digest: String,
    algorithm: String,
}

impl Statement {
    /// The digest of each file. That of the subject is the digest of all of them, one after the other.
    fn files(&self) -> Result<Vec<[u8; 32]>, StatementError> {
        let mut all = Sha256::new();
        let mut files = Vec::with_capacity(self.predicate.resources.len());
        for Resource { digest, algorithm } in &self.predicate.resources {
            // Of other algorithms none says what this file is.
            expect("algorithm", algorithm, SHA256)?;
            let digest = policy::sha256(digest).ok_or(StatementError::Subject)?;
            all.update(digest);
            files.push(digest);
        }
        let whole: [u8; 32] = all.finalize().into();
        match self.subject.as_slice() {
            [subject] if policy::sha256(&subject.digest.sha256) == Some(whole) => Ok(files),
            _ => Err(StatementError::Subject),
        }
    }
}

//! Signed checkpoints: which record was the last one at a moment, kept elsewhere. A chain that was cut off behind
//! one of them, or written anew, does not hold any more.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::SigningKey;
use serde::{Deserialize, Serialize};

/// What stands before the 32 bytes of an Ed25519 key in its public form (RFC 8410 §4).
const ED25519_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    /// The number of the record that was the last one.
    pub(crate) sequence: u64,
    /// Its hash.
    pub(crate) hash: String,
    /// When it was signed (RFC 3339).
    pub(crate) time: String,
    /// The public key, in base64.
    key: String,
    /// Of [`Checkpoint::message`], in base64.
    signature: String,
}

/// An Ed25519 key that checkpoints are believed by: 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(Vec<u8>);

/// Who signs checkpoints and writes them down.
pub(crate) struct Notary {
    key: Arc<dyn SigningKey>,
    public: PublicKey,
    file: PathBuf,
    signed: u64,
}

/// Why nothing can be signed, or believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no key in it.
    #[error("{} holds no key in PEM", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// It is another kind of key.
    #[error("{} holds no Ed25519 key (openssl genpkey -algorithm ed25519)", .0.display())]
    NotEd25519(PathBuf),
    /// A line is none.
    #[error("{} has something else than a checkpoint in line {line}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The library did not sign.
    #[error("the checkpoint could not be signed")]
    Signing(#[source] rustls::Error),
}

impl Notary {
    /// Signs with the private key in `key` and appends to `file`, which others may keep on another disk.
    pub(crate) fn open(key: &Path, file: &Path) -> Result<Self, CheckpointError> {
        let (key, public) = private(key)?;
        // What cannot be written is said at the start.
        append(file, "")?;
        Ok(Self {
            key,
            public,
            file: file.to_owned(),
            signed: 0,
        })
    }

    /// Whether this record, the last one now, was signed by this process.
    pub(crate) fn has_signed(&self, sequence: u64) -> bool {
        sequence <= self.signed
    }

    /// Signs that this is the last record, and has it on disk when it returns.
    pub(crate) fn sign(
        &mut self,
        sequence: u64,
        hash: &str,
        time: String,
    ) -> Result<(), CheckpointError> {
        let not_ed25519 = || CheckpointError::NotEd25519(self.file.clone());
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]);
        let message = Checkpoint::message(sequence, hash, &time);
        let signature = signer.ok_or_else(not_ed25519)?.sign(message.as_bytes());
        let checkpoint = Checkpoint {
            sequence,
            hash: hash.to_owned(),
            time,
            key: STANDARD.encode(&self.public.0),
            signature: STANDARD.encode(signature.map_err(CheckpointError::Signing)?),
        };
        let line = serde_json::to_string(&checkpoint).map_err(|error| CheckpointError::File {
            path: self.file.clone(),
            source: error.into(),
        })?;
        append(&self.file, &(line + "\n"))?;
        self.signed = sequence;
        Ok(())
    }
}

impl Checkpoint {
    /// What is signed.
    fn message(sequence: u64, hash: &str, time: &str) -> String {
        format!("wald audit checkpoint 1\n{sequence}\n{hash}\n{time}\n")
    }

    /// Whether this key signed it.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let message = Self::message(self.sequence, &self.hash, &self.time);
        let Ok(signature) = STANDARD.decode(&self.signature) else {
            return false;
        };
        let algorithm = webpki::aws_lc_rs::ED25519;
        let verified = algorithm.verify_signature(&key.0, message.as_bytes(), &signature);
        verified.is_ok()
    }
}

impl PublicKey {
    /// The key in a file: a public one, or the public half of a private one.
    pub(crate) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = bytes(path)?;
        match SubjectPublicKeyInfoDer::from_pem_slice(&bytes) {
            Ok(public) => Self::of(&public, path),
            Err(_) => private(path).map(|(_, public)| public),
        }
    }

    fn of(public: &SubjectPublicKeyInfoDer<'_>, path: &Path) -> Result<Self, CheckpointError> {
        let key = public.strip_prefix(ED25519_PREFIX.as_slice());
        let key = key.filter(|key| key.len() == 32);
        let key = key.ok_or_else(|| CheckpointError::NotEd25519(path.to_owned()))?;
        Ok(Self(key.to_vec()))
    }
}

/// The checkpoints of a file, in their order.
pub(crate) fn read(path: &Path) -> Result<Vec<Checkpoint>, CheckpointError> {
    let text = bytes(path)?;
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    let written = lines.filter(|(line, _)| !line.is_empty());
    let checkpoint = |(text, line)| {
        serde_json::from_slice(text).map_err(|_| CheckpointError::Line {
            path: path.to_owned(),
            line,
        })
    };
    written.map(checkpoint).collect()
}

fn private(path: &Path) -> Result<(Arc<dyn SigningKey>, PublicKey), CheckpointError> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(&bytes(path)?);
    let der = der.map_err(|source| CheckpointError::Pem {
        path: path.to_owned(),
        source,
    })?;
    let not_ed25519 = || CheckpointError::NotEd25519(path.to_owned());
    let key = any_eddsa_type(&der).map_err(|_| not_ed25519())?;
    let public = key.public_key().ok_or_else(not_ed25519)?;
    let public = PublicKey::of(&public, path)?;
    Ok((key, public))
}

fn bytes(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    std::fs::read(path).map_err(|source| CheckpointError::File {
        path: path.to_owned(),
        source,
    })
}

fn append(path: &Path, text: &str) -> Result<(), CheckpointError> {
    let file = File::options().create(true).append(true).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_data()
    });
    written.map_err(|source| CheckpointError::File {
        path: path.to_owned(),
        source,
    })
}

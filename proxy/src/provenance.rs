//! Who made a model's file: detached signatures, checked against a key that the document names and nothing else.
//!
//! A digest pins the bytes; a signature says whose they are. Nothing is asked of a server, and nothing is
//! believed because it came along with the file.

mod openssf;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use policy::SignerKey;

pub(crate) use openssf::StatementError;

/// The largest file of a key or signature. A statement about a folder of a thousand files has some 200 KiB.
const BYTES_MAX: u64 = 1 << 20;

/// Why a file is not proved to be its signer's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    /// A key or a signature cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key or a signature is none.
    #[error("{} holds no {wanted}", path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another key made it, or it is of something else.
    #[error("the signature in {} is not one of `{signer}` over this file", path.display())]
    Wrong {
        /// The signature.
        path: PathBuf,
        /// Whose it should be.
        signer: String,
        /// What did not agree.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Proves that the signer signed these bytes, of which `sha256` is the digest.
pub(crate) fn verify(
    signature: &policy::Signature,
    bytes: &[u8],
    sha256: &[u8; 32],
) -> Result<(), SignatureError> {
    match &signature.key {
        SignerKey::Minisign(key) => minisign(signature, key, bytes),
        SignerKey::OpenSsf(key) => openssf(signature, key, sha256),
    }
}

/// Minisign's own forms: <https://jedisct1.github.io/minisign/#signature-format>.
fn minisign(signature: &policy::Signature, key: &Path, bytes: &[u8]) -> Result<(), SignatureError> {
    let form = |path: &Path, wanted, error: minisign_verify::Error| SignatureError::Form {
        path: path.to_owned(),
        wanted,
        source: error.into(),
    };
    let public = PublicKey::decode(&text(key)?)
        .map_err(|error| form(key, "public key of minisign", error))?;
    let written = Signature::decode(&text(&signature.file)?)
        .map_err(|error| form(&signature.file, "signature of minisign", error))?;
    // The older form signs the file itself and not its hash; both are safe.
    let verified = public.verify(bytes, &written, true);
    verified.map_err(|error| wrong(signature, error))
}

fn openssf(
    signature: &policy::Signature,
    key: &Path,
    sha256: &[u8; 32],
) -> Result<(), SignatureError> {
    let form = |path: &Path, wanted, error: StatementError| SignatureError::Form {
        path: path.to_owned(),
        wanted,
        source: error.into(),
    };
    let public = openssf::Key::parse(text(key)?.as_bytes())
        .map_err(|error| form(key, "ECDSA public key in PEM", error))?;
    let bundle = openssf::Bundle::parse(text(&signature.file)?.as_bytes())
        .map_err(|error| form(&signature.file, "bundle of OpenSSF Model Signing", error))?;
    bundle
        .verify(&public, sha256)
        .map_err(|error| wrong(signature, error))
}

fn wrong(
    signature: &policy::Signature,
    error: impl std::error::Error + Send + Sync + 'static,
) -> SignatureError {
    SignatureError::Wrong {
        path: signature.file.clone(),
        signer: signature.signer.to_string(),
        source: error.into(),
    }
}

fn text(path: &Path) -> Result<String, SignatureError> {
    let read = || {
        let mut text = String::new();
        let length = File::open(path)?
            .take(BYTES_MAX + 1)
            .read_to_string(&mut text)?;
        if length as u64 > BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(text)
    };
    read().map_err(|source| SignatureError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;

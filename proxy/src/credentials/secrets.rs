//! What Wald presents to upstreams in its own name: read with everything else, and kept out of everything that
//! prints.

use std::path::Path;

use http::HeaderValue;
use policy::{Authorization, Secret, Webhook};

use crate::identify::paper::{self, PaperError};
use crate::webhooks::SigningKey;

/// Why a secret cannot be used. Nothing of it is said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(transparent)]
    File(#[from] PaperError),
    #[error("the environment has no variable {0}")]
    Missing(Box<str>),
    #[error("{0} holds nothing that a header can carry: want one line of visible characters")]
    Unusable(String),
    #[error(
        "{0} holds nothing to sign with: want base64 of 24 to 64 bytes (openssl rand -base64 32)"
    )]
    NoKey(String),
}

/// Reads the secret of an upstream, as the header's value.
pub(super) fn read(authorization: &Authorization) -> Result<HeaderValue, SecretError> {
    let (text, place) = text(&authorization.secret)?;
    // Editors end a file with a line end, and so does `kubectl create secret --from-file` of such a file.
    let value = authorization.value(text.trim_end_matches(['\r', '\n']));
    value.ok_or(SecretError::Unusable(place))
}

/// Reads what a webhook's deliveries are signed with, if they are.
pub(crate) fn signing(webhook: &Webhook) -> Result<Option<SigningKey>, SecretError> {
    let Some(secret) = &webhook.secret else {
        return Ok(None);
    };
    let (text, place) = text(secret)?;
    let key = SigningKey::parse(&text).ok_or(SecretError::NoKey(place))?;
    Ok(Some(key))
}

/// A secret, and where it is.
fn text(secret: &Secret) -> Result<(String, String), SecretError> {
    match secret {
        Secret::File(file) => Ok((of_file(file)?, file.display().to_string())),
        Secret::Env(name) => {
            let value = std::env::var(&**name).map_err(|_| SecretError::Missing(name.clone()))?;
            Ok((value, format!("the variable {name}")))
        }
    }
}

fn of_file(file: &Path) -> Result<String, SecretError> {
    let unusable = |_| SecretError::Unusable(file.display().to_string());
    String::from_utf8(paper::bytes(file)?).map_err(unusable)
}

//! What Wald presents to upstreams in its own name: read with everything else, and kept out of everything that
//! prints.

use std::path::Path;

use http::HeaderValue;
use policy::{Authorization, Secret};

use crate::identify::paper::{self, PaperError};

/// Why a secret cannot be used. Nothing of it is said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(transparent)]
    File(#[from] PaperError),
    #[error("the environment has no variable {0}")]
    Missing(Box<str>),
    #[error("{0} holds nothing that a header can carry: want one line of visible characters")]
    Unusable(String),
}

/// Reads the secret of an upstream, as the header's value.
pub(super) fn read(authorization: &Authorization) -> Result<HeaderValue, SecretError> {
    let (text, place) = match &authorization.secret {
        Secret::File(file) => (of_file(file)?, file.display().to_string()),
        Secret::Env(name) => {
            let value = std::env::var(&**name).map_err(|_| SecretError::Missing(name.clone()))?;
            (value, format!("the variable {name}"))
        }
    };
    // Editors end a file with a line end, and so does `kubectl create secret --from-file` of such a file.
    let value = authorization.value(text.trim_end_matches(['\r', '\n']));
    value.ok_or(SecretError::Unusable(place))
}

fn of_file(file: &Path) -> Result<String, SecretError> {
    let unusable = |_| SecretError::Unusable(file.display().to_string());
    String::from_utf8(paper::bytes(file)?).map_err(unusable)
}

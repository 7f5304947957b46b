//! Whether a token was signed by the issuer that it names, and so may be believed.

mod key_set;

use policy::{Algorithm, Believed, Doubt, Policy, token};
use token::{Malformed, Unverified};

pub(crate) use key_set::{KEY_SET_BYTES_MAX, KeySet, KeySetError, KeySets};

/// Why a token proves nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// It is no token, or wants what none may.
    #[error(transparent)]
    Malformed(Malformed),
    /// Nobody of the document has issued it.
    #[error("no issuer {0:?} is believed")]
    Issuer(String),
    /// It is signed in a way that its issuer may not use here.
    #[error("algorithm {0:?} is not taken from this issuer")]
    Algorithm(String),
    /// The issuer has no such key, as far as is known.
    #[error("{issuer} has no key {key:?} for {algorithm}")]
    UnknownKey {
        /// The issuer.
        issuer: std::sync::Arc<str>,
        /// The key that the token names.
        key: Option<String>,
        /// How it is signed.
        algorithm: Algorithm,
    },
    /// It names no key, and the issuer has several that it could be signed with.
    #[error("the token names none of several keys")]
    NoKey,
    /// The signature is not that of the key.
    #[error("the signature does not hold")]
    Signature,
    /// It is the issuer's, but not for us or not for now.
    #[error(transparent)]
    Doubt(Doubt),
}

/// Verifies a token in the order in which each step can rely on the one before.
pub(super) fn verify(
    text: &str,
    policy: &Policy,
    key_sets: &KeySets,
    now_ms: u64,
) -> Result<Believed, TokenError> {
    let token = Unverified::parse(text).map_err(TokenError::Malformed)?;
    let named = token.issuer().unwrap_or_default();
    let issuer = policy
        .issuers()
        .iter()
        .find(|issuer| *issuer.name == *named)
        .ok_or_else(|| TokenError::Issuer(named.to_owned()))?;
    let algorithm = Algorithm::named(token.algorithm())
        .filter(|algorithm| issuer.algorithms.contains(algorithm))
        .ok_or_else(|| TokenError::Algorithm(token.algorithm().to_owned()))?;
    let keys = key_sets
        .of(issuer.id)
        .map_or_else(Vec::new, |set| set.fitting(token.key(), algorithm));
    if keys.is_empty() {
        return Err(TokenError::UnknownKey {
            issuer: std::sync::Arc::clone(&issuer.name),
            key: token.key().map(str::to_owned),
            algorithm,
        });
    }
    if token.key().is_none() && keys.len() > 1 {
        return Err(TokenError::NoKey);
    }
    if !keys.iter().any(|key| key.has_signed(&token, algorithm)) {
        return Err(TokenError::Signature);
    }
    issuer.believe(token, now_ms).map_err(TokenError::Doubt)
}

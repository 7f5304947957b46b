//! Whose tokens are believed, and what such a token must say.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use serde_json::{Map, Value};

use crate::token::Unverified;
use crate::{IssuerId, User};

/// Someone whose tokens name users.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issuer {
    /// Its position.
    pub id: IssuerId,
    /// The `iss` of its tokens.
    pub name: Arc<str>,
    /// Where its public keys come from.
    pub keys: KeySource,
    /// What its tokens may be signed with; never empty.
    pub algorithms: Vec<Algorithm>,
    pub(crate) audiences: Vec<Box<str>>,
    pub(crate) leeway: Duration,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file, read again when it changes.
    File(PathBuf),
    /// A server.
    Url(KeyServer),
}

/// A server that hands out public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServer {
    /// `https`, or `http` on a loopback address.
    pub url: Uri,
    /// How often they are fetched again.
    pub refresh: Duration,
    /// How long the last ones are used while it cannot be reached.
    pub stale: Duration,
    /// A file of the authorities that vouch for it; if absent, those of the machine.
    pub trust: Option<PathBuf>,
}

/// How a token is signed: with a private key that only the issuer has (RFC 7518 §3.1, RFC 8037).
///
/// `none` proves nothing, and with HMAC whoever can check a token can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the RFC")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// What tokens and documents call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A user and the time in which the token that names it is good.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Whom the token names.
    pub user: Arc<User>,
    /// When it begins to be good, in milliseconds since 1970.
    pub from_ms: u64,
    /// When it is good no more.
    pub until_ms: u64,
}

impl Believed {
    /// Whether the token is good at this moment.
    #[must_use]
    pub fn holds_at(&self, now_ms: u64) -> bool {
        (self.from_ms..self.until_ms).contains(&now_ms)
    }
}

/// Why claims do not make a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// Another issuer made them.
    #[error("the token is another issuer's")]
    Issuer,
    /// They are meant for someone else (RFC 7519 §4.1.3).
    #[error("the token is meant for another audience")]
    Audience,
    /// They hold no longer (RFC 7519 §4.1.4).
    #[error("the token has expired")]
    Expired,
    /// They do not hold yet (RFC 7519 §4.1.5).
    #[error("the token is not good yet")]
    Early,
    /// A claim is missing that must be there, or is of the wrong kind.
    #[error("the token has no valid `{0}`")]
    Claim(&'static str),
}

impl Issuer {
    /// The user whom a token names. Whoever calls this has found its signature to be the issuer's.
    ///
    /// # Errors
    /// When the token is not for us, or not for now.
    pub fn believe(&self, token: Unverified<'_>, now_ms: u64) -> Result<Believed, Doubt> {
        self.check(token.claims, now_ms)
    }

    /// The user whom a token would name that has these claims, and otherwise says what it must. For
    /// explanations: nothing is proved by this.
    ///
    /// # Errors
    /// When one of the claims that are there would keep the token from being believed.
    pub fn suppose(&self, claims: Map<String, Value>, now_ms: u64) -> Result<Believed, Doubt> {
        let mut whole = Map::new();
        whole.insert("iss".to_owned(), (*self.name).into());
        whole.insert(
            "aud".to_owned(),
            self.audiences.first().map(|it| &**it).into(),
        );
        whole.insert("exp".to_owned(), (now_ms / 1000 + 60).into());
        whole.extend(claims);
        self.check(whole, now_ms)
    }

    fn check(&self, claims: Map<String, Value>, now_ms: u64) -> Result<Believed, Doubt> {
        if claims.get("iss").and_then(Value::as_str) != Some(&*self.name) {
            return Err(Doubt::Issuer);
        }
        if !self.is_audience(claims.get("aud")) {
            return Err(Doubt::Audience);
        }
        if claims.get("sub").is_some_and(|sub| !sub.is_string()) {
            return Err(Doubt::Claim("sub"));
        }
        let date = |name| date(claims.get(name)).ok_or(Doubt::Claim(name));
        let leeway = u64::try_from(self.leeway.as_millis()).unwrap_or(u64::MAX);
        let until_ms = date("exp")?
            .ok_or(Doubt::Claim("exp"))?
            .saturating_add(leeway);
        let from_ms = date("nbf")?.unwrap_or_default().saturating_sub(leeway);
        if now_ms >= until_ms {
            return Err(Doubt::Expired);
        }
        if now_ms < from_ms {
            return Err(Doubt::Early);
        }
        Ok(Believed {
            user: Arc::new(User::new(Arc::clone(&self.name), claims)),
            from_ms,
            until_ms,
        })
    }

    /// Whether one of the audiences is ours. `aud` is a text or a list of texts.
    fn is_audience(&self, claim: Option<&Value>) -> bool {
        let ours = |audience: &Value| {
            audience
                .as_str()
                .is_some_and(|audience| self.audiences.iter().any(|ours| **ours == *audience))
        };
        match claim {
            Some(Value::Array(audiences)) => audiences.iter().any(ours),
            Some(audience) => ours(audience),
            None => false,
        }
    }
}

/// A `NumericDate` (RFC 7519 §2) in milliseconds: seconds since 1970, perhaps with a fraction. The outer
/// `Option` is none if there is something else, the inner one if there is nothing.
#[expect(
    clippy::option_option,
    reason = "absent and wrong are different answers here"
)]
fn date(claim: Option<&Value>) -> Option<Option<u64>> {
    let Some(claim) = claim else {
        return Some(None);
    };
    if let Some(seconds) = claim.as_u64() {
        return Some(Some(seconds.saturating_mul(1000)));
    }
    let seconds = claim.as_f64().filter(|seconds| *seconds >= 0.0)?;
    let since = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(Some(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests;

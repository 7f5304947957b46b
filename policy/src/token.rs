//! A token (JWT, RFC 7519) as text: taken apart strictly, its claims compared with what an issuer may say.
//!
//! Nothing here proves anything: whoever holds an [`Unverified`] token asks the issuer's key whether the
//! signature is its own, and only then [`Issuer::believe`](crate::Issuer::believe)s it.

mod json;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderMap};
use serde_json::{Map, Value};

/// The longest token. Larger ones exist, but no header of that size reaches most servers.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// The scheme of tokens among credentials; its case does not matter (RFC 9110 §11.1).
const SCHEME: &[u8] = b"bearer";

/// Header fields by which a token would bring its own key, or name a place to get it from (RFC 7515 §4.1).
/// A key that the caller chooses proves nothing.
const OWN_KEYS: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// The types of token that are taken, where one says its type (RFC 7519 §5.1, RFC 9068 §2.1).
const TYPES: [&str; 4] = ["jwt", "application/jwt", "at+jwt", "application/at+jwt"];

/// The token that a request brings in its `Authorization` (RFC 6750 §2.1), if any.
///
/// # Errors
/// When it brings several credentials, so that another server might look at another one.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    if !is_bearer(headers) {
        return Ok(None);
    }
    let mut all = headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(of(one)),
        _ => Err(Malformed::Several),
    }
}

/// Whether any of a request's credentials is a token.
pub(crate) fn is_bearer(headers: &HeaderMap) -> bool {
    headers
        .get_all(AUTHORIZATION)
        .iter()
        .any(|one| of(one).is_some())
}

/// The token in a value; what cannot be text is no token either, but was meant as one.
fn of(value: &HeaderValue) -> Option<&str> {
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let is_bearer =
        scheme.eq_ignore_ascii_case(SCHEME) && rest.first().is_none_or(|it| *it == b' ');
    is_bearer.then(|| {
        std::str::from_utf8(rest)
            .unwrap_or_default()
            .trim_matches(' ')
    })
}

/// A token in its parts. Its signature has not been looked at, so nothing in it can be relied on.
#[derive(Debug)]
pub struct Unverified<'a> {
    pub(crate) claims: Map<String, Value>,
    algorithm: Box<str>,
    key: Option<Box<str>>,
    signed: &'a str,
    signature: &'a str,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than any token may be.
    #[error("the token has more than {TOKEN_BYTES_MAX} bytes")]
    TooLarge,
    /// The request has several `Authorization` fields.
    #[error("several credentials at once")]
    Several,
    /// Not three parts with points between them (RFC 7515 §7.1).
    #[error("a token has three parts")]
    Parts,
    /// A part is not base64url without padding (RFC 7515 §2).
    #[error("a part of the token is not base64url")]
    Base64,
    /// A part is no JSON object, or names a member twice (RFC 7519 §4 and §7.2).
    #[error("a part of the token is no JSON object with each member once")]
    Json,
    /// The header names no algorithm (RFC 7515 §4.1.1).
    #[error("the token names no algorithm")]
    NoAlgorithm,
    /// `kid` or `typ` is no text.
    #[error("the token's `{0}` is no text")]
    NoText(&'static str),
    /// It is of another type, such as a logout token.
    #[error("the token is of another type")]
    Type,
    /// It asks for extensions, and there is none that Wald knows (RFC 7515 §4.1.11).
    #[error("the token has critical extensions")]
    Critical,
    /// It brings or names its own key.
    #[error("the token brings its own key in `{0}`")]
    OwnKey(&'static str),
}

impl<'a> Unverified<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is none, or wants what no token may.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(Malformed::Parts)?;
        if claims.contains('.') {
            return Err(Malformed::Parts);
        }
        decode(signature)?;
        let header = object(header)?;
        let claims = object(claims)?;
        check_extensions(&header)?;
        Ok(Self {
            algorithm: member(&header, "alg")?
                .ok_or(Malformed::NoAlgorithm)?
                .into(),
            key: member(&header, "kid")?.map(Into::into),
            claims,
            signed,
            signature,
        })
    }

    /// The algorithm that it says it is signed with.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The key that it says it is signed with.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Who it says has issued it.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// What was signed.
    #[must_use]
    pub fn signed(&self) -> &'a str {
        self.signed
    }

    /// The signature, as base64url.
    #[must_use]
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

fn check_extensions(header: &Map<String, Value>) -> Result<(), Malformed> {
    if header.contains_key("crit") {
        return Err(Malformed::Critical);
    }
    if let Some(own) = OWN_KEYS.into_iter().find(|own| header.contains_key(*own)) {
        return Err(Malformed::OwnKey(own));
    }
    let known = |typ: &str| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
    match member(header, "typ")? {
        Some(typ) if !known(typ) => Err(Malformed::Type),
        _ => Ok(()),
    }
}

/// A text in the header, if it is there.
fn member<'a>(
    header: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, Malformed> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::NoText(name)),
    }
}

fn object(part: &str) -> Result<Map<String, Value>, Malformed> {
    match json::parse(&decode(part)?) {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(Malformed::Json),
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Malformed> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::Base64)
}

#[cfg(test)]
mod tests;

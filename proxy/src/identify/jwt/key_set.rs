//! The public keys of an issuer (JWK Set, RFC 7517).

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm as Signed, DecodingKey, crypto};
use policy::token::Unverified;
use policy::{Algorithm, IssuerId, Policy};
use sha2::{Digest, Sha256};

/// The largest key set, and the most keys in it: a large issuer has a dozen.
pub(crate) const KEY_SET_BYTES_MAX: usize = 256 << 10;
const KEYS_MAX: usize = 64;

/// The most keys of one name that a token is compared with.
const NAMESAKES_MAX: usize = 4;

/// The shortest RSA key (RFC 7518 §3.3), in bytes of its modulus.
const RSA_BYTES_MIN: usize = 256;

/// One public key.
pub(crate) struct Key {
    name: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Key {
    /// Whether the token's signature is by this key.
    pub(super) fn has_signed(&self, token: &Unverified<'_>, algorithm: Algorithm) -> bool {
        let (signature, signed) = (token.signature(), token.signed().as_bytes());
        crypto::verify(signature, signed, &self.key, signed_with(algorithm)).unwrap_or(false)
    }
}

/// Only the name and kind: a public key is no secret, but nobody wants to read it.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.name, self.algorithms)
    }
}

fn signed_with(algorithm: Algorithm) -> Signed {
    match algorithm {
        Algorithm::Rs256 => Signed::RS256,
        Algorithm::Rs384 => Signed::RS384,
        Algorithm::Rs512 => Signed::RS512,
        Algorithm::Ps256 => Signed::PS256,
        Algorithm::Ps384 => Signed::PS384,
        Algorithm::Ps512 => Signed::PS512,
        Algorithm::Es256 => Signed::ES256,
        Algorithm::Es384 => Signed::ES384,
        Algorithm::EdDsa => Signed::EdDSA,
    }
}

/// Why a text is no key set.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeySetError {
    /// Longer than any key set.
    #[error("a key set has at most {KEY_SET_BYTES_MAX} bytes")]
    TooLarge,
    /// Not JSON of the right shape.
    #[error("not a JSON Web Key Set: {0}")]
    Malformed(#[source] serde_json::Error),
    /// More keys than any issuer has.
    #[error("a key set has at most {KEYS_MAX} keys, not {0}")]
    TooMany(usize),
}

/// The keys of one issuer at one time.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    unusable: usize,
    digest: [u8; 32],
    read: SystemTime,
}

impl KeySet {
    /// Reads a key set. A key that cannot be used here is left out and not an error (RFC 7517 §5): an issuer
    /// may have keys for encryption, or for algorithms to come. Symmetric keys cannot be used.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        #[derive(serde::Deserialize)]
        struct Written {
            keys: Vec<serde_json::Value>,
        }
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let Written { keys } = serde_json::from_slice(text).map_err(KeySetError::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany(keys.len()));
        }
        let all = keys.len();
        let keys: Vec<Key> = keys.into_iter().filter_map(key).collect();
        Ok(Self {
            unusable: all - keys.len(),
            keys,
            digest: Sha256::digest(text).into(),
            read: SystemTime::now(),
        })
    }

    /// The keys that a token may be signed with.
    pub(super) fn fitting(&self, name: Option<&str>, algorithm: Algorithm) -> Vec<&Key> {
        let fits = |key: &&Key| {
            key.algorithms.contains(&algorithm) && (name.is_none() || key.name.as_deref() == name)
        };
        self.keys.iter().filter(fits).take(NAMESAKES_MAX).collect()
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many cannot.
    pub(crate) fn unusable(&self) -> usize {
        self.unusable
    }

    /// When it was read.
    pub(crate) fn read(&self) -> SystemTime {
        self.read
    }

    /// Names it by the text that it was read from: 64 hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        crate::audit::hex(&self.digest)
    }

    /// Whether another set was read from the same text.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

/// A key that Wald can verify signatures with.
fn key(written: serde_json::Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(written).ok()?;
    let common = &jwk.common;
    let is_for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature))
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let stated = common.key_algorithm.map(|algorithm| algorithm.to_string());
    let is_stated = |algorithm: &Algorithm| {
        stated
            .as_deref()
            .is_none_or(|name| name == algorithm.name())
    };
    let mut algorithms = possible(&jwk.algorithm);
    algorithms.retain(is_stated);
    if algorithms.is_empty() || !is_for_signatures {
        return None;
    }
    Some(Key {
        name: common.key_id.clone(),
        algorithms,
        key: DecodingKey::from_jwk(&jwk).ok()?,
    })
}

/// What a key of this kind can sign.
fn possible(parameters: &AlgorithmParameters) -> Vec<Algorithm> {
    match parameters {
        AlgorithmParameters::RSA(rsa) if modulus_bytes(&rsa.n) >= RSA_BYTES_MIN => vec![
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ],
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => vec![Algorithm::Es256],
            EllipticCurve::P384 => vec![Algorithm::Es384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            vec![Algorithm::EdDsa]
        }
        _ => Vec::new(),
    }
}

fn modulus_bytes(written: &str) -> usize {
    let modulus = URL_SAFE_NO_PAD.decode(written).unwrap_or_default();
    modulus.iter().skip_while(|byte| **byte == 0).count()
}

/// The key sets of a snapshot, by `IssuerId`; none where no server has given one yet, or not for too long.
#[derive(Debug, Default)]
pub(crate) struct KeySets(Vec<Option<Arc<KeySet>>>);

impl KeySets {
    /// These sets, by `IssuerId`.
    pub(crate) fn new(sets: Vec<Option<Arc<KeySet>>>) -> Self {
        Self(sets)
    }

    /// The set of this issuer.
    pub(crate) fn of(&self, issuer: IssuerId) -> Option<&Arc<KeySet>> {
        self.0.get(issuer.index())?.as_ref()
    }

    /// The same sets with another one of this issuer.
    pub(crate) fn with(&self, issuer: IssuerId, set: Option<Arc<KeySet>>) -> Self {
        let mut sets = self.0.clone();
        if let Some(place) = sets.get_mut(issuer.index()) {
            *place = set;
        }
        Self(sets)
    }

    /// Those of `policy`, with what servers have given already while `before` was in force.
    pub(crate) fn inheriting(self, policy: &Policy, (before, sets): (&Policy, &Self)) -> Self {
        let inherited = |issuer: &policy::Issuer| {
            let same =
                |other: &&policy::Issuer| other.name == issuer.name && other.keys == issuer.keys;
            let earlier = before.issuers().iter().find(same)?;
            sets.of(earlier.id).cloned()
        };
        let issuers = policy.issuers().iter();
        let of =
            |issuer: &policy::Issuer| self.of(issuer.id).cloned().or_else(|| inherited(issuer));
        Self(issuers.map(of).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(keys: &serde_json::Value, usable: usize, unusable: usize) {
        let text = serde_json::json!({ "keys": keys }).to_string();
        let set = KeySet::parse(text.as_bytes()).unwrap();
        assert_eq!((set.len(), set.unusable()), (usable, unusable), "{text}");
    }

    fn rsa(bytes: usize) -> serde_json::Value {
        let modulus = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        serde_json::json!({ "kty": "RSA", "n": modulus, "e": "AQAB", "kid": "r" })
    }

    #[test]
    fn keys_that_cannot_verify_are_left_out() {
        let ed = serde_json::json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" });
        check(&serde_json::json!([rsa(256), ed]), 2, 0);
        check(&serde_json::json!([rsa(128), rsa(255)]), 0, 2);
        for unusable in [
            serde_json::json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
            serde_json::json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }),
            serde_json::json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA" }),
            serde_json::json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
            serde_json::json!({ "kty": "new", "q": 1 }),
            serde_json::json!(7),
        ] {
            check(&serde_json::json!([unusable]), 0, 1);
        }
        for (member, value) in [
            ("use", serde_json::json!("enc")),
            ("key_ops", serde_json::json!(["encrypt"])),
            ("alg", serde_json::json!("RSA-OAEP")),
            ("alg", serde_json::json!("HS256")),
        ] {
            let mut key = rsa(256);
            key[member] = value;
            check(&serde_json::json!([key]), 0, 1);
        }
    }

    #[test]
    fn a_key_signs_what_its_kind_and_its_own_word_allow() {
        let mut stated = rsa(256);
        stated["alg"] = "PS256".into();
        let text = serde_json::json!({ "keys": [rsa(256), stated] }).to_string();
        let set = KeySet::parse(text.as_bytes()).unwrap();
        let fitting = |name, algorithm| set.fitting(name, algorithm).len();
        assert_eq!(fitting(Some("r"), Algorithm::Rs256), 1);
        assert_eq!(fitting(Some("r"), Algorithm::Ps256), 2);
        assert_eq!(fitting(None, Algorithm::Rs256), 1);
        assert_eq!(fitting(Some("x"), Algorithm::Rs256), 0);
        assert_eq!(fitting(Some("r"), Algorithm::Es256), 0);
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for text in ["", "{}", "[]", r#"{"keys":{}}"#] {
            let refused = KeySet::parse(text.as_bytes()).map(|_| ());
            assert!(matches!(refused, Err(KeySetError::Malformed(_))), "{text}");
        }
        let many = serde_json::json!({ "keys": vec![rsa(1); KEYS_MAX + 1] }).to_string();
        let refused = KeySet::parse(many.as_bytes()).map(|_| ());
        assert!(
            matches!(refused, Err(KeySetError::TooMany(65))),
            "{refused:?}"
        );
        let large = vec![b' '; KEY_SET_BYTES_MAX + 1];
        assert!(matches!(KeySet::parse(&large), Err(KeySetError::TooLarge)));
        assert_eq!(KeySet::parse(br#"{"keys":[]}"#).unwrap().len(), 0);
    }
}

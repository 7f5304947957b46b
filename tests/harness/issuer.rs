//! An issuer of tokens: keys made for one journey, and tokens as wrong as it wants.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// A private key and what tokens call it.
pub struct SigningKey {
    name: String,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// A new RSA key of 2048 bits.
    pub fn rsa(name: &str) -> Self {
        let secret = RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        Self::new(name, Secret::Rsa(secret))
    }

    /// A new key on the curve P-256.
    pub fn p256(name: &str) -> Self {
        let secret = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("an EC key");
        Self::new(name, Secret::P256(secret))
    }

    /// A new Ed25519 key.
    pub fn ed25519(name: &str) -> Self {
        Self::new(
            name,
            Secret::Ed25519(Ed25519KeyPair::generate().expect("an Ed25519 key")),
        )
    }

    fn new(name: &str, secret: Secret) -> Self {
        Self {
            name: name.to_owned(),
            secret,
        }
    }

    /// The algorithm that it signs with unless told otherwise.
    pub fn algorithm(&self) -> &'static str {
        match self.secret {
            Secret::Rsa(_) => "RS256",
            Secret::P256(_) => "ES256",
            Secret::Ed25519(_) => "EdDSA",
        }
    }

    /// The header of its tokens.
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.name, "typ": "JWT" })
    }

    /// Its public half, as a key set has it.
    pub fn public(&self) -> Value {
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.secret {
            Secret::Rsa(pair) => {
                // DER of two integers (RFC 8017 §A.1.1), whose lengths are those of a key of 2048 bits: nine
                // bytes before the modulus of 256, two before the exponent of three.
                let public = pair.public_key().as_ref();
                let (modulus, exponent) = (&public[9..265], &public[267..270]);
                json!({ "kty": "RSA", "kid": self.name, "n": part(modulus), "e": part(exponent) })
            }
            Secret::P256(pair) => {
                // An uncompressed point (SEC 1 §2.3.3): a 4, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = (part(&point[1..33]), part(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": self.name, "x": x, "y": y })
            }
            Secret::Ed25519(pair) => {
                let x = part(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.name, "x": x })
            }
        }
    }

    /// A token with these claims, as this key signs them.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token with this header and these claims, whatever they are.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let signed = signed_part(header, claims);
        let signature = match &self.secret {
            Secret::Rsa(pair) => rsa(pair, &RSA_PKCS1_SHA256, &signed),
            Secret::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), signed.as_bytes());
                signature.expect("a signature").as_ref().to_vec()
            }
            Secret::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token that an RSA key signs with the other padding.
    #[track_caller]
    pub fn sign_pss(&self, header: &str, claims: &str) -> String {
        let Secret::Rsa(pair) = &self.secret else {
            panic!("{} is no RSA key", self.name);
        };
        let signed = signed_part(header, claims);
        let signature = rsa(pair, &RSA_PSS_SHA256, &signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token whose HMAC is made with the public key, as whoever has read the key set could.
    #[track_caller]
    pub fn forge_hmac(&self, claims: &str) -> String {
        let Secret::Rsa(pair) = &self.secret else {
            panic!("{} is no RSA key", self.name);
        };
        let header = json!({ "alg": "HS256", "kid": self.name }).to_string();
        let signed = signed_part(&header, claims);
        let key = hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref());
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }
}

fn rsa(pair: &RsaKeyPair, padding: &'static dyn RsaEncoding, signed: &str) -> Vec<u8> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        padding,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    signature
}

fn signed_part(header: &str, claims: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

/// A token without a signature, which says so.
pub fn unsigned(claims: &str) -> String {
    format!("{}.", signed_part(r#"{"alg":"none"}"#, claims))
}

/// The key set of these keys.
pub fn key_set(keys: &[&SigningKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public()).collect();
    json!({ "keys": keys }).to_string()
}

/// Claims of a user of `https://issuer.test` that are good for an hour, with some of them changed; `null` takes
/// one away.
#[track_caller]
pub fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.test",
        "aud": "models",
        "sub": "ada",
        "scope": "read infer",
        "exp": now() + 3600,
    });
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    claims
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

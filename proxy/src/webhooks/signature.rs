//! What shows a receiver that an event comes from this Wald: HMAC-SHA256 as Standard Webhooks has it
//! (standardwebhooks.com, "Signature scheme").

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What stands before a secret, so that people see what it is.
const PREFIX: &str = "whsec_";

/// How long a secret is, in bytes: as the specification says.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that deliveries are signed with. It prints itself nowhere.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads base64, with `whsec_` before it or without; none if this is no such secret.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text));
        let bytes = bytes.ok().filter(|bytes| LENGTHS.contains(&bytes.len()))?;
        Some(Self(bytes))
    }

    /// The value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length (RFC 2104)"
        )]
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of 24 to 64 bytes");
        let head = format!("{id}.{seconds}.");
        let tag = mac.chain_update(head).chain_update(body).finalize();
        format!("v1,{}", STANDARD.encode(tag.as_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The values are those of the tests that the specification's own libraries come with.
    #[test]
    fn a_signature_is_what_the_libraries_of_the_specification_make() {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let body = br#"{"test": 2432232314}"#;
        for secret in [
            SECRET.to_owned(),
            format!("whsec_{SECRET}"),
            format!("{SECRET}\n"),
        ] {
            let key = SigningKey::parse(&secret).unwrap();
            assert_eq!(
                key.sign(id, 1_614_265_330, body),
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
            );
            assert!(
                !format!("{key:?}").contains("Mf"),
                "it prints itself nowhere"
            );
        }
    }

    #[test]
    fn what_is_signed_is_name_time_and_body() {
        let key = SigningKey::parse(SECRET).unwrap();
        let signature = key.sign("1-a", 2, b"body");
        for other in [
            key.sign("1-b", 2, b"body"),
            key.sign("1-a", 3, b"body"),
            key.sign("1-a", 2, b"bodY"),
        ] {
            assert_ne!(signature, other);
        }
    }

    #[test]
    fn what_is_short_or_no_base64_is_no_secret() {
        for text in ["", "whsec_", "c2hvcnQ=", "a secret of many many words"] {
            assert_eq!(SigningKey::parse(text), None, "{text}");
        }
    }
}

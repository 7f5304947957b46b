//! Whose tokens are believed.

use crate::decode::{record, shapes};
use crate::value::Period;
use std::path::PathBuf;

record! {
    /// An issuer of tokens (JWT) that name users.
    pub struct Issuer {
        /// The `iss` of its tokens, for example `https://issuer.example`.
        pub issuer: String,
        /// The `aud` of which a token must name one, for example `[models]`.
        pub audiences: Vec<String> = required,
        /// Its public keys.
        pub keys: Keys,
        /// The signature algorithms taken, of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384
        /// and EdDSA, for example `[RS256, ES256, EdDSA]`.
        pub algorithms: Vec<String> = required,
        /// How far clocks may differ. Default: `30s`.
        pub leeway: Option<Period>,
    }
}

shapes! {
    /// Where an issuer's public keys (JWKS) come from.
    pub enum Keys {
        /// A file, read again when it changes.
        File {
            /// The file, for example `jwks.json`.
            file: PathBuf,
        },
        /// An address.
        Url {
            /// The address, for example `https://issuer.example/jwks.json`; `http://` on this machine only.
            url: String,
            /// How often it is fetched again. Default: `10m`.
            refresh: Option<Period>,
            /// How long the keys last fetched are used while it cannot be reached. Default: `24h`.
            stale: Option<Period>,
            /// A file of the authorities that vouch for it, for example `issuer-ca.pem`. Default: this machine's.
            trust: Option<PathBuf>,
        },
    }
}

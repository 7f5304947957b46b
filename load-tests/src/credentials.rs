//! Who the driver is to peers that ask: certificates, keys and tokens made for one run, in the forms peers read.

use std::{fs, io, path::Path};

use http::HeaderValue;
use serde_json::{Value, json};
use tests::{Authority, Identity, Secure, SigningKey, Wish, claims, key_set};

/// Users, so that an experiment has somebody to share out.
const USERS: usize = 64;

/// A client's certificate, and a token for each of some users.
pub(crate) struct Credentials {
    pub(crate) client: Secure,
    authorizations: Vec<HeaderValue>,
}

impl Credentials {
    /// Makes them, and writes what peers read into a folder: `edge.pem` (certificate and key), `clients.pem` (who
    /// vouches for clients), `client.pem`, `servers.pem`, `keys.json` and `keys.pem` (the issuer's key).
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let key = SigningKey::rsa("bench");
        let id = "spiffe://bank.example/ns/payments/bench";
        let identity: Identity = clients.vouch(Wish {
            uris: &[id],
            ..Wish::default()
        });
        let edge = servers.vouch(Wish::default());
        fs::write(folder.join("edge.pem"), edge.pem())?;
        fs::write(folder.join("client.pem"), identity.pem())?;
        fs::write(folder.join("clients.pem"), clients.pem())?;
        fs::write(folder.join("servers.pem"), servers.pem())?;
        fs::write(folder.join("keys.json"), key_set(&[&key]))?;
        fs::write(folder.join("keys.pem"), public_pem(&key.public())?)?;
        let authorizations = (0..USERS).map(|user| {
            let token = key.token(&claims(&json!({ "sub": format!("user-{user}") })));
            HeaderValue::from_str(&format!("Bearer {token}")).map_err(io::Error::other)
        });
        Ok(Self {
            client: Secure::new(&servers.pem(), Some(&identity), "http/1.1"),
            authorizations: authorizations.collect::<Result<_, _>>()?,
        })
    }

    /// The token of the user behind a connection.
    pub(crate) fn authorization(&self, connection: usize) -> Option<&HeaderValue> {
        self.authorizations.get(connection % USERS)
    }
}

/// A public RSA key of 2048 bits and the exponent 65537 as HAProxy reads it: SubjectPublicKeyInfo (RFC 5280 §4.1),
/// whose parts have the same lengths for each such key.
fn public_pem(key: &Value) -> io::Result<String> {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    const BEFORE: [u8; 33] = [
        0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
        0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82,
        0x01, 0x01, 0x00,
    ];
    const AFTER: [u8; 5] = [0x02, 0x03, 0x01, 0x00, 0x01];
    let modulus = key.get("n").and_then(Value::as_str).unwrap_or_default();
    let modulus = URL_SAFE_NO_PAD.decode(modulus).map_err(io::Error::other)?;
    if modulus.len() != 256 || key.get("e").and_then(Value::as_str) != Some("AQAB") {
        return Err(io::Error::other(
            "the issuer's key is not what was asked for",
        ));
    }
    let der = [BEFORE.as_slice(), &modulus, &AFTER].concat();
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let lines = lines.collect::<Vec<_>>().join("\n");
    Ok(format!(
        "-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"
    ))
}

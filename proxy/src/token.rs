//! Signed assignments: what a client carries back with its feedback, so that nobody has to look it up.
//!
//! A token is [`Claims`] in a fixed layout and the first 16 bytes of their HMAC-SHA256 (RFC 2104; as
//! many bits as RFC 4868 keeps), in unpadded base64url. It names nobody: the unit is a hash.

mod key;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) use key::{Key, Keys};

/// The layout below. Another one would get another number.
const VERSION: u8 = 1;
/// Version, key id, claims.
const SIGNED_BYTES: usize = 1 + 4 + 43;
/// How much of the HMAC is sent.
const TAG_BYTES: usize = 16;
const TOKEN_BYTES: usize = SIGNED_BYTES + TAG_BYTES;

/// What a token says. Numbers are little-endian, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// xxh3 of the experiment's name: ids change with a reload, names do not.
    pub(crate) experiment: u64,
    /// Which run of it.
    pub(crate) run: u32,
    /// The stretch of the run with constant shares.
    pub(crate) epoch: u32,
    /// The arm that served.
    pub(crate) arm: u8,
    /// The unit's cluster.
    pub(crate) bucket: u16,
    /// The unit's hash.
    pub(crate) unit: u64,
    /// When the request started, in milliseconds since 1970.
    pub(crate) issued_ms: u64,
    /// Tells this request from all others.
    pub(crate) nonce: u64,
}

/// Why a text is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Not base64url, or of another length.
    #[error("the token is not whole")]
    Malformed,
    /// A layout that this release does not know.
    #[error("the token has version {found}, want {VERSION}")]
    Version {
        /// What it says.
        found: u8,
    },
    /// Signed with a key that was never ours, or is no longer kept.
    #[error("the token's key is not known here")]
    UnknownKey,
    /// Changed, or never signed by us.
    #[error("the token's signature does not hold")]
    Forged,
}

impl Keys {
    /// Signs an assignment with the newest key.
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let key = self.newest();
        let mut token = [0; TOKEN_BYTES];
        let (signed, tag) = token.split_at_mut(SIGNED_BYTES);
        signed.copy_from_slice(&claims.written(key.id()));
        tag.copy_from_slice(&key.tag::<TAG_BYTES>(signed));
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What a token says, if one of these keys has signed it.
    pub(crate) fn open(&self, token: &str) -> Result<Claims, Refused> {
        let mut bytes = [0; TOKEN_BYTES];
        let length = URL_SAFE_NO_PAD
            .decode_slice(token, &mut bytes)
            .map_err(|_| Refused::Malformed)?;
        if length != TOKEN_BYTES {
            return Err(Refused::Malformed);
        }
        let (signed, tag) = bytes.split_at(SIGNED_BYTES);
        let mut fields = Fields(signed);
        let version = fields
            .take()
            .map(u8::from_le_bytes)
            .ok_or(Refused::Malformed)?;
        if version != VERSION {
            return Err(Refused::Version { found: version });
        }
        let key = fields
            .take()
            .map(u32::from_le_bytes)
            .and_then(|id| self.key(id))
            .ok_or(Refused::UnknownKey)?;
        if !key.holds(signed, tag) {
            return Err(Refused::Forged);
        }
        Claims::read(fields).ok_or(Refused::Malformed)
    }
}

impl Claims {
    fn written(&self, key: u32) -> [u8; SIGNED_BYTES] {
        let mut bytes = [0; SIGNED_BYTES];
        let fields: [&[u8]; 10] = [
            &[VERSION],
            &key.to_le_bytes(),
            &self.experiment.to_le_bytes(),
            &self.run.to_le_bytes(),
            &self.epoch.to_le_bytes(),
            &self.arm.to_le_bytes(),
            &self.bucket.to_le_bytes(),
            &self.unit.to_le_bytes(),
            &self.issued_ms.to_le_bytes(),
            &self.nonce.to_le_bytes(),
        ];
        for (place, byte) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    fn read(mut fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            experiment: u64::from_le_bytes(fields.take()?),
            run: u32::from_le_bytes(fields.take()?),
            epoch: u32::from_le_bytes(fields.take()?),
            arm: u8::from_le_bytes(fields.take()?),
            bucket: u16::from_le_bytes(fields.take()?),
            unit: u64::from_le_bytes(fields.take()?),
            issued_ms: u64::from_le_bytes(fields.take()?),
            nonce: u64::from_le_bytes(fields.take()?),
        })
    }
}

/// The bytes of a token that are not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests;

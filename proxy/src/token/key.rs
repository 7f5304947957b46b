//! What tokens are signed with: one key that signs, and older ones that are still believed.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// As long as the hash: more adds nothing (RFC 2104, section 3).
pub(crate) const SECRET_BYTES: usize = 32;

/// One secret and when it was made.
#[derive(Clone)]
pub(crate) struct Key {
    id: u32,
    secret: [u8; SECRET_BYTES],
    made_ms: u64,
    /// Primed with the secret, so that a signature costs no key set-up.
    primed: Hmac<Sha256>,
}

impl Key {
    /// The key of these parts, as the store keeps them.
    pub(crate) fn new(id: u32, secret: [u8; SECRET_BYTES], made_ms: u64) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length (RFC 2104)"
        )]
        let primed = Hmac::new_from_slice(&secret).expect("a key of 32 bytes");
        Self {
            id,
            secret,
            made_ms,
            primed,
        }
    }

    /// A new secret from the operating system.
    pub(crate) fn generate(now_ms: u64) -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; 4], [0; SECRET_BYTES]);
        getrandom::fill(&mut id)?;
        getrandom::fill(&mut secret)?;
        Ok(Self::new(u32::from_le_bytes(id), secret, now_ms))
    }

    /// What tokens call it.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// What must not be told.
    pub(crate) fn secret(&self) -> &[u8; SECRET_BYTES] {
        &self.secret
    }

    /// When it was made, in milliseconds since 1970.
    pub(crate) fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The first bytes of the HMAC of a text.
    pub(super) fn tag<const N: usize>(&self, signed: &[u8]) -> [u8; N] {
        let mut tag = [0; N];
        let whole = self.primed.clone().chain_update(signed).finalize();
        tag.iter_mut()
            .zip(whole.as_bytes())
            .for_each(|(place, byte)| *place = *byte);
        tag
    }

    /// Whether a tag is the text's. Takes the same time wherever they differ.
    pub(super) fn holds(&self, signed: &[u8], tag: &[u8]) -> bool {
        self.primed
            .clone()
            .chain_update(signed)
            .verify_truncated_left(tag)
            .is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("made_ms", &self.made_ms)
            .finish_non_exhaustive()
    }
}

/// All keys that are believed; the newest signs.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    newest: Key,
    older: Vec<Key>,
}

impl Keys {
    /// One new key.
    pub(crate) fn generate(now_ms: u64) -> Result<Self, getrandom::Error> {
        Ok(Self {
            newest: Key::generate(now_ms)?,
            older: Vec::new(),
        })
    }

    /// The keys that the store kept; none if it kept none.
    pub(crate) fn restored(mut kept: Vec<Key>) -> Option<Self> {
        kept.sort_by_key(|key| std::cmp::Reverse(key.made_ms));
        let mut kept = kept.into_iter();
        Some(Self {
            newest: kept.next()?,
            older: kept.collect(),
        })
    }

    /// The same keys behind a new one, without those that were replaced before `believed_from_ms`.
    pub(crate) fn rotated(
        &self,
        now_ms: u64,
        believed_from_ms: u64,
    ) -> Result<Self, getrandom::Error> {
        let newest = Key::generate(now_ms)?;
        let mut replaced_ms = now_ms;
        let before = std::iter::once(&self.newest).chain(&self.older);
        let older = before.take_while(|key| {
            let believed = replaced_ms >= believed_from_ms;
            replaced_ms = key.made_ms;
            believed
        });
        Ok(Self {
            newest,
            older: older.cloned().collect(),
        })
    }

    /// The one that signs.
    pub(crate) fn newest(&self) -> &Key {
        &self.newest
    }

    /// All of them, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    pub(super) fn key(&self, id: u32) -> Option<&Key> {
        self.iter().find(|key| key.id == id)
    }
}

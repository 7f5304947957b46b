//! Tokens that were verified before, so that the next request with the same one costs a hash and not a
//! signature.
//!
//! Each worker has its own, beside a snapshot: with other keys or another document it begins empty, so a key
//! that was revoked is honoured no more. What is kept is found by SHA-256 of the whole token, signature
//! included, and never for longer than the token is good.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use policy::{Believed, User};
use sha2::{Digest, Sha256};

/// How many tokens each of the two generations holds. At 8 KiB a token, all of them stay below 64 MiB.
pub(crate) const TOKENS_MAX: usize = 2048;

/// Where a token belongs in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place([u8; 32]);

/// The verified tokens of one worker.
#[derive(Default)]
pub(crate) struct Cache(RefCell<Generations>);

/// What was used lately, and what was used before that: a full generation takes the place of the other,
/// which forgets what nobody used meanwhile without keeping any order.
#[derive(Default)]
struct Generations {
    young: HashMap<Place, Believed>,
    old: HashMap<Place, Believed>,
}

impl Cache {
    /// The user of a token that was verified and is good at this moment, or else where to keep it.
    pub(crate) fn find(&self, token: &str, now_ms: u64) -> Result<Arc<User>, Place> {
        let place = Place(Sha256::digest(token).into());
        let mut generations = self.0.borrow_mut();
        let believed = generations.find(place).ok_or(place)?;
        if believed.holds_at(now_ms) {
            Ok(Arc::clone(&believed.user))
        } else {
            Err(place)
        }
    }

    /// Keeps a token that was verified.
    pub(crate) fn keep(&self, place: Place, believed: Believed) {
        self.0.borrow_mut().keep(place, believed);
    }
}

impl Generations {
    fn find(&mut self, place: Place) -> Option<&Believed> {
        if let Some(believed) = self.old.remove(&place) {
            self.keep(place, believed);
        }
        self.young.get(&place)
    }

    fn keep(&mut self, place: Place, believed: Believed) {
        if self.young.len() >= TOKENS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(place, believed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(until_ms: u64) -> Believed {
        let document = "version: wald/v1\n\
            listeners: [{ name: edge, address: '127.0.0.1:0' }]\n\
            tokens: [{ issuer: i, audiences: [a], keys: { file: k }, algorithms: [RS256] }]\n\
            routes: [{ name: all, backend: { respond: { status: 200 } } }]";
        let document = config::read(document, &|_| None, std::path::Path::new("/")).unwrap();
        let policy = policy::compile(&document).unwrap();
        let supposed = policy.issuers()[0].suppose(serde_json::Map::new(), 0);
        Believed {
            from_ms: 10,
            until_ms,
            ..supposed.unwrap()
        }
    }

    fn keep(cache: &Cache, token: &str, believed: &Believed) {
        let place = cache.find(token, 0).unwrap_err();
        cache.keep(place, believed.clone());
    }

    #[test]
    fn a_token_is_found_while_it_is_good() {
        let cache = Cache::default();
        keep(&cache, "a.b.c", &believed(20));
        for (token, at, found) in [
            ("a.b.c", 9, false),
            ("a.b.c", 10, true),
            ("a.b.c", 19, true),
            ("a.b.c", 20, false),
            ("a.b.d", 15, false),
            ("a.b.c ", 15, false),
        ] {
            assert_eq!(cache.find(token, at).is_ok(), found, "{token} at {at}");
        }
    }

    #[test]
    fn a_token_that_is_used_stays_and_others_make_room() {
        let cache = Cache::default();
        let good = believed(u64::MAX);
        keep(&cache, "used", &good);
        keep(&cache, "unused", &good);
        for number in 0..4 * TOKENS_MAX {
            assert!(cache.find("used", 10).is_ok(), "after {number} others");
            keep(&cache, &number.to_string(), &good);
        }
        assert!(cache.find("unused", 10).is_err());
        let generations = cache.0.borrow();
        assert!(generations.young.len() <= TOKENS_MAX && generations.old.len() <= TOKENS_MAX);
    }
}

//! What a token costs that was verified before: the second request with it and all after that.
//!
//! The budget is 1 µs. `wald` is a binary, so the cache is compiled into the bench from its own file.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot set up has failed"
)]

#[expect(dead_code, reason = "the bench uses a part of it")]
#[path = "../src/identify/cache.rs"]
mod cache;

use std::path::Path;

use cache::Cache;
use divan::{Bencher, black_box};
use http::header::{AUTHORIZATION, HeaderMap};
use policy::token;

fn main() {
    divan::main();
}

const NOW_MS: u64 = 1_800_000_000_000;

/// Lengths of tokens: a small one with ES256, a usual one with RS256, the largest that is taken.
const LENGTHS: [usize; 3] = [400, 900, token::TOKEN_BYTES_MAX];

/// From the request's headers to its user.
#[divan::bench(args = LENGTHS)]
fn known(bencher: Bencher<'_, '_>, length: usize) {
    let cache = Cache::default();
    let text = "a".repeat(length);
    let place = cache.find(&text, NOW_MS).unwrap_err();
    cache.keep(place, believed());
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {text}").parse().unwrap());
    bencher.bench_local(|| {
        let token = token::bearer(black_box(&headers)).unwrap().unwrap();
        cache.find(token, black_box(NOW_MS)).is_ok()
    });
}

fn believed() -> policy::Believed {
    let document = "version: wald/v1\n\
        listeners: [{ name: edge, address: '127.0.0.1:0' }]\n\
        tokens: [{ issuer: i, audiences: [a], keys: { file: k }, algorithms: [RS256] }]\n\
        routes: [{ name: all, backend: { respond: { status: 200 } } }]";
    let document = config::read(document, &|_| None, Path::new("/")).unwrap();
    let policy = policy::compile(&document).unwrap();
    policy.issuers()[0]
        .suppose(serde_json::Map::new(), NOW_MS)
        .unwrap()
}

//! Any text is a token or none, and any claims make a user or none; nothing makes the reader panic.
//!
//! What was taken apart must be the text that came in, or one part of a system would verify another token than
//! the next one reads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use policy::token::{TOKEN_BYTES_MAX, Unverified};
use std::path::Path;
use std::sync::LazyLock;

static POLICY: LazyLock<policy::Policy> = LazyLock::new(|| {
    let text = "version: wald/v1\n\
        listeners: [{ name: edge, address: '127.0.0.1:0' }]\n\
        tokens: [{ issuer: i, audiences: [a], keys: { file: k }, algorithms: [RS256] }]\n\
        routes: [{ name: all, backend: { respond: { status: 200 } } }]";
    let document = config::read(text, &|_| None, Path::new("/")).expect("a document");
    policy::compile(&document).expect("a policy")
});

fuzz_target!(|text: &str| {
    let Ok(token) = Unverified::parse(text) else {
        return;
    };
    assert!(text.len() <= TOKEN_BYTES_MAX, "too large a token was taken");
    assert_eq!(format!("{}.{}", token.signed(), token.signature()), text);
    let issued_by_ours = token.issuer() == Some("i");
    let believed = POLICY.issuers()[0].believe(token, 1_800_000_000_000);
    assert!(issued_by_ours || believed.is_err(), "another issuer was believed");
});

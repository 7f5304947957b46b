//! Any bytes are a model that runs, or are refused; no panic of the loader gets out.
//!
//! Memory is what the trial in a process of its own is for: here, `-rss_limit_mb` and `-malloc_limit_mb` find files
//! that ask for too much, which is no defect of the loader.

#![no_main]

use std::sync::Once;

use inference::Model;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest as _, Sha256};

static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's hook ends the process at each panic, also at those that the loader contains.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    drop(Model::load(bytes, &Sha256::digest(bytes).into()));
});

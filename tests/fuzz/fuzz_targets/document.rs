//! Any text is a document or has problems; none makes the reader panic, hang or say nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let environment = |name: &str| (name == "SET").then(|| "1".to_owned());
    if let Err(problems) = config::read(text, &environment, Path::new("/etc/wald")) {
        assert!(problems.is_refused(), "refused without a problem");
    }
});

//! Any bytes, in any parts, name the model that a whole reader of JSON finds, or are refused.

#![no_main]

#[path = "../../../proxy/src/gateway/model/scanner.rs"]
mod scanner;

use libfuzzer_sys::fuzz_target;
use scanner::Scanner;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else {
        return;
    };
    let scan = |size: usize| {
        let mut scanner = Scanner::new();
        bytes.chunks(size).try_for_each(|part| scanner.feed(part))?;
        scanner.finish()?;
        Ok::<_, scanner::Unsound>(scanner.model().map(str::to_owned))
    };
    let whole = scan(bytes.len().max(1));
    assert_eq!(whole, scan(usize::from(*cut) + 1));
    if let (Ok(Some(name)), Ok(read)) = (whole, serde_json::from_slice::<serde_json::Value>(bytes)) {
        assert_eq!(Some(&*name), read["model"].as_str());
    }
});

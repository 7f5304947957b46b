//! Any answer, in any parts, says the same number of tokens, and what a whole reader of JSON finds where it is the
//! only `usage`.

#![no_main]

#[path = "../../../proxy/src/gateway/usage.rs"]
mod usage;

use libfuzzer_sys::fuzz_target;
use usage::UsageScanner;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else {
        return;
    };
    let scan = |size: usize| {
        let mut scanner = UsageScanner::default();
        bytes.chunks(size).for_each(|part| scanner.feed(part));
        scanner.found()
    };
    let whole = scan(bytes.len().max(1));
    assert_eq!(whole, scan(usize::from(*cut) + 1));
    let Ok(serde_json::Value::Object(read)) = serde_json::from_slice(bytes) else {
        return;
    };
    let text = String::from_utf8_lossy(bytes);
    let is_only = text.matches("\"usage\"").count() == 1 && read.contains_key("usage");
    if let (true, Some(tokens)) = (is_only, read.get("usage").and_then(|usage| usage["prompt_tokens"].as_u64())) {
        let others = read["usage"].as_object().is_some_and(|usage| usage.len() == 1);
        if others && text.len() < 4_000 {
            assert_eq!(whole.map(|usage| usage.input), Some(tokens));
        }
    }
});

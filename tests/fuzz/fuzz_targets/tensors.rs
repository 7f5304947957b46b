//! Any bytes are as many values as were asked for, which are written as they came, or none.

#![no_main]

#[path = "../../../proxy/src/infer/raw.rs"]
mod raw;

use inference::Datatype;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [which, count, bytes @ ..] = input else {
        return;
    };
    let datatype = Datatype::ALL[usize::from(*which) % Datatype::ALL.len()];
    let Ok(values) = raw::read(datatype, bytes, usize::from(*count)) else {
        return;
    };
    assert_eq!(values.len(), usize::from(*count));
    let mut written = Vec::new();
    raw::write(&values, &mut written);
    // Of the many bytes that are true, one is written.
    if datatype != Datatype::Bool {
        assert_eq!(written, bytes);
    }
});

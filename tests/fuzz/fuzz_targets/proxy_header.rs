//! Any bytes begin with a PROXY header or do not, and no more of them is read than the header says.

#![no_main]

#[path = "../../../proxy/src/accept/proxy_header.rs"]
mod proxy_header;

use libfuzzer_sys::fuzz_target;

/// What a fuzzer would take ages to find.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&[SIGNATURE, bytes].concat());
});

fn read(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("an event loop");
    let mut stream = bytes;
    if runtime.block_on(proxy_header::read(&mut stream)).is_ok() {
        let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
        assert_eq!(stream, &bytes[16 + length..]);
    }
}

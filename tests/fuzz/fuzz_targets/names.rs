//! Any bytes are a certificate or none, and whatever workload it names is one that can be written down.

#![no_main]

#[path = "../../../proxy/src/identify/certificate.rs"]
mod certificate;

use certificate::Certificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let Ok(certificate) = Certificate::read(der) else {
        return;
    };
    if let Ok(Some(id)) = certificate.workload() {
        assert_eq!(certificate.uris, [id.as_str()], "another URI was overlooked");
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
    }
});

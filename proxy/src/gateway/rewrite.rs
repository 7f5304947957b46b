//! What an upstream is asked instead of what the client asked.

use http::header::{CONTENT_LENGTH, HOST, HeaderMap};
use http::{HeaderName, HeaderValue, Uri, request};
use policy::Rewrite;

use super::Inbound;

/// How much of a body is JSON, where binary tensors follow it (Open Inference Protocol, binary extension).
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Writes the parts of a head that are other.
pub(super) fn head(head: &mut request::Parts, rewrite: &Rewrite) {
    if let Some(target) = rewrite.target(&head.uri) {
        head.uri = Uri::from(target);
    }
    if let Some(host) = &rewrite.host {
        head.headers.insert(HOST, host.clone());
    }
}

/// Writes another model into a body that names one, and the lengths that are other by that.
pub(super) fn model(headers: &mut HeaderMap, body: &mut Inbound, model: &str) {
    let Some(change) = body.rename(model) else {
        return;
    };
    for name in [CONTENT_LENGTH, JSON_LENGTH] {
        let written = headers.get(&name).and_then(|value| value.to_str().ok());
        let length = written.and_then(|text| text.parse::<u64>().ok());
        if let Some(length) = length.and_then(|it| it.checked_add_signed(change)) {
            headers.insert(name, HeaderValue::from(length));
        }
    }
}

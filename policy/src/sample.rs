//! A small bank, for tests.

use config::Document;
use http::header::HeaderName;
use http::{HeaderMap, Method};

use crate::{Caller, ListenerId, Policy, Request};

/// The bank's document. Each test changes what it is about.
const DOCUMENT: &str = r#"
version: wald/v1
listeners:
  - { name: edge, address: "127.0.0.1:8080" }
  - { name: inside, address: "127.0.0.1:8081" }
upstreams:
  - { name: fraud-v1, endpoints: ["http://127.0.0.1:8001"] }
  - { name: fraud-v2, endpoints: ["http://127.0.0.1:8002"] }
models:
  - { name: digits, version: "9", file: digits-9.onnx, sha256: "0000000000000000000000000000000000000000000000000000000000000009" }
  - { name: digits, version: "10", file: digits-10.onnx, sha256: "000000000000000000000000000000000000000000000000000000000000000A" }
routes:
  - name: fraud
    match: { path: { prefix: /v2/models/fraud }, methods: [POST], headers: { x-tenant: { exact: bank } } }
    allow: [{ callers: anyone }]
    backend: { experiment: fraud-v2 }
  - name: digits
    match: { hosts: ["*.models.test"], path: { prefix: /v2/models/digits } }
    allow: [{ callers: anyone, methods: [POST] }]
    backend: { experiment: digits }
  - name: closed
    match: { path: { exact: /closed }, listeners: [inside] }
    backend: { respond: { status: 403, body: closed } }
experiments:
  - name: fraud-v2
    unit: { header: x-user }
    arms:
      - { name: control, backend: { upstream: fraud-v1 } }
      - { name: candidate, backend: { upstream: fraud-v2 } }
    ramp: [5%, 25%, 50%]
    metrics:
      - { name: accuracy, kind: proportion, source: feedback, better: higher, role: goal }
      - { name: errors, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 1.5 } }
  - name: digits
    unit: request
    arms:
      - { name: control, backend: { model: digits, version: "9" } }
      - { name: candidate, backend: { model: digits } }
    metrics:
      - { name: latency, kind: mean, source: duration, better: lower, role: goal, window: 90s }
      - { name: quality, kind: mean, source: feedback, better: higher, role: guardrail, margin: { absolute: 0.1 } }
"#;

/// An edit of the bank's document: one issuer of tokens.
pub(crate) const WITH_TOKENS: (&str, &str) = (
    "version: wald/v1\n",
    "version: wald/v1\ntokens:\n  - { issuer: \"https://issuer.test\", audiences: [models], keys: { file: jwks.json }, algorithms: [RS256, ES256] }\n",
);

/// A caller with a token of the bank's issuer that makes these claims.
#[track_caller]
pub(crate) fn caller(claims: &serde_json::Value) -> Caller {
    let policy = policy(&[WITH_TOKENS]);
    let issuer = policy.issuers().first().expect("an issuer");
    let claims = claims.as_object().expect("an object").clone();
    let believed = issuer.suppose(claims, 0).expect("claims of a user");
    Caller::anonymous().with_user(believed.user)
}

/// The bank's document with texts replaced.
#[track_caller]
pub(crate) fn document(edits: &[(&str, &str)]) -> Document {
    let mut text = DOCUMENT.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "the sample has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    let base = std::path::Path::new("/bank");
    config::read(&text, &|_| None, base).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

/// The bank's policy with texts of its document replaced.
#[track_caller]
pub(crate) fn policy(edits: &[(&str, &str)]) -> Policy {
    crate::compile(&document(edits)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Header fields.
pub(crate) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        headers.append(name, value.parse().expect("a header's value"));
    }
    headers
}

/// A request to the bank's first listener.
pub(crate) fn request<'a>(
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
) -> Request<'a> {
    Request {
        listener: ListenerId(0),
        host: "eu.models.test:8080",
        path,
        method,
        headers,
        model: crate::Asked::by_path(path),
    }
}

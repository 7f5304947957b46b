//! The dashboard's files, part of the binary.
//!
//! `make dashboard` builds them. A Wald that was compiled without them says so in their place.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

use super::problem::Problem;

/// Path and bytes of each file.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// What is shown where nobody has built the dashboard.
const ABSENT: &[u8] = include_bytes!("absent.html");

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Names of these files hold a hash of what is in them.
const HASHED: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The page, which asks for everything else.
pub(super) async fn index() -> Response {
    let page = find("index.html").unwrap_or(ABSENT);
    file("index.html", page)
}

/// What the admin API answers, for whoever writes a client.
pub(super) async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], include_str!("openapi.json")).into_response()
}

/// Its mark.
pub(super) async fn icon() -> Result<Response, Problem> {
    named("favicon.svg")
}

/// A part of it.
pub(super) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    named(&format!("{HASHED}{name}"))
}

fn named(path: &str) -> Result<Response, Problem> {
    let found = find(path).map(|bytes| file(path, bytes));
    found.ok_or_else(|| Problem::not_found("the dashboard has no such file"))
}

fn find(path: &str) -> Option<&'static [u8]> {
    let found = FILES.iter().find(|(name, _)| *name == path);
    found.map(|(_, bytes)| *bytes)
}

fn file(path: &str, bytes: &'static [u8]) -> Response {
    let caching = if path.starts_with(HASHED) {
        FOREVER
    } else {
        "no-cache"
    };
    let headers = [
        (CONTENT_TYPE, kind(path)),
        (CACHE_CONTROL, caching),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    (
        headers.map(|(name, value)| (name, HeaderValue::from_static(value))),
        bytes,
    )
        .into_response()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

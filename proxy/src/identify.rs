//! Who is calling.
//!
//! Second step of a request, after `accept` and before the route is chosen. What it hands on is a [`Caller`];
//! nothing later reads what a client says about itself.

use http::HeaderName;
use http::header::{FORWARDED, HeaderMap};
use policy::Caller;

/// What Wald says about a request, to backends and to clients. A client cannot say it.
const OURS: &str = "x-wald-";

/// What proxies say about the client; nobody before us is trusted yet.
const CLAIMED: [HeaderName; 4] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// The caller, after everything was removed that only Wald may say.
pub(crate) fn identify(headers: &mut HeaderMap) -> Caller {
    let claimed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OURS))
        .cloned()
        .collect();
    for name in claimed.iter().chain(&CLAIMED) {
        headers.remove(name);
    }
    Caller::anonymous()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_wald_may_say_is_removed_from_a_clients_request() {
        let mut headers: HeaderMap = [
            "x-wald-arm",
            "x-wald-anything",
            "forwarded",
            "x-forwarded-for",
            "x-walden",
            "accept",
        ]
        .into_iter()
        .map(|name| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static("1"),
            )
        })
        .collect();
        identify(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "x-walden"]);
    }
}

//! Fields that are good for one connection only and must not be passed on (RFC 9110 §7.6.1).

use std::time::Duration;

use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, UPGRADE};
use http::{Response, StatusCode};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// What is removed even if `Connection` does not name it, as §7.6.1 asks, and `Connection` itself. The two `Proxy-`
/// fields are meant for the first proxy that expects them (§11.7), and that is us.
fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
    )
}

/// Removes from a request all that concerns the client's connection, and keeps the wish for trailers.
///
/// `TE: trailers` is hop-by-hop, but a proxy that passes trailers on makes the same wish itself (§10.1.4).
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    if !headers.keys().any(is_of_connection) {
        return;
    }
    let trailers = headers.get(TE).is_some_and(wants_trailers);
    strip(headers);
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// How long the upstream keeps the connection when it is not used, if that is known.
///
/// After a 500 not at all: frameworks answer so when they catch what a handler threw, and servers such as uvicorn
/// then close the connection without having said so.
pub(super) fn kept_for<B>(response: &Response<B>) -> Option<Duration> {
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return Some(Duration::ZERO);
    }
    said_to_be_kept_for(response.headers())
}

/// The field is older than the RFCs, and servers of Python and C++ send it still: `Keep-Alive: timeout=5, max=100`.
fn said_to_be_kept_for(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get(KEEP_ALIVE)?.to_str().ok()?;
    let mut parameters = written.split(',').filter_map(|it| it.split_once('='));
    let (_, seconds) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

/// Removes from a response all that concerns the upstream's connection.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    if headers.keys().any(is_of_connection) {
        strip(headers);
    }
}

/// Removes what concerns the upstream's connection but that it changes to this protocol, as asked.
pub(super) fn switch_response(headers: &mut HeaderMap, protocol: HeaderValue) {
    strip(headers);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

fn strip(headers: &mut HeaderMap) {
    for name in named(headers) {
        headers.remove(name);
    }
    // One look at each name costs less than to look up each of these, and most heads have one of them or none.
    while let Some(name) = headers.keys().find(|name| is_of_connection(name)).cloned() {
        headers.remove(name);
    }
}

/// What `Connection` names. `Host` is never removed: the route was chosen by it, and whoever asks to have it
/// taken away wants another.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    let values = values
        .filter(|value| !is_about_itself(value.as_bytes()))
        .filter_map(|value| value.to_str().ok());
    let options = values.flat_map(|value| value.split(',')).map(str::trim);
    options
        .filter(|option| !is_about_itself(option.as_bytes()))
        .filter_map(|option| option.parse().ok())
        .filter(|name| *name != HOST)
        .collect()
}

/// Whether an option of `Connection` says what becomes of the connection, as nearly all do, and names no field.
fn is_about_itself(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive")
}

fn wants_trailers(te: &HeaderValue) -> bool {
    te.to_str().is_ok_and(|te| {
        te.split(',')
            .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let mut map = HeaderMap::new();
        for (name, value) in lines.iter().map(pair) {
            map.append(name, value);
        }
        map
    }

    #[track_caller]
    fn check(given: &[(&'static str, &'static str)], passed_on: &[(&'static str, &'static str)]) {
        let mut given = headers(given);
        strip_request(&mut given);
        assert_eq!(given, headers(passed_on));
    }

    #[test]
    fn what_connection_names_is_removed_with_it() {
        check(
            &[
                ("connection", "X-One, keep-alive"),
                ("connection", "x-two"),
                ("x-one", "1"),
                ("x-two", "2"),
                ("x", "3"),
            ],
            &[("x", "3")],
        );
    }

    #[test]
    fn framing_and_proxy_fields_are_removed_even_if_not_named() {
        check(
            &[
                ("transfer-encoding", "chunked"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("proxy-authorization", "Basic x"),
                ("upgrade", "h2c"),
                ("accept", "*/*"),
            ],
            &[("accept", "*/*")],
        );
    }

    #[test]
    fn connection_cannot_take_the_host_away() {
        check(
            &[("connection", "host"), ("host", "a.example")],
            &[("host", "a.example")],
        );
    }

    #[test]
    fn a_server_says_how_long_it_keeps_a_connection() {
        let of = |written: &'static str| said_to_be_kept_for(&headers(&[("keep-alive", written)]));
        assert_eq!(of("timeout=5, max=100"), Some(Duration::from_secs(5)));
        assert_eq!(of("max=100,Timeout = 5"), Some(Duration::from_secs(5)));
        assert_eq!(of("max=100"), None);
        assert_eq!(of("timeout=soon"), None);
    }

    #[test]
    fn the_wish_for_trailers_is_made_anew_and_no_other_coding_passes() {
        check(
            &[("te", "gzip, trailers"), ("connection", "te")],
            &[("te", "trailers"), ("connection", "te")],
        );
        check(&[("te", "gzip")], &[]);
    }
}

//! One form for each request's head, whichever protocol and form it came in.
//!
//! Afterwards the target is in origin form with the path that routes are compared with, `Host` names the
//! authority, and nothing is left that concerned the client's connection only.

use std::borrow::Cow;

use http::header::{COOKIE, HOST, HeaderMap, UPGRADE};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Method, Uri, Version, request};
use policy::path;

use crate::forward::strip_request;
use crate::refusal::Refusal;

/// Brings the head into its one form, or refuses it. What is left out is the protocol that the client wishes to
/// change to, if it does: whether it may, the route says.
pub(crate) fn normalise(head: &mut request::Parts) -> Result<Option<HeaderValue>, Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let wish = upgrade(head);
    strip_request(&mut head.headers);
    settle_host(head)?;
    settle_target(&mut head.uri)?;
    join_cookies(&mut head.headers);
    head.version = Version::HTTP_11;
    Ok(wish)
}

/// A server may ignore the wish to change to HTTP/2 (RFC 9113 §3.1), other protocols would be missed.
fn upgrade(head: &request::Parts) -> Option<HeaderValue> {
    let protocol = head.headers.get(UPGRADE)?;
    let is_http2 = protocol.as_bytes().eq_ignore_ascii_case(b"h2c");
    (!is_http2).then(|| protocol.clone())
}

/// The target's authority counts before `Host` (RFC 9112 §3.2.2, RFC 9113 §8.3.1). Only HTTP/1.0 may do
/// without both.
fn settle_host(head: &mut request::Parts) -> Result<(), Refusal> {
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(bare(authority)).map_err(|_| Refusal::BadHost)?;
        head.headers.insert(HOST, host);
        return Ok(());
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Refusal::NoHost),
        (Some(host), None) if is_host(host) => Ok(()),
        _ => Err(Refusal::BadHost),
    }
}

fn bare(authority: &Authority) -> &str {
    let text = authority.as_str();
    text.rsplit_once('@').map_or(text, |(_user, host)| host)
}

fn is_host(host: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_~:[]%".contains(byte);
    !host.is_empty() && host.as_bytes().iter().all(allowed)
}

fn settle_target(uri: &mut Uri) -> Result<(), Refusal> {
    let normal = match path::normalize(uri.path()).map_err(Refusal::Path)? {
        Cow::Borrowed(_) if uri.authority().is_none() => return Ok(()),
        Cow::Borrowed(_) => None,
        Cow::Owned(path) => Some(path),
    };
    let target = match (normal, uri.query()) {
        (None, _) => uri.path_and_query().cloned(),
        (Some(path), None) => PathAndQuery::try_from(path).ok(),
        (Some(path), Some(query)) => PathAndQuery::try_from(format!("{path}?{query}")).ok(),
    };
    *uri = target
        .map(Uri::from)
        .ok_or(Refusal::Path(path::Ambiguous::Control))?;
    Ok(())
}

/// HTTP/2 may split `Cookie`, HTTP/1.1 may not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(whole) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(
        version: Version,
        method: &str,
        target: &str,
        lines: &[(&str, &str)],
    ) -> request::Parts {
        let mut request = http::Request::builder()
            .version(version)
            .method(method)
            .uri(target);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[track_caller]
    fn check(mut head: request::Parts, target: &str, host: Option<&str>) {
        normalise(&mut head).unwrap();
        assert_eq!(head.uri, target);
        assert_eq!(
            head.headers.get(HOST).map(|host| host.to_str().unwrap()),
            host
        );
    }

    #[track_caller]
    fn check_refused(mut head: request::Parts, code: &str) {
        assert_eq!(
            normalise(&mut head).unwrap_err().kind().code.to_string(),
            code
        );
    }

    #[test]
    fn the_absolute_form_wins_over_host_and_loses_its_user() {
        check(
            parts(
                Version::HTTP_11,
                "GET",
                "http://u:p@a.example:81/x?y=1",
                &[("host", "b.example")],
            ),
            "/x?y=1",
            Some("a.example:81"),
        );
    }

    #[test]
    fn an_http2_authority_becomes_the_host() {
        check(
            parts(Version::HTTP_2, "GET", "http://a.example/x", &[]),
            "/x",
            Some("a.example"),
        );
    }

    #[test]
    fn http_1_0_may_do_without_a_host_and_1_1_may_not() {
        check(parts(Version::HTTP_10, "GET", "/x", &[]), "/x", None);
        check_refused(parts(Version::HTTP_11, "GET", "/x", &[]), "WALD-4002");
    }

    #[test]
    fn two_hosts_or_a_strange_one_are_refused() {
        check_refused(
            parts(
                Version::HTTP_11,
                "GET",
                "/x",
                &[("host", "a"), ("host", "b")],
            ),
            "WALD-4003",
        );
        check_refused(
            parts(Version::HTTP_11, "GET", "/x", &[("host", "a/b")]),
            "WALD-4003",
        );
        check_refused(
            parts(Version::HTTP_11, "GET", "/x", &[("host", "")]),
            "WALD-4003",
        );
    }

    #[test]
    fn the_checked_path_is_the_one_that_goes_on_with_its_query_untouched() {
        check(
            parts(Version::HTTP_11, "GET", "/a%62c?x=%62", &[("host", "h")]),
            "/abc?x=%62",
            Some("h"),
        );
        check_refused(
            parts(Version::HTTP_11, "GET", "/a/../b", &[("host", "h")]),
            "WALD-4001",
        );
    }

    #[test]
    fn the_wish_for_a_websocket_is_told_and_the_offer_of_http2_ignored() {
        let fields = [
            ("host", "h"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
        ];
        let mut head = parts(Version::HTTP_11, "GET", "/", &fields);
        assert_eq!(normalise(&mut head).unwrap().unwrap(), "websocket");
        assert!(!head.headers.contains_key(UPGRADE));
        check(
            parts(
                Version::HTTP_11,
                "GET",
                "/",
                &[("host", "h"), ("upgrade", "h2c")],
            ),
            "/",
            Some("h"),
        );
    }

    #[test]
    fn connect_is_refused() {
        check_refused(
            parts(Version::HTTP_11, "CONNECT", "a.example:80", &[]),
            "WALD-4004",
        );
    }

    #[test]
    fn crumbs_of_a_cookie_are_joined() {
        let mut head = parts(
            Version::HTTP_2,
            "GET",
            "http://h/",
            &[("cookie", "a=1"), ("cookie", "b=2")],
        );
        normalise(&mut head).unwrap();
        assert_eq!(head.headers[COOKIE], "a=1; b=2");
        assert_eq!(head.headers.get_all(COOKIE).iter().count(), 1);
    }
}

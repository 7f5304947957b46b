//! Keeps pages of other sites away (cross-site request forgery, DNS rebinding).

use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use super::door::Asker;
use super::problem::Problem;

/// Lets a request pass if its `Host` is an address or `localhost`, and its `Origin`, if it has one, the same.
/// Over TLS the host may be any name: who owns a name cannot point it here without a certificate for it that
/// the browser believes, and shows.
pub(super) async fn own_site_only(
    ConnectInfo(asker): ConnectInfo<Asker>,
    request: Request,
    next: Next,
) -> Response {
    match foreign(request.headers(), asker.proved.is_some()) {
        Some(what) => Problem::foreign(what).into_response(),
        None => next.run(request).await,
    }
}

/// What is foreign about a request, if anything is.
fn foreign(headers: &HeaderMap, is_secure: bool) -> Option<&'static str> {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    if !host
        .parse::<Authority>()
        .is_ok_and(|host| is_secure || is_own(host.host()))
    {
        return Some("the Host field must be an IP address or localhost");
    }
    let origin = headers
        .get(ORIGIN)?
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let is_same = origin.is_some_and(|origin| {
        origin
            .authority()
            .is_some_and(|origin| origin.as_str() == host)
    });
    (!is_same).then_some("the request comes from a page of another site")
}

/// A name could be made to lead here by whoever owns it; an address could not.
fn is_own(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(lines: &[(HeaderName, &'static str)], passes: bool) {
        let headers = lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        assert_eq!(
            foreign(&headers.collect(), false).is_none(),
            passes,
            "{lines:?}"
        );
    }

    #[test]
    fn an_address_or_localhost_passes() {
        check(&[(HOST, "127.0.0.1:9901")], true);
        check(&[(HOST, "[::1]:9901")], true);
        check(
            &[(HOST, "localhost:9901"), (ORIGIN, "http://localhost:9901")],
            true,
        );
    }

    #[test]
    fn a_name_that_was_pointed_here_is_refused() {
        check(&[(HOST, "evil.example:9901")], false);
        check(&[], false);
    }

    #[test]
    fn over_tls_a_name_passes_and_a_page_of_another_site_does_not() {
        let check = |origin, passes| {
            let name = HeaderValue::from_static("wald.bank.example:9901");
            let origin = HeaderValue::from_static(origin);
            let headers = HeaderMap::from_iter([(HOST, name), (ORIGIN, origin)]);
            assert_eq!(foreign(&headers, true).is_none(), passes);
        };
        check("https://wald.bank.example:9901", true);
        check("https://evil.example", false);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        check(
            &[(HOST, "127.0.0.1:9901"), (ORIGIN, "https://evil.example")],
            false,
        );
        check(&[(HOST, "127.0.0.1:9901"), (ORIGIN, "null")], false);
        check(
            &[(HOST, "127.0.0.1:9901"), (ORIGIN, "http://127.0.0.1:1")],
            false,
        );
    }
}

//! A request's head as HTTP/2 writes it.

use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Request, Uri, Version};

use crate::refusal::Refusal;

/// Writes `:scheme` and `:authority` instead of `Host`, and nothing about a connection (RFC 9113 §8.2.2,
/// §8.3.1). A `Host` that is no authority cannot be written so.
pub(super) fn address<B>(request: &mut Request<B>, scheme: Scheme) -> Result<(), Refusal> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(CONNECTION);
    let authority = authority(request.headers_mut()).ok_or(Refusal::BadHost)?;
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts
        .path_and_query
        .get_or_insert_with(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Refusal::BadHost)?;
    Ok(())
}

fn authority(headers: &mut HeaderMap) -> Option<Authority> {
    Authority::try_from(headers.remove(HOST)?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addressed(host: &str) -> Result<Request<()>, Refusal> {
        let request = Request::get("/v2?x=1").header(HOST, host);
        let request = request.header(CONNECTION, "te").header("te", "trailers");
        let mut request = request.body(()).unwrap();
        address(&mut request, Scheme::HTTPS)?;
        Ok(request)
    }

    #[test]
    fn a_target_gets_scheme_and_authority_and_loses_what_concerned_a_connection() {
        let request = addressed("models.example:81").unwrap();
        assert_eq!(request.uri(), "https://models.example:81/v2?x=1");
        let left: Vec<_> = request.headers().keys().collect();
        assert_eq!(left, ["te"]);
    }

    #[test]
    fn a_host_that_is_no_authority_is_refused() {
        assert!(matches!(addressed("a]b"), Err(Refusal::BadHost)));
    }
}

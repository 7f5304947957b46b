//! Sends a client elsewhere (RFC 9110 §15.4).

use bytes::Bytes;
use http::header::{HOST, LOCATION};
use http::{HeaderValue, Response, request};
use policy::Redirect;

use crate::accept::Peer;
use crate::refusal::Refusal;

/// An answer with the address of what the client asked for, but for the parts that are other.
pub(super) fn answer(
    redirect: &Redirect,
    head: &request::Parts,
    peer: &Peer,
) -> Result<Response<Bytes>, Refusal> {
    let asked = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = redirect.host.as_deref().or(asked);
    let usual = if peer.is_secure() { "https" } else { "http" };
    let scheme = redirect.scheme.as_deref().unwrap_or(usual);
    let path = redirect.path.as_deref().unwrap_or(head.uri.path());
    let mut location = match host {
        Some(host) => format!("{scheme}://{host}{path}"),
        None => path.to_owned(),
    };
    if let Some(query) = head.uri.query() {
        location.push('?');
        location.push_str(query);
    }
    let location = HeaderValue::try_from(location).map_err(|_| Refusal::BadHost)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = redirect.status;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

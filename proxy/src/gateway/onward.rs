//! What backends are told about a request beyond what the client said.

use http::header::{HOST, HeaderMap};
use http::{HeaderName, HeaderValue};

use crate::accept::Peer;
use crate::observe::Lane;

pub(crate) const EXPERIMENT: HeaderName = HeaderName::from_static("x-wald-experiment");
pub(crate) const ARM: HeaderName = HeaderName::from_static("x-wald-arm");
const ROUTE: HeaderName = HeaderName::from_static("x-wald-route");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The address that a request comes from: the peer's, or if the peer is a proxy that is believed, whom it heard.
pub(crate) fn client<'a>(headers: &'a HeaderMap, peer: &'a Peer) -> &'a [u8] {
    // What is there by now comes from a proxy that is believed, and the last one is whom it saw itself.
    let said = headers.get_all(FORWARDED_FOR).iter().next_back();
    let last = said.and_then(|said| said.as_bytes().rsplit(|byte| *byte == b',').next());
    last.map_or(peer.address().as_bytes(), <[u8]>::trim_ascii)
}

/// The most fields that [`tell`] adds.
const ADDED: usize = 6;

/// Writes route, arm and origin into a request's head. What is there by now about earlier steps comes from a
/// proxy that is believed, and is added to.
pub(crate) fn tell(headers: &mut HeaderMap, peer: &Peer, lane: Option<&Lane>) {
    headers.reserve(ADDED);
    // Each proxy adds whom it heard, in a line of its own or behind a comma (RFC 9110 §5.3).
    headers.append(FORWARDED_FOR, peer.address().clone());
    if !headers.contains_key(FORWARDED_PROTO) {
        let scheme = if peer.is_secure() { "https" } else { "http" };
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if let Some(host) = headers
        .get(HOST)
        .filter(|_| !headers.contains_key(FORWARDED_HOST))
    {
        let host = host.clone();
        headers.insert(FORWARDED_HOST, host);
    }
    if let Some(route) = lane.and_then(|lane| lane.route.clone()) {
        headers.insert(ROUTE, route);
    }
    if let Some((experiment, arm)) = lane.and_then(|lane| lane.arm.clone()) {
        headers.insert(EXPERIMENT, experiment);
        headers.insert(ARM, arm);
    }
}

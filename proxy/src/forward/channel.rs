//! What carries one request to a server: a connection of HTTP/1.1, or a stream of one of HTTP/2.

use http::header::{CONNECTION, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};

use super::Upload;
use super::count::Counted;

/// The answer to a request, or the request again if nothing of it was sent.
pub(super) type Sent = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// The way of one request. Dropping it before the answer has ended takes the request back: HTTP/1.1 closes
/// the connection, HTTP/2 resets the stream.
pub(super) enum Channel {
    /// A connection that the request has for itself.
    Connection(http1::SendRequest<Upload>),
    /// A stream beside others.
    Stream(Stream),
}

/// A stream of an HTTP/2 connection, counted for as long as it is held.
pub(super) struct Stream {
    sender: http2::SendRequest<Upload>,
    scheme: Scheme,
    _counted: Counted,
}

impl Stream {
    /// A stream that may begin.
    pub(super) fn new(
        sender: http2::SendRequest<Upload>,
        scheme: Scheme,
        counted: Counted,
    ) -> Self {
        Self {
            sender,
            scheme,
            _counted: counted,
        }
    }
}

impl Channel {
    /// Sends the request.
    pub(super) async fn send(&mut self, request: Request<Upload>) -> Sent {
        match self {
            Self::Connection(sender) => sender.try_send_request(request).await,
            Self::Stream(stream) => {
                let request = in_http2(request, stream.scheme.clone());
                stream.sender.try_send_request(request).await
            }
        }
    }
}

/// The request as HTTP/2 writes it: `:scheme` and `:authority` instead of `Host`, nothing about a connection
/// (RFC 9113 §8.2.2, §8.3.1). Written so already, it stays as it is.
fn in_http2(mut request: Request<Upload>, scheme: Scheme) -> Request<Upload> {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(CONNECTION);
    let Some(host) = request.headers_mut().remove(HOST) else {
        return request;
    };
    let target = std::mem::take(request.uri_mut()).into_parts();
    let path = target.path_and_query;
    match uri(scheme, host.as_bytes(), path.clone()) {
        Some(uri) => *request.uri_mut() = uri,
        // No authority: the server reads `Host`, which it would prefer over none (§8.3.1).
        None => {
            request.headers_mut().insert(HOST, host);
            *request.uri_mut() = path.map(Uri::from).unwrap_or_default();
        }
    }
    request
}

fn uri(scheme: Scheme, host: &[u8], path: Option<PathAndQuery>) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(Authority::try_from(host).ok()?);
    parts.path_and_query = path.or_else(|| PathAndQuery::try_from("/").ok());
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_gets_scheme_and_authority() {
        let path = PathAndQuery::from_static("/v2?x=1");
        let whole = |host: &[u8]| Some(uri(Scheme::HTTP, host, Some(path.clone()))?.to_string());
        assert_eq!(
            whole(b"models.example:81").as_deref(),
            Some("http://models.example:81/v2?x=1")
        );
        assert_eq!(whole(b"a]b"), None);
    }
}

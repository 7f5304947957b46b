//! What carries one request to a server: a connection of HTTP/1.1, or a stream of one of HTTP/2.

use http::{Request, Response};
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
    _counted: Counted,
}

impl Stream {
    /// A stream that may begin.
    pub(super) fn new(sender: http2::SendRequest<Upload>, counted: Counted) -> Self {
        Self {
            sender,
            _counted: counted,
        }
    }
}

impl Channel {
    /// Sends the request.
    pub(super) async fn send(&mut self, request: Request<Upload>) -> Sent {
        match self {
            Self::Connection(sender) => sender.try_send_request(request).await,
            Self::Stream(stream) => stream.sender.try_send_request(request).await,
        }
    }
}

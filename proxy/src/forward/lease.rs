//! The right to send one request over one connection.

use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;

use super::Upload;
use super::count::Counted;
use super::server::Server;

/// A connection that one request has for itself. Dropping it closes the connection; whoever has read the
/// whole response [gives it back](Lease::give_back).
pub(super) struct Lease {
    server: Rc<Server>,
    sender: SendRequest<Upload>,
    fresh: bool,
    _in_flight: Counted,
}

impl Lease {
    /// A connection made for this request.
    pub(super) fn fresh(server: &Rc<Server>, sender: SendRequest<Upload>, turn: Counted) -> Self {
        Self {
            server: Rc::clone(server),
            sender,
            fresh: true,
            _in_flight: turn,
        }
    }

    /// A connection that has waited: its server may just be closing it.
    pub(super) fn again(server: &Rc<Server>, sender: SendRequest<Upload>, turn: Counted) -> Self {
        Self {
            fresh: false,
            ..Self::fresh(server, sender, turn)
        }
    }

    /// Whether its server cannot have been about to close it.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Where to send the request.
    pub(super) fn sender(&mut self) -> &mut SendRequest<Upload> {
        &mut self.sender
    }

    /// Lets the next request have the connection, at once or when the rest of this one has been sent.
    pub(super) fn give_back(self) {
        if self.sender.is_ready() {
            self.server.put(self.sender);
        } else {
            tokio::task::spawn_local(self.give_back_when_ready());
        }
    }

    async fn give_back_when_ready(mut self) {
        if self.sender.ready().await.is_ok() {
            self.server.put(self.sender);
        }
    }
}

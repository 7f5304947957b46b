//! The right to send one request to a server.

use std::rc::Rc;

use hyper::client::conn::http1::SendRequest;

use super::Upload;
use super::channel::Channel;
use super::count::Counted;
use super::server::Server;

/// A way to a server that one request has for itself. Dropping it takes the request back; whoever has read the
/// whole response [gives it back](Lease::give_back).
pub(super) struct Lease {
    server: Rc<Server>,
    channel: Channel,
    fresh: bool,
    _in_flight: Counted,
}

impl Lease {
    /// A connection made for this request.
    pub(super) fn fresh(server: &Rc<Server>, channel: Channel, turn: Counted) -> Self {
        Self {
            server: Rc::clone(server),
            channel,
            fresh: true,
            _in_flight: turn,
        }
    }

    /// A connection that has served before: its server may just be closing it.
    pub(super) fn again(server: &Rc<Server>, channel: Channel, turn: Counted) -> Self {
        Self {
            fresh: false,
            ..Self::fresh(server, channel, turn)
        }
    }

    /// Whether its server cannot have been about to close it.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Where to send the request.
    pub(super) fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// Lets the next request have the connection, at once or when the rest of this one has been sent.
    pub(super) fn give_back(self) {
        let Self {
            server,
            channel,
            fresh: _,
            _in_flight: in_flight,
        } = self;
        match channel {
            Channel::Connection(sender) if sender.is_ready() => server.put(sender),
            Channel::Connection(sender) => {
                tokio::task::spawn_local(give_back_when_ready(server, sender, in_flight));
            }
            Channel::Stream(_ended) => {}
        }
    }
}

async fn give_back_when_ready(
    server: Rc<Server>,
    mut sender: SendRequest<Upload>,
    in_flight: Counted,
) {
    if sender.ready().await.is_ok() {
        server.put(sender);
    }
    drop(in_flight);
}

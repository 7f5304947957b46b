//! The right to send one request to a server.

use std::rc::Rc;
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use tokio::sync::OwnedSemaphorePermit;

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
    kept_for: Option<Duration>,
    held: Held,
}

/// What a request holds as long as it is in flight.
pub(super) struct Held {
    pub(super) _turn: OwnedSemaphorePermit,
    pub(super) _load: Counted,
}

impl Lease {
    /// A connection made for this request.
    pub(super) fn fresh(server: &Rc<Server>, channel: Channel, held: Held) -> Self {
        Self {
            server: Rc::clone(server),
            channel,
            fresh: true,
            kept_for: None,
            held,
        }
    }

    /// A connection that has served before: its server may just be closing it.
    pub(super) fn again(server: &Rc<Server>, channel: Channel, held: Held) -> Self {
        Self {
            fresh: false,
            ..Self::fresh(server, channel, held)
        }
    }

    /// Whether its server cannot have been about to close it.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whom the request goes to.
    pub(super) fn server(&self) -> &Rc<Server> {
        &self.server
    }

    /// Where to send the request.
    pub(super) fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// The server says that it closes the connection when it is not used for so long.
    pub(super) fn keep_for(&mut self, time: Option<Duration>) {
        self.kept_for = time;
    }

    /// Lets the next request have the connection, at once or when the rest of this one has been sent.
    pub(super) fn give_back(self) {
        let Self {
            server,
            channel,
            fresh: _,
            kept_for,
            held,
        } = self;
        match channel {
            Channel::Connection(sender) if sender.is_ready() => server.put(sender, kept_for),
            Channel::Connection(sender) => {
                tokio::task::spawn_local(give_back_when_ready(server, sender, kept_for, held));
            }
            Channel::Stream(_ended) => {}
        }
    }
}

async fn give_back_when_ready(
    server: Rc<Server>,
    mut sender: SendRequest<Upload>,
    kept_for: Option<Duration>,
    held: Held,
) {
    if sender.ready().await.is_ok() {
        server.put(sender, kept_for);
    }
    drop(held);
}

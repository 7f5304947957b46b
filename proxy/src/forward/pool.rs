//! A worker's own connections to the servers of one upstream.
//!
//! Connections never leave their worker, so there is nothing to lock.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::Scheme;
use policy::Protocol;

use super::Tls;
use super::count::Count;
use super::lease::Lease;
use super::server::Server;
use crate::refusal::Refusal;

/// An upstream as one worker uses it.
pub(crate) struct Pool {
    upstream: policy::Upstream,
    tls: Option<Arc<Tls>>,
    servers: Box<[Rc<Server>]>,
    turn: Cell<usize>,
    connections: Count,
    in_flight: Count,
}

impl Pool {
    /// A pool without connections; they are made when they are needed.
    pub(crate) fn new(upstream: &policy::Upstream, tls: Option<&Arc<Tls>>) -> Self {
        let server = |endpoint: &policy::Endpoint| {
            Rc::new(Server::new(&endpoint.authority, upstream.protocol, tls))
        };
        Self {
            tls: tls.cloned(),
            servers: upstream.endpoints.iter().map(server).collect(),
            turn: Cell::new(0),
            upstream: upstream.clone(),
            connections: Count::default(),
            in_flight: Count::default(),
        }
    }

    /// Whether the pool was made for an upstream just like this one. Its connections were made under one set of
    /// certificates and authorities, and never serve under another.
    pub(crate) fn serves(&self, upstream: &policy::Upstream, tls: Option<&Arc<Tls>>) -> bool {
        let same = |(ours, theirs): (&Arc<Tls>, &Arc<Tls>)| Arc::ptr_eq(ours, theirs);
        let same_tls = match (&self.tls, tls) {
            (None, None) => true,
            (ours, theirs) => ours.as_ref().zip(theirs).is_some_and(same),
        };
        same_tls
            && self.upstream.name == upstream.name
            && self.upstream.protocol == upstream.protocol
            && self.upstream.endpoints == upstream.endpoints
            && self.upstream.timeouts == upstream.timeouts
            && self.upstream.limits == upstream.limits
    }

    /// How long a response may take to begin.
    pub(super) fn patience(&self) -> Duration {
        self.upstream.timeouts.response
    }

    /// What a target's scheme is, where HTTP/2 asks for one.
    pub(super) fn http2_scheme(&self) -> Option<Scheme> {
        match (self.upstream.protocol, &self.tls) {
            (Protocol::Http1, _) => None,
            (Protocol::Http2, None) => Some(Scheme::HTTP),
            (Protocol::Http2, Some(_)) => Some(Scheme::HTTPS),
        }
    }

    /// Picks the next server in turn.
    pub(super) fn next(&self) -> Option<&Rc<Server>> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        self.servers.get(turn.checked_rem(self.servers.len())?)
    }

    /// A connection to this server: one that waits for work or else a new one. If the upstream may have no
    /// more, another server's that waits will do.
    pub(super) async fn lease(&self, server: &Rc<Server>) -> Result<Lease, Refusal> {
        let limits = self.upstream.limits;
        let turn = self.in_flight.one_more(limits.in_flight);
        let turn = turn.ok_or(Refusal::UpstreamBusy("upstream_in_flight"))?;
        if let Some(channel) = server.waiting() {
            return Ok(Lease::again(server, channel, turn));
        }
        let connect = self.upstream.timeouts.connect;
        let opening = server.turn(connect).await?;
        if opening.is_some()
            && let Some(channel) = server.waiting()
        {
            return Ok(Lease::again(server, channel, turn));
        }
        if let Some(connection) = self.connections.one_more(limits.connections) {
            let connected = server.connect(connect, connection);
            return Ok(Lease::fresh(server, connected.await?, turn));
        }
        let elsewhere = self
            .servers
            .iter()
            .find_map(|other| Some((other, other.waiting()?)));
        match elsewhere {
            Some((other, channel)) => Ok(Lease::again(other, channel, turn)),
            None => Err(Refusal::UpstreamBusy("upstream_connections")),
        }
    }

    /// Closes what has been waiting for longer than the upstream's idle time.
    pub(crate) fn sweep(&self, now: Instant) {
        for server in &self.servers {
            server.sweep(now, self.upstream.timeouts.idle);
        }
    }
}

//! A worker's own connections to the servers of one upstream.
//!
//! Connections never leave their worker, so there is nothing to lock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::uri::Scheme;
use http::{Response, StatusCode};
use policy::Protocol;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::Tls;
use super::balance::{Balancer, Rule, Wish};
use super::count::Count;
use super::lease::{Held, Lease};
use super::retry_after::retry_after;
use super::server::{Place, Server};
use super::standing::Standing;
use crate::grpc;
use crate::members::{Member, Members, Roster};
use crate::observe::{Counters, EndpointLabels, EndpointSeen};
use crate::refusal::Refusal;

/// No server is left alone for longer, whatever it asks for.
const REST_MAX: Duration = Duration::from_secs(60);

/// Whether an answer says that whoever gave it cannot serve, rather than what came of serving.
pub(crate) fn cannot_serve(status: StatusCode) -> bool {
    [
        StatusCode::BAD_GATEWAY,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT,
    ]
    .contains(&status)
}

/// An upstream as one worker uses it.
pub(crate) struct Pool {
    upstream: policy::Upstream,
    tls: Option<Arc<Tls>>,
    roster: Arc<Roster>,
    members: RefCell<watch::Receiver<Members>>,
    balancer: Balancer,
    turns: Arc<Semaphore>,
    queued: Count,
    connections: Count,
}

impl Pool {
    /// A pool without connections; they are made when they are needed.
    pub(crate) fn new(
        upstream: &policy::Upstream,
        tls: Option<&Arc<Tls>>,
        roster: &Arc<Roster>,
    ) -> Self {
        let limits = upstream.limits;
        // Each request over HTTP/1.1 has a connection for itself.
        let in_flight = match upstream.protocol {
            Protocol::Http1 => limits.in_flight.min(limits.connections),
            Protocol::Http2 => limits.in_flight,
        };
        let turns = usize::try_from(in_flight).unwrap_or(usize::MAX);
        let mut members = roster.subscribe();
        members.mark_changed();
        Self {
            tls: tls.cloned(),
            roster: Arc::clone(roster),
            members: RefCell::new(members),
            balancer: Balancer::new(Rule {
                balance: upstream.balance.clone(),
                panic_threshold: upstream.panic_threshold,
                slow_start: upstream.slow_start,
            }),
            turns: Arc::new(Semaphore::new(turns.min(Semaphore::MAX_PERMITS))),
            queued: Count::default(),
            connections: Count::default(),
            upstream: upstream.clone(),
        }
    }

    /// Whether the pool was made for an upstream just like this one. Its connections were made under one set of
    /// certificates and authorities, and never serve under another.
    pub(crate) fn serves(
        &self,
        upstream: &policy::Upstream,
        tls: Option<&Arc<Tls>>,
        roster: &Arc<Roster>,
    ) -> bool {
        let same = |(ours, theirs): (&Arc<Tls>, &Arc<Tls>)| Arc::ptr_eq(ours, theirs);
        let same_tls = match (&self.tls, tls) {
            (None, None) => true,
            (ours, theirs) => ours.as_ref().zip(theirs).is_some_and(same),
        };
        // What each request looks up in its own snapshot may differ.
        let mut meant = upstream.clone();
        meant.id = self.upstream.id;
        meant.authorization.clone_from(&self.upstream.authorization);
        meant.tls.clone_from(&self.upstream.tls);
        same_tls && Arc::ptr_eq(&self.roster, roster) && self.upstream == meant
    }

    /// The upstream whose servers these are.
    pub(super) fn upstream(&self) -> &policy::Upstream {
        &self.upstream
    }

    /// How long a response may take to begin.
    pub(super) fn patience(&self) -> Duration {
        self.upstream.timeouts.response
    }

    /// What a target's scheme is, where HTTP/2 asks for one.
    pub(crate) fn http2_scheme(&self) -> Option<Scheme> {
        match (self.upstream.protocol, &self.tls) {
            (Protocol::Http1, _) => None,
            (Protocol::Http2, None) => Some(Scheme::HTTP),
            (Protocol::Http2, Some(_)) => Some(Scheme::HTTPS),
        }
    }

    // What waits, here and below, is in a box: most requests need not, and would carry its state with them.

    /// The server for a request. While the names of an upstream are looked up for the first time, it waits.
    pub(super) async fn pick(&self, wish: &Wish<'_>) -> Result<Rc<Server>, Refusal> {
        self.hear(wish.now);
        if let Some(server) = self.balancer.pick(wish) {
            return Ok(server);
        }
        Box::pin(self.lookup()).await;
        self.hear(wish.now);
        self.balancer.pick(wish).ok_or(Refusal::Unresolved)
    }

    /// Waits until a server is known.
    async fn lookup(&self) {
        let mut members = self.roster.subscribe();
        let known = members.wait_for(|members| !members.is_empty());
        drop(timeout(self.upstream.timeouts.connect, known).await);
    }

    /// Whether there is a server that may be asked beside those that were.
    pub(super) fn has_others(&self, tried: &[Rc<Server>]) -> bool {
        let now = Instant::now();
        let is_other = |server: &Rc<Server>| {
            server.standing().is_available(now) && !tried.iter().any(|it| Rc::ptr_eq(it, server))
        };
        self.balancer.servers().iter().any(is_other)
    }

    /// Takes over what the control side found out since the last time.
    fn hear(&self, now: Instant) {
        let mut receiver = self.members.borrow_mut();
        // An error means that nobody tells any more; what was told last stays.
        if !receiver.has_changed().unwrap_or(false) {
            return;
        }
        let members = Arc::clone(&receiver.borrow_and_update());
        let before = self.balancer.servers();
        let server = |member: &Member| {
            let at = self.place(member)?;
            let kept = before.iter().find(|server| *server.at() == at);
            if let Some(kept) = kept {
                kept.standing().hear(member.is_well, now);
                return Some(Rc::clone(kept));
            }
            // Those that are there from the beginning do not come slowly.
            let joined = (!before.is_empty()).then_some(now);
            let standing = Standing::new(member.is_well, joined);
            let (protocol, tls) = (self.upstream.protocol, self.tls.as_ref());
            Some(Rc::new(Server::new(at, standing, protocol, tls)))
        };
        self.balancer
            .replace(members.iter().filter_map(server).collect());
    }

    fn place(&self, member: &Member) -> Option<Place> {
        let written = self.upstream.endpoints.get(member.endpoint)?;
        Some(Place {
            endpoint: member.endpoint,
            authority: written.authority.as_str().into(),
            address: member.address,
            weight: written.weight,
            is_near: written.is_near,
        })
    }

    /// The right to be in flight, at once or when others have ended.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => Ok(turn),
            Err(_busy) => Box::pin(self.queue()).await,
        }
    }

    async fn queue(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let queued = self.queued.one_more(self.upstream.limits.queued);
        let _queued = queued.ok_or(Refusal::UpstreamBusy("upstream_queued"))?;
        let turn = Arc::clone(&self.turns).acquire_owned();
        match timeout(self.upstream.timeouts.queue, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Refusal::UpstreamBusy("upstream_queue_time")),
        }
    }

    /// A connection to this server: one that waits for work or else a new one. If the upstream may have no
    /// more, another server's that waits will do.
    pub(super) async fn lease(
        &self,
        server: &Rc<Server>,
        turn: OwnedSemaphorePermit,
    ) -> Result<Lease, Refusal> {
        let held = Held {
            _turn: turn,
            _load: server.load().begin(),
        };
        match server.waiting() {
            Some(channel) => Ok(Lease::again(server, channel, held)),
            None => Box::pin(self.open(server, held)).await,
        }
    }

    async fn open(&self, server: &Rc<Server>, held: Held) -> Result<Lease, Refusal> {
        let connect = self.upstream.timeouts.connect;
        let opening = server.turn(connect).await?;
        if opening.is_some()
            && let Some(channel) = server.waiting()
        {
            return Ok(Lease::again(server, channel, held));
        }
        if let Some(connection) = self.connections.one_more(self.upstream.limits.connections) {
            let connected = server.connect(connect, connection);
            return Ok(Lease::fresh(server, connected.await?, held));
        }
        let servers = self.balancer.servers();
        let elsewhere = servers
            .iter()
            .find_map(|other| Some((other, other.waiting()?)));
        match elsewhere {
            Some((other, channel)) => {
                let held = Held {
                    _load: other.load().begin(),
                    ..held
                };
                Ok(Lease::again(other, channel, held))
            }
            None => Err(Refusal::UpstreamBusy("upstream_connections")),
        }
    }

    /// What an answer says about its server: only that it cannot serve counts against it. A 500 may be the
    /// fault of one request, and must not take a server from all others.
    pub(super) fn heard<B>(
        &self,
        server: &Server,
        since: Instant,
        response: &Response<B>,
        is_call: bool,
    ) {
        let now = Instant::now();
        if cannot_serve(grpc::http_status(response, is_call)) {
            self.failed(server, since);
            if let Some(rest) = retry_after(response.headers(), SystemTime::now()) {
                server.standing().rest(now + rest.min(REST_MAX));
                self.balancer.changed();
            }
            return;
        }
        server.answered(now.saturating_duration_since(since), now);
    }

    /// What it says about a server that there is no answer: nothing if that is somebody else's doing.
    pub(super) fn judge(&self, server: &Server, since: Instant, refusal: &Refusal) {
        if refusal.is_of_server() {
            self.failed(server, since);
        }
    }

    /// However fast a failure was, it counts as slow: whoever fails fast would draw all requests otherwise.
    pub(super) fn failed(&self, server: &Server, since: Instant) {
        let now = Instant::now();
        let took = now.saturating_duration_since(since);
        let latency = took.max(self.upstream.timeouts.connect);
        if server.failed(latency, self.upstream.eviction.as_ref(), now) {
            let (upstream, address) = (&*self.upstream.name, server.at().address);
            tracing::warn!(upstream, %address, "a server that keeps failing is set aside");
            self.balancer.changed();
        }
    }

    /// Closes what has been waiting for longer than the upstream's idle time.
    pub(crate) fn sweep(&self, now: Instant) {
        self.hear(now);
        for server in self.balancer.servers() {
            server.sweep(now, self.upstream.timeouts.idle);
        }
    }

    /// Adds how its servers are doing.
    pub(crate) fn export(&self, into: &mut Counters) {
        let now = Instant::now();
        for server in self.balancer.servers() {
            let labels = EndpointLabels {
                upstream: self.upstream.name.to_string(),
                endpoint: server.at().address.to_string(),
            };
            let (answered, failed) = server.answers();
            let seen = EndpointSeen {
                answered,
                failed,
                evictions: server.standing().evictions(),
                evicted: u64::from(server.standing().is_evicted(now)),
                in_flight: server.load().in_flight().into(),
                latency: server.load().latency(now),
            };
            into.endpoints.entry(labels).or_default().merge(&seen);
        }
        let panicking = into.panicking.entry(self.upstream.name.to_string());
        *panicking.or_default() += u64::from(self.balancer.is_panicking());
    }
}

//! One worker: a thread that serves requests from its own sockets and keeps what it saw.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use policy::ListenerId;
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Phase;
use crate::accept::{self, Connections, Door};
use crate::feedback;
use crate::gateway::Chance;
use crate::identify::key_servers::KeyServers;
use crate::live::Live;
use crate::observe::{Counters, Limits, Observed, View};
use crate::referee::Referee;
use crate::refusal::Refusal;
use crate::shadow;
use crate::workers::Ask;

/// How often idle connections are looked at. Their limits are kept this exactly.
const SWEEP: Duration = Duration::from_millis(250);

/// What a worker is started with.
pub(crate) struct Duty {
    /// The snapshot in force.
    pub(crate) live: Live,
    /// Who takes feedback.
    pub(crate) referee: Referee,
    /// Who fetches the keys of issuers.
    pub(crate) key_servers: KeyServers,
    /// Who compares the answers of shadows.
    pub(crate) shadows: shadow::Desk,
    /// What others ask of this worker.
    pub(crate) mailbox: mpsc::Receiver<Ask>,
    /// The sockets that are this worker's own.
    pub(crate) sockets: Vec<(policy::Listener, accept::Socket)>,
    /// How far the server has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Told once this worker serves.
    pub(crate) begun: mpsc::Sender<()>,
    /// Dropped when this worker has finished its last request.
    pub(crate) drained: mpsc::Sender<()>,
}

/// What the requests of one worker share. Nothing here is shared with another thread.
pub(crate) struct Worker {
    live: Live,
    referee: Referee,
    key_servers: KeyServers,
    shadows: shadow::Desk,
    chance: Chance,
    view: RefCell<Rc<View>>,
    older: RefCell<Vec<Rc<View>>>,
    totals: RefCell<Counters>,
    is_leaving: Cell<bool>,
}

/// Serves until the server has ended. Everything runs on this thread.
///
/// # Errors
/// When the thread cannot make its event loop, take over a socket or get a seed.
pub(crate) fn work(duty: Duty) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let chance = Chance::new().map_err(std::io::Error::other)?;
    runtime.block_on(serve(duty, chance))
}

async fn serve(duty: Duty, chance: Chance) -> std::io::Result<()> {
    let Duty {
        live,
        referee,
        key_servers,
        shadows,
        mailbox,
        sockets,
        mut phase,
        begun,
        drained,
    } = duty;
    let worker = Rc::new(Worker::new(live, referee, (key_servers, shadows), chance));
    let mut doors = JoinSet::new();
    let mut connections = Vec::with_capacity(sockets.len());
    for (listener, socket) in sockets {
        let door = Rc::new(Door::new(Rc::clone(&worker), listener));
        connections.push(door.connections());
        doors.spawn_local(door.serve(socket.begin()?, phase.clone()));
    }
    let answering = tokio::task::spawn_local(answer(Rc::clone(&worker), mailbox));
    let sweeping = tokio::task::spawn_local(sweep(Rc::clone(&worker), connections));
    // There is room for every worker; who waits for it may be gone.
    begun.try_send(()).unwrap_or_default();
    drop(begun);
    drop(phase.wait_for(|phase| *phase > Phase::Serving).await);
    worker.is_leaving.set(true);
    drop(phase.wait_for(|phase| *phase >= Phase::Draining).await);
    let drain = worker.live.load().policy.drain().time;
    tokio::select! {
        _ = doors.join_all() => {}
        () = tokio::time::sleep(drain) => tracing::warn!(seconds = drain.as_secs(), "requests outlasted the drain time"),
        () = ended(phase.clone()) => {}
    }
    drop(drained);
    // Evidence of the last requests is still asked for, so the mailbox stays open until the end.
    ended(phase).await;
    answering.abort();
    sweeping.abort();
    Ok(())
}

/// Waits for the end. A phase that can no longer change has ended as well.
async fn ended(mut phase: watch::Receiver<Phase>) {
    drop(phase.wait_for(|phase| *phase == Phase::Ended).await);
}

/// Answers what the control side asks.
async fn answer(worker: Rc<Worker>, mut mailbox: mpsc::Receiver<Ask>) {
    while let Some(ask) = mailbox.recv().await {
        // Who has stopped waiting for an answer needs none.
        match ask {
            Ask::Evidence(limits, reply) => drop(reply.send(worker.evidence(&limits))),
            Ask::Counters(reply) => drop(reply.send(worker.counters())),
        }
    }
}

/// Closes what has been idle for too long, in both directions.
async fn sweep(worker: Rc<Worker>, connections: Vec<Rc<Connections>>) {
    let mut beat = tokio::time::interval(SWEEP);
    loop {
        let now = beat.tick().await.into_std();
        for connections in &connections {
            for _ in 0..connections.sweep(now) {
                worker.count_limit("premature_resets");
            }
        }
        // The view of the snapshot in force, though nobody may have asked here since: what is idle must not keep the
        // models of an older one.
        worker.view().sweep(now);
        worker.live.load().rates.sweep();
        worker.forget();
    }
}

impl Worker {
    fn new(
        live: Live,
        referee: Referee,
        (key_servers, shadows): (KeyServers, shadow::Desk),
        chance: Chance,
    ) -> Self {
        let view = Rc::new(View::new(Arc::clone(&live.load()), None));
        Self {
            live,
            referee,
            key_servers,
            shadows,
            chance,
            view: RefCell::new(view),
            older: RefCell::default(),
            totals: RefCell::default(),
            is_leaving: Cell::new(false),
        }
    }

    /// The view of the snapshot in force. Most of the time that is one comparison of pointers.
    pub(crate) fn view(&self) -> Rc<View> {
        let snapshot = self.live.load();
        let mut view = self.view.borrow_mut();
        if !Arc::ptr_eq(view.snapshot(), &snapshot) {
            let next = Rc::new(View::new(Arc::clone(&snapshot), Some(&view)));
            self.older
                .borrow_mut()
                .push(std::mem::replace(&mut view, next));
        }
        Rc::clone(&view)
    }

    /// Whether clients should go elsewhere.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.get()
    }

    /// Where numbers come from.
    pub(crate) fn chance(&self) -> &Chance {
        &self.chance
    }

    /// Who fetches the keys of issuers.
    pub(crate) fn key_servers(&self) -> &KeyServers {
        &self.key_servers
    }

    /// Who compares the answers of shadows.
    pub(crate) fn shadows(&self) -> &shadow::Desk {
        &self.shadows
    }

    /// Counts a token, and whether it had been verified before.
    pub(crate) fn count_token(&self, was_known: bool) {
        let mut totals = self.totals.borrow_mut();
        if was_known {
            totals.token_hits += 1;
        } else {
            totals.token_misses += 1;
        }
    }

    /// TLS of a listener as it is in force; none for plain text.
    pub(crate) fn tls(&self, listener: ListenerId) -> Option<Arc<accept::Tls>> {
        self.live.load().credentials.listener(listener).cloned()
    }

    /// Counts how a handshake ended.
    pub(crate) fn count_handshake(&self, listener: &str, outcome: &'static str) {
        let labels = (listener.to_owned(), outcome);
        *self
            .totals
            .borrow_mut()
            .handshakes
            .entry(labels)
            .or_default() += 1;
    }

    /// Counts what a connection of a balancer began with.
    pub(crate) fn count_proxy_header(&self, listener: &str, outcome: &'static str) {
        let labels = (listener.to_owned(), outcome);
        let mut totals = self.totals.borrow_mut();
        *totals.proxy_headers.entry(labels).or_default() += 1;
    }

    /// Counts that a limit was reached.
    pub(crate) fn count_limit(&self, limit: &'static str) {
        *self.totals.borrow_mut().limits.entry(limit).or_default() += 1;
    }

    /// Counts a refusal, and the limit that caused it if one did.
    pub(crate) fn count_refusal(&self, refusal: &Refusal) {
        *self
            .totals
            .borrow_mut()
            .refusals
            .entry(refusal.kind().code)
            .or_default() += 1;
        if let Some(limit) = refusal.limit() {
            self.count_limit(limit);
        }
    }

    /// Hands feedback to the referee.
    pub(crate) async fn feedback(&self, body: Bytes) -> Result<Response<Bytes>, Refusal> {
        feedback::respond(&self.referee, body).await
    }

    fn evidence(&self, limits: &Limits) -> Vec<Observed> {
        let now = Instant::now();
        let older = self.older.borrow();
        older
            .iter()
            .chain([&*self.view.borrow()])
            .flat_map(|view| view.evidence(now, limits))
            .collect()
    }

    fn counters(&self) -> Counters {
        let mut counters = self.totals.borrow().clone();
        let view = self.view.borrow();
        for view in self.older.borrow().iter().chain([&*view]) {
            view.export(&mut counters);
        }
        // Older views share them, or have those that nothing new goes to.
        for pool in view.pools() {
            pool.export(&mut counters);
        }
        counters
    }

    /// Lets go of older views once nobody uses them and their evidence was collected; what they counted stays.
    fn forget(&self) {
        let mut totals = self.totals.borrow_mut();
        self.older.borrow_mut().retain(|view| {
            let needed = Rc::strong_count(view) > 1 || view.has_evidence();
            if !needed {
                view.export(&mut totals);
            }
            needed
        });
    }
}

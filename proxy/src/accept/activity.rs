//! What one connection is doing, and since when.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::{Request, Version};
use policy::ListenerLimits;

/// What one connection is doing.
pub(crate) struct Activity {
    state: Cell<State>,
    since: Cell<Instant>,
    /// Since when the client has taken nothing of what it is sent.
    stalled: Cell<Option<Instant>>,
    /// Whether it ends with what is being served.
    is_last: Cell<bool>,
    resets: Resets,
    open: Rc<Cell<u32>>,
}

/// Requests over HTTP/2 that their client took back almost at once: each costs a server far more than it costs
/// the client ("rapid reset", CVE-2023-44487).
#[derive(Default)]
struct Resets {
    served: Cell<u32>,
    premature: Cell<u32>,
}

/// A connection on which so many requests were taken back, and more than half of all, is ended.
const RESETS_MAX: u32 = 200;

/// Whoever takes a request back later has waited for it.
const PREMATURE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of a request has arrived.
    Idle,
    /// A part of a request's head has arrived.
    Reading,
    /// So many requests are being served.
    Serving(u32),
    /// HTTP/2 between requests: what arrives may as well be a ping, so it is no part of a head.
    Http2Idle,
}

impl Activity {
    /// A connection over which nothing has come; `open` counts it until it is gone.
    pub(super) fn new(open: Rc<Cell<u32>>) -> Self {
        Self {
            state: Cell::new(State::Idle),
            since: Cell::new(Instant::now()),
            stalled: Cell::new(None),
            is_last: Cell::new(false),
            resets: Resets::default(),
            open,
        }
    }

    /// Whether the client has kept the connection waiting for too long, in either direction.
    pub(super) fn is_overdue(&self, now: Instant, limits: ListenerLimits) -> bool {
        let for_at_least = |limit, since| now.saturating_duration_since(since) >= limit;
        let stalls = self
            .stalled
            .get()
            .is_some_and(|since| for_at_least(limits.idle, since));
        stalls
            || match self.state.get() {
                State::Idle | State::Http2Idle => {
                    self.is_last.get() || for_at_least(limits.idle, self.since.get())
                }
                State::Reading => for_at_least(limits.header_time, self.since.get()),
                State::Serving(_) => false,
            }
    }

    /// Whether its client mostly takes back what it has just asked for.
    pub(super) fn is_flood(&self) -> bool {
        let (premature, served) = (self.resets.premature.get(), self.resets.served.get());
        premature >= RESETS_MAX && premature > served / 2
    }

    /// Whether no request has come over it, or not all of the first one's head.
    pub(super) fn has_asked_nothing(&self) -> bool {
        self.resets.served.get() == 0
    }

    /// Something has arrived.
    pub(super) fn arrived(&self) {
        if self.state.get() == State::Idle {
            self.enter(State::Reading);
        }
    }

    /// The client has taken something of what it is sent, or just not.
    pub(super) fn taken(&self, anything: bool) {
        match self.stalled.get() {
            None if !anything => self.stalled.set(Some(Instant::now())),
            Some(_) if anything => self.stalled.set(None),
            _ => {}
        }
    }

    /// Whoever is at the other end is not to be served again.
    fn end_soon(&self) {
        self.is_last.set(true);
    }

    fn enter(&self, state: State) {
        self.state.set(state);
        self.since.set(Instant::now());
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        self.open.set(self.open.get().saturating_sub(1));
    }
}

/// Proof that a connection is serving a request; held until the answer has gone out.
pub(crate) struct Busy {
    activity: Rc<Activity>,
    after: State,
    /// When a request over HTTP/2 came that has not been answered entirely.
    unanswered: Option<Instant>,
}

impl Busy {
    /// A request's head has arrived.
    pub(super) fn begin<B>(activity: &Rc<Activity>, request: &Request<B>) -> Self {
        let serving = match activity.state.get() {
            State::Serving(requests) => requests,
            State::Idle | State::Reading | State::Http2Idle => 0,
        };
        activity.state.set(State::Serving(serving + 1));
        let (after, unanswered) = match request.version() {
            Version::HTTP_2 => (State::Http2Idle, Some(Instant::now())),
            _ => (State::Idle, None),
        };
        let served = &activity.resets.served;
        served.set(served.get().saturating_add(1));
        Self {
            activity: Rc::clone(activity),
            after,
            unanswered,
        }
    }

    /// The whole answer has gone out.
    pub(crate) fn answered(&mut self) {
        self.unanswered = None;
    }

    /// Lets the connection end once nothing is being served on it.
    pub(crate) fn end_soon(&self) {
        self.activity.end_soon();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self
            .unanswered
            .is_some_and(|since| since.elapsed() < PREMATURE)
        {
            let premature = &self.activity.resets.premature;
            premature.set(premature.get().saturating_add(1));
        }
        match self.activity.state.get() {
            State::Serving(requests) if requests > 1 => {
                self.activity.state.set(State::Serving(requests - 1));
            }
            _ => self.activity.enter(self.after),
        }
    }
}

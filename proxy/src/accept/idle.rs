//! Which connections have nothing to do, and for how long.
//!
//! A timer for each request's head and each pause between requests would cost every request two timers.
//! Instead each connection keeps a note of what it waits for, and the worker's sweep reads the notes.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::{Request, Version};
use hyper::rt::{Read, ReadBufCursor, Write};
use policy::ListenerLimits;
use tokio::task::AbortHandle;

/// The open connections of one listener on one worker.
pub(crate) struct Connections {
    limits: ListenerLimits,
    open: Rc<Cell<u32>>,
    watched: RefCell<Vec<(Weak<Activity>, AbortHandle)>>,
}

/// What one connection is doing.
pub(crate) struct Activity {
    state: Cell<State>,
    since: Cell<Instant>,
    open: Rc<Cell<u32>>,
}

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

impl Connections {
    /// No connections yet.
    pub(crate) fn new(limits: ListenerLimits) -> Self {
        Self {
            limits,
            open: Rc::new(Cell::new(0)),
            watched: RefCell::default(),
        }
    }

    /// How many are open.
    pub(crate) fn open(&self) -> u32 {
        self.open.get()
    }

    /// Counts a new connection for as long as anything of it holds what it is doing.
    pub(crate) fn enter(&self) -> Rc<Activity> {
        self.open.set(self.open.get() + 1);
        let open = Rc::clone(&self.open);
        Rc::new(Activity {
            state: Cell::new(State::Idle),
            since: Cell::new(Instant::now()),
            open,
        })
    }

    /// Ends the connection's task when it has been idle, or reading one head, for too long.
    pub(crate) fn watch(&self, activity: Weak<Activity>, task: AbortHandle) {
        self.watched.borrow_mut().push((activity, task));
    }

    /// Ends what has waited for too long and forgets what has ended.
    pub(crate) fn sweep(&self, now: Instant) {
        self.watched.borrow_mut().retain(|(activity, task)| {
            let overdue = activity
                .upgrade()
                .is_some_and(|activity| activity.is_overdue(now, self.limits));
            if overdue {
                task.abort();
            }
            !overdue && !task.is_finished()
        });
    }
}

impl Activity {
    fn is_overdue(&self, now: Instant, limits: ListenerLimits) -> bool {
        let waited = now.saturating_duration_since(self.since.get());
        match self.state.get() {
            State::Idle | State::Http2Idle => waited >= limits.idle,
            State::Reading => waited >= limits.header_time,
            State::Serving(_) => false,
        }
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
}

impl Busy {
    /// A request's head has arrived.
    pub(crate) fn begin<B>(activity: &Rc<Activity>, request: &Request<B>) -> Self {
        let serving = match activity.state.get() {
            State::Serving(requests) => requests,
            State::Idle | State::Reading | State::Http2Idle => 0,
        };
        activity.state.set(State::Serving(serving + 1));
        let after = if request.version() == Version::HTTP_2 {
            State::Http2Idle
        } else {
            State::Idle
        };
        Self {
            activity: Rc::clone(activity),
            after,
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        match self.activity.state.get() {
            State::Serving(requests) if requests > 1 => {
                self.activity.state.set(State::Serving(requests - 1))
            }
            _ => self.activity.enter(self.after),
        }
    }
}

/// A connection's bytes, taking note when a head begins to arrive.
pub(crate) struct Watched<T> {
    io: T,
    activity: Rc<Activity>,
}

impl<T> Watched<T> {
    /// Watches what arrives over `io`.
    pub(crate) fn new(io: T, activity: Rc<Activity>) -> Self {
        Self { io, activity }
    }
}

impl<T: Read + Unpin> Read for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if self.activity.state.get() == State::Idle {
            self.activity.enter(State::Reading);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Write + Unpin> Write for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}

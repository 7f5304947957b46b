//! A request's body on its way to an upstream: counted, limited, never collected.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::gateway::model::Unsound;
use crate::gateway::{Cut, Inbound};
use crate::refusal::Refusal;

/// A client's body that breaks off when it grows beyond its limit.
///
/// It is asked for a frame only when the upstream's connection has room for one, and hyper reads from the
/// client only when asked, so a slow upstream slows the client down and memory stays bounded.
pub(crate) struct Upload {
    body: Inbound,
    limit: u64,
    left: u64,
    progress: Rc<Progress>,
}

/// How an upload gets on, for whoever waits for the response.
pub(super) struct Progress {
    moved: Cell<Instant>,
    awaited: Cell<bool>,
    broken: Cell<Option<Broken>>,
}

/// Why an upload did not reach its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// It was larger than allowed.
    #[error("the body exceeds {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The client stopped sending.
    #[error("the client broke off")]
    ByClient,
    /// It has two meanings, which shows only now.
    #[error(transparent)]
    Unsound(Unsound),
}

impl Upload {
    /// Lets at most `limit` bytes of `body` pass, none if it announces more.
    pub(crate) fn new(body: Inbound, limit: u64) -> Result<Self, Refusal> {
        if body.size_hint().lower() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        let progress = Progress {
            moved: Cell::new(Instant::now()),
            awaited: Cell::new(false),
            broken: Cell::new(None),
        };
        Ok(Self {
            body,
            limit,
            left: limit,
            progress: Rc::new(progress),
        })
    }

    /// A handle that outlives the body.
    pub(super) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    /// Counts a frame, or says why it may not pass.
    fn pass(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Broken> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let limit = self.limit;
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or(Broken::TooLarge { limit })?;
        self.progress.moved.set(Instant::now());
        Ok(frame)
    }
}

impl Progress {
    /// When the last part of the body was taken.
    pub(super) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether it is the client that should go on.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.get()
    }

    /// Why the body broke off, if it did.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.broken.get()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.progress.awaited.set(polled.is_pending());
        polled.map(|frame| {
            let passed = match frame? {
                Ok(frame) => self.pass(frame),
                Err(Cut::ByClient(_)) => Err(Broken::ByClient),
                Err(Cut::Unsound(why)) => Err(Broken::Unsound(why)),
            };
            self.progress.broken.set(passed.as_ref().err().copied());
            Some(passed)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

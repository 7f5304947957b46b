//! A request's body on its way to an upstream: counted, limited, never collected.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::refusal::Refusal;

/// A client's body that breaks off when it grows beyond its limit.
///
/// It is asked for a frame only when the upstream's connection has room for one, and hyper reads from the
/// client only when asked, so a slow upstream slows the client down and memory stays bounded.
pub(crate) struct Upload {
    body: Incoming,
    limit: u64,
    left: u64,
    progress: Rc<Progress>,
}

/// What became of an upload, for whoever waits for the response.
pub(crate) struct Progress {
    moved: Cell<Instant>,
    end: Cell<Option<Broken>>,
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
}

impl Upload {
    /// Lets at most `limit` bytes of `body` pass, none if it announces more.
    pub(crate) fn new(body: Incoming, limit: u64) -> Result<Self, Refusal> {
        if body.size_hint().lower() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        let progress = Progress {
            moved: Cell::new(Instant::now()),
            end: Cell::new(None),
        };
        Ok(Self {
            body,
            limit,
            left: limit,
            progress: Rc::new(progress),
        })
    }

    /// A handle that outlives the body.
    pub(crate) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    fn breaks(&self, why: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.progress.end.set(Some(why));
        Poll::Ready(Some(Err(why)))
    }
}

impl Progress {
    /// When the last part of the body was taken.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Why the body broke off, if it did.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.end.get()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else {
            return Poll::Ready(None);
        };
        let Ok(frame) = frame else {
            return self.breaks(Broken::ByClient);
        };
        let taken = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(taken) {
            Some(left) => self.left = left,
            None => return self.breaks(Broken::TooLarge { limit: self.limit }),
        }
        self.progress.moved.set(Instant::now());
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

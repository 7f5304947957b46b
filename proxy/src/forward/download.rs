//! A response's body on its way from an upstream to the client.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::Pool;
use super::lease::Lease;
use super::plan::End;
use crate::grpc;

/// A body that gives its connection back at its end, and closes it when it is dropped before.
pub(crate) struct Download {
    body: Incoming,
    lease: Option<Lease>,
    pool: Rc<Pool>,
    patience: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    deadline: Deadline,
}

/// When the exchange ends at the latest.
enum Deadline {
    /// It lasts for as long as something comes.
    Never,
    /// Then.
    At(Pin<Box<Sleep>>, End),
    /// It was then, and whoever waits has been told.
    Passed,
}

/// Why a response stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Interrupted {
    /// The upstream broke off.
    #[error("the upstream broke off")]
    Broken(#[source] hyper::Error),
    /// The upstream was silent for too long.
    #[error("the upstream fell silent")]
    Silent,
    /// The exchange took longer than the route lets it.
    #[error("the exchange took too long")]
    TooLong,
}

impl Download {
    /// The rest of a response that arrives over `lease`.
    pub(super) fn new(body: Incoming, lease: Lease, pool: Rc<Pool>, patience: Duration) -> Self {
        let mut download = Self {
            body,
            lease: Some(lease),
            pool,
            patience,
            silence: None,
            deadline: Deadline::Never,
        };
        download.give_back_at_end();
        download
    }

    /// Ends it then at the latest, as a call ends whose deadline passes, or else by breaking off.
    pub(super) fn end_by(&mut self, end: End) {
        if !self.body.is_end_stream() {
            let sleep = Box::pin(tokio::time::sleep_until(end.at.into()));
            self.deadline = Deadline::At(sleep, end);
        }
    }

    /// The end of an exchange whose time is over; none before.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Option<Result<Frame<Bytes>, Interrupted>> {
        let Deadline::At(sleep, end) = &mut self.deadline else {
            return None;
        };
        if sleep.as_mut().poll(cx).is_pending() {
            return None;
        }
        let is_of_call = end.is_of_call;
        self.deadline = Deadline::Passed;
        self.lease = None;
        if !is_of_call {
            return Some(Err(Interrupted::TooLong));
        }
        let mut trailers = HeaderMap::new();
        grpc::Status::DEADLINE_EXCEEDED.write("the deadline of the call passed", &mut trailers);
        Some(Ok(Frame::trailers(trailers)))
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
    }

    /// The server broke off: that is not how one that is well ends an answer.
    fn lose(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.pool.failed(lease.server(), Instant::now());
        }
    }

    /// Begins to count a silence only when there is one: most bodies arrive with their head.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = self.patience;
        let sleep = self
            .silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        sleep.as_mut().poll(cx)
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        if let Some(end) = self.poll_deadline(cx) {
            return Poll::Ready(Some(end));
        }
        if matches!(self.deadline, Deadline::Passed) {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return self
                .poll_silence(cx)
                .map(|()| Some(Err(Interrupted::Silent)));
        };
        self.silence = None;
        match &frame {
            None => self.give_back(),
            Some(Ok(_)) => self.give_back_at_end(),
            Some(Err(_)) => self.lose(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Interrupted::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.deadline, Deadline::Passed) || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

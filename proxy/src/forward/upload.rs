//! A request's body on its way to an upstream: counted, limited, and never held, unless it may have to be sent
//! again.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::timeout;

use crate::gateway::model::Unsound;
use crate::gateway::{Cut, Inbound};
use crate::refusal::Refusal;

/// A client's body, from which one try after the other is fed.
pub(crate) struct Source {
    body: RefCell<Inbound>,
    kept: RefCell<Kept>,
    limit: u64,
    left: Cell<u64>,
    /// Which try is fed; others that are still polled get nothing.
    turn: Cell<u32>,
    moved: Cell<Instant>,
    /// Since when the client is waited for; none while it is not.
    awaited: Cell<Option<Instant>>,
    /// How long it was waited for before.
    waited: Cell<Duration>,
    /// Bytes that must come in each second of that.
    rate: u64,
    broken: Cell<Option<Broken>>,
}

/// What was taken of a body so far, as long as that is no more than may be kept.
struct Kept {
    parts: Vec<Part>,
    room: u64,
    is_whole: bool,
}

#[derive(Clone)]
enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// A client's body as one try sends it, which breaks off when it grows beyond its limit.
///
/// It is asked for a frame only when the upstream's connection has room for one, and hyper reads from the
/// client only when asked, so a slow upstream slows the client down and memory stays bounded.
pub(crate) struct Upload {
    source: Rc<Source>,
    turn: u32,
    /// How many of the parts that are kept were sent.
    sent: usize,
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
    /// Another try is fed by now.
    #[error("the body goes elsewhere")]
    Superseded,
}

impl Broken {
    /// What the client is told.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::TooLarge { limit } => Refusal::BodyTooLarge { limit },
            Self::ByClient | Self::Superseded => Refusal::BodyBroken,
            Self::Unsound(why) => Refusal::Model(why),
        }
    }
}

impl Source {
    /// Lets at most `limit` bytes of `body` pass, none if it announces more, and keeps as much as `room` for
    /// another try. `rate` bytes must come in a second while the client is waited for.
    pub(crate) fn new(
        body: Inbound,
        limit: u64,
        rate: u64,
        room: u64,
    ) -> Result<Rc<Self>, Refusal> {
        if body.size_hint().lower() > limit {
            return Err(Refusal::BodyTooLarge { limit });
        }
        Ok(Rc::new(Self {
            body: RefCell::new(body),
            kept: RefCell::new(Kept {
                parts: Vec::new(),
                room,
                is_whole: true,
            }),
            limit,
            left: Cell::new(limit),
            turn: Cell::new(0),
            moved: Cell::new(Instant::now()),
            awaited: Cell::new(None),
            waited: Cell::new(Duration::ZERO),
            rate,
            broken: Cell::new(None),
        }))
    }

    /// The body from its beginning, for the next try; none if what was taken of it is there no more.
    pub(crate) fn upload(self: &Rc<Self>) -> Option<Upload> {
        if !self.may_repeat() {
            return None;
        }
        self.supersede();
        Some(Upload {
            source: Rc::clone(self),
            turn: self.turn.get(),
            sent: 0,
        })
    }

    /// No try so far is fed any more.
    pub(super) fn supersede(&self) {
        self.turn.set(self.turn.get() + 1);
    }

    /// Whether the body can be sent from its beginning.
    pub(crate) fn may_repeat(&self) -> bool {
        self.kept.borrow().is_whole && self.broken.get().is_none()
    }

    /// The whole body, for what cannot be answered while it arrives, unless it takes longer than `patience`.
    pub(crate) async fn whole(self: &Rc<Self>, patience: Duration) -> Result<Bytes, Refusal> {
        let upload = self.upload().ok_or(Refusal::BodyBroken)?;
        match timeout(patience, upload.collect()).await {
            Ok(Ok(whole)) => Ok(whole.to_bytes()),
            Ok(Err(broken)) => Err(broken.refusal()),
            Err(_elapsed) => Err(Refusal::BodyTimeout),
        }
    }

    /// The most that may pass.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Nothing more is kept: no other try will follow.
    pub(crate) fn keep_no_more(&self) {
        self.kept.borrow_mut().room = 0;
    }

    /// When the last part of the body was taken.
    pub(super) fn moved(&self) -> Instant {
        self.moved.get()
    }

    /// Whether it is the client that should go on.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.get().is_some()
    }

    /// Whether it sends so slowly that it only holds a connection.
    pub(super) fn is_too_slow(&self) -> bool {
        let Some(since) = self.awaited.get() else {
            return false;
        };
        let waited = self.waited.get() + since.elapsed();
        let came = self.limit - self.left.get();
        waited.as_secs().saturating_mul(self.rate) > came
    }

    /// Why the body broke off, if it did.
    pub(super) fn broken(&self) -> Option<Broken> {
        self.broken.get()
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut *self.body.borrow_mut()).poll_frame(cx);
        self.await_client(polled.is_pending());
        polled.map(|frame| {
            let passed = match frame? {
                Ok(frame) => self.pass(frame),
                Err(Cut::ByClient(_)) => Err(Broken::ByClient),
                Err(Cut::Unsound(why)) => Err(Broken::Unsound(why)),
            };
            self.broken.set(passed.as_ref().err().copied());
            Some(passed)
        })
    }

    fn await_client(&self, is_pending: bool) {
        match (self.awaited.get(), is_pending) {
            (None, true) => self.awaited.set(Some(Instant::now())),
            (Some(since), false) => {
                self.waited.set(self.waited.get() + since.elapsed());
                self.awaited.set(None);
            }
            _ => {}
        }
    }

    /// Counts a frame, or says why it may not pass.
    fn pass(&self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Broken> {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let limit = self.limit;
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or(Broken::TooLarge { limit })?);
        self.moved.set(Instant::now());
        self.kept.borrow_mut().keep(&frame, bytes);
        Ok(frame)
    }
}

impl Kept {
    fn keep(&mut self, frame: &Frame<Bytes>, bytes: u64) {
        let room = self.room.checked_sub(bytes);
        let Some(room) = room.filter(|_| self.is_whole && self.room > 0) else {
            self.is_whole = false;
            self.parts = Vec::new();
            return;
        };
        let trailers = || frame.trailers_ref().cloned().map(Part::Trailers);
        let part = frame.data_ref().cloned().map(Part::Data).or_else(trailers);
        self.room = room;
        self.parts.extend(part);
    }

    /// How many bytes are kept behind so many parts.
    fn bytes_behind(&self, sent: usize) -> u64 {
        let bytes = self.parts.iter().skip(sent).map(|part| match part {
            Part::Data(data) => data.len() as u64,
            Part::Trailers(_) => 0,
        });
        bytes.sum()
    }
}

impl Upload {
    /// The part that is sent next, if it is one of those that are kept.
    fn again(&mut self) -> Option<Frame<Bytes>> {
        let part = self.source.kept.borrow().parts.get(self.sent).cloned()?;
        self.sent += 1;
        Some(match part {
            Part::Data(data) => Frame::data(data),
            Part::Trailers(trailers) => Frame::trailers(trailers),
        })
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.turn != self.source.turn.get() {
            return Poll::Ready(Some(Err(Broken::Superseded)));
        }
        if let Some(frame) = self.again() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = self.source.poll_next(cx);
        if matches!(polled, Poll::Ready(Some(Ok(_)))) {
            self.sent += 1;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.sent >= self.source.kept.borrow().parts.len()
            && self.source.body.borrow().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.source.body.borrow().size_hint();
        let kept = self.source.kept.borrow().bytes_behind(self.sent);
        let mut whole = SizeHint::new();
        whole.set_lower(kept + rest.lower());
        if let Some(upper) = rest.upper() {
            whole.set_upper(kept + upper);
        }
        whole
    }
}

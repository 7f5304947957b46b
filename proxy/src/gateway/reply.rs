//! The body of every answer, whoever gave it, with the passage that ends when it does.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::watch::Watch;
use crate::accept::Busy;
use crate::forward::{Download, Interrupted};
use crate::grpc;
use crate::infer::call::Messages;
use crate::observe::Passage;
use crate::shadow::Mirror;

/// What an answer consists of.
pub(crate) enum Content {
    /// Bytes at hand.
    Whole(Bytes),
    /// What an upstream is still sending.
    Stream(Download),
    /// The messages of a model's answer to a call.
    Call(Messages),
}

/// The body of an answer.
pub(crate) struct Reply {
    content: Content,
    passage: Option<Passage>,
    watch: Option<Box<Watch>>,
    mirror: Option<Box<Mirror>>,
    busy: Busy,
}

impl Reply {
    /// An answer that has been decided upon. Without a body it has ended with its head.
    pub(crate) fn new(content: Content, passage: Passage, busy: Busy, head_only: bool) -> Self {
        let mut reply = Self {
            content,
            passage: Some(passage),
            watch: None,
            mirror: None,
            busy,
        };
        if head_only || reply.is_end_stream() {
            reply.end();
        }
        reply
    }

    /// Lets this be looked at as it passes.
    pub(super) fn watched(mut self, watch: Option<Box<Watch>>) -> Self {
        self.watch = watch;
        self
    }

    /// Lets this keep what passes of the answer with this head, for the copies of its request.
    pub(super) fn mirrored(
        mut self,
        mirror: Option<Box<Mirror>>,
        head: &http::response::Parts,
    ) -> Self {
        let Some(mut mirror) = mirror else {
            return self;
        };
        mirror.answered(head);
        // Without a passage it has ended already.
        match &self.passage {
            None => mirror.end(),
            Some(_) => self.mirror = Some(mirror),
        }
        self
    }

    fn end(&mut self) {
        self.busy.answered();
        if let Some(mut passage) = self.passage.take() {
            if let Some(watch) = self.watch.take() {
                watch.end(&mut passage);
            }
            passage.end();
        }
        if let Some(mirror) = self.mirror.take() {
            mirror.end();
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Interrupted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Interrupted>>> {
        let this = self.get_mut();
        let polled = match &mut this.content {
            Content::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Content::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Content::Stream(download) => Pin::new(download).poll_frame(cx),
            Content::Call(messages) => messages.poll_next(cx).map(|frame| frame.map(Ok)),
        };
        match &polled {
            Poll::Ready(Some(Err(_))) => (this.passage, this.mirror) = (None, None),
            Poll::Ready(None) => this.end(),
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(passage), Some(data)) = (&mut this.passage, frame.data_ref()) {
                    passage.sent(data.len());
                }
                if let (Some(watch), Some(data)) = (&mut this.watch, frame.data_ref()) {
                    watch.part(data, this.passage.as_ref());
                }
                if let (Some(mirror), Some(data)) = (&this.mirror, frame.data_ref()) {
                    mirror.part(data);
                }
                if let (Some(mirror), Some(trailers)) = (&mut this.mirror, frame.trailers_ref()) {
                    mirror.trailers(trailers);
                }
                if let Some(status) = frame.trailers_ref().and_then(grpc::Status::of)
                    && let Some(passage) = &mut this.passage
                {
                    passage.call_ended(status);
                }
                if this.is_end_stream() {
                    this.end();
                }
            }
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Stream(download) => download.is_end_stream(),
            Content::Call(messages) => messages.has_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Stream(download) => download.size_hint(),
            Content::Call(_) => SizeHint::default(),
        }
    }
}

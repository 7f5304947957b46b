//! A client's body, of which a part may have been read ahead to find the model that it names.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::model::{Scanner, Unsound};
use crate::shadow::Tee;

/// A body that passes on what was read ahead, and then the rest. If it was looked into, it is looked into to
/// its end: what would give it another meaning cuts it off before anyone else has read that.
pub(crate) struct Inbound {
    ahead: VecDeque<Bytes>,
    rest: Option<Incoming>,
    scanner: Option<Box<Scanner>>,
    tee: Option<Rc<Tee>>,
}

/// Why a body does not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    /// The client broke off.
    #[error("the client broke off")]
    ByClient(#[source] hyper::Error),
    /// It has two meanings.
    #[error(transparent)]
    Unsound(Unsound),
}

impl Inbound {
    /// Nothing was read yet.
    pub(crate) fn new(rest: Incoming) -> Self {
        Self {
            ahead: VecDeque::new(),
            rest: Some(rest),
            scanner: None,
            tee: None,
        }
    }

    /// All of it is at hand.
    pub(crate) fn whole(parts: Vec<Bytes>) -> Self {
        Self {
            ahead: parts.into(),
            rest: None,
            scanner: None,
            tee: None,
        }
    }

    /// Lets it pass this on its way.
    pub(super) fn pass(&mut self, tee: Rc<Tee>) {
        if self.is_end_stream() {
            tee.end();
        }
        self.tee = Some(tee);
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match &mut self.rest {
            Some(rest) => Pin::new(rest).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn has_ended(&self) -> bool {
        self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    /// The next frame, looked into where that was begun.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(data) = self.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match self.poll_rest(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(self.finish().err().map(Err)),
            Poll::Ready(Some(Err(broken))) => Poll::Ready(Some(Err(Cut::ByClient(broken)))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.look(&frame).map(|()| frame))),
        }
    }

    /// Looks into the body until it names a model, or says that it will not; how much of it was read by then.
    pub(super) fn poll_model(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<usize>, Cut>> {
        if self.scanner.is_none() {
            self.scanner = Some(Box::new(Scanner::new()));
        }
        match self.poll_rest(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(self.finish().map(|()| None)),
            Poll::Ready(Some(Err(broken))) => Poll::Ready(Err(Cut::ByClient(broken))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(self.look(&frame).map(|()| {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.ahead.extend(frame.into_data());
                Some(length)
            })),
        }
    }

    /// What looks into it, if anything does.
    pub(super) fn scanner(&self) -> Option<&Scanner> {
        self.scanner.as_deref()
    }

    /// Writes another name in the place of the model's, if the body was looked into and names one. By how much it
    /// is longer then.
    pub(super) fn rename(&mut self, model: &str) -> Option<i64> {
        let place = self.scanner.as_ref()?.place()?;
        let name = serde_json::Value::from(model).to_string();
        let change = i64::try_from(name.len()).ok()? - i64::try_from(place.len()).ok()?;
        // What names a model has been read ahead, and no more than that is held.
        let ahead: Vec<u8> = std::mem::take(&mut self.ahead)
            .into_iter()
            .flatten()
            .collect();
        let (before, rest) = ahead.split_at_checked(place.start)?;
        let behind = rest.get(place.len()..)?;
        self.ahead = [before, name.as_bytes(), behind]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(Bytes::copy_from_slice)
            .collect();
        Some(change)
    }

    fn look(&mut self, frame: &Frame<Bytes>) -> Result<(), Cut> {
        let Some(scanner) = &mut self.scanner else {
            return Ok(());
        };
        if let Some(data) = frame.data_ref() {
            scanner.feed(data).map_err(Cut::Unsound)?;
        }
        // Whoever knows the length will not ask again.
        if self.rest.as_ref().is_none_or(Body::is_end_stream) {
            scanner.finish().map_err(Cut::Unsound)?;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), Cut> {
        let scanner = self.scanner.as_ref();
        scanner.map_or(Ok(()), |scanner| scanner.finish().map_err(Cut::Unsound))
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let polled = self.poll_next(cx);
        if let Some(tee) = &self.tee {
            match &polled {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        tee.part(data);
                    }
                    if self.is_end_stream() {
                        tee.end();
                    }
                }
                Poll::Ready(None) => tee.end(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => {}
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.has_ended()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self
            .rest
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        if self.ahead.is_empty() {
            return rest;
        }
        let ahead: u64 = self.ahead.iter().map(|data| data.len() as u64).sum();
        let mut whole = SizeHint::new();
        whole.set_lower(ahead + rest.lower());
        if let Some(upper) = rest.upper() {
            whole.set_upper(ahead + upper);
        }
        whole
    }
}

//! `ModelStreamInfer`: requests and answers in turn, for as long as the caller likes.
//!
//! Each request has one answer, in their order. One that is refused has its reason in `error_message`, as Triton has
//! it, and the next is heard; what cannot be read as messages ends the call.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::unfold;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use hyper::body::{Body as _, Frame};
use tokio::time::{Instant as Moment, timeout, timeout_at};

use super::message::{Choice, Parameter, Response, Streamed};
use super::{Form, Reading, ended};
use crate::forward::{Broken, Upload};
use crate::grpc::{Framed, Status, framed};
use crate::infer::Served;
use crate::infer::question::{self, Question};
use crate::observe::View;
use crate::refusal::Refusal;

/// Triton says with this that no other answer to the request follows.
const FINAL: &str = "triton_final_response";

/// A call that is open.
pub(super) struct Conversation {
    served: Served,
    upload: Upload,
    reading: Reading,
    view: Rc<View>,
    /// What came and was not read yet.
    held: BytesMut,
}

impl Conversation {
    pub(super) fn new(served: Served, upload: Upload, reading: Reading, view: &Rc<View>) -> Self {
        Self {
            served,
            upload,
            reading,
            view: Rc::clone(view),
            held: BytesMut::new(),
        }
    }

    /// The answers and what ends them, at the latest after so long.
    pub(super) fn go(self, left: Option<Duration>) -> impl Stream<Item = Frame<Bytes>> {
        let deadline = left.and_then(|left| Moment::now().checked_add(left));
        unfold(Some(self), move |open| async move {
            let mut open = open?;
            let next = match deadline {
                None => open.next().await,
                Some(deadline) => {
                    let next = timeout_at(deadline, open.next()).await;
                    next.unwrap_or(Err(Refusal::Deadline))
                }
            };
            Some(match next {
                Ok(Some(answer)) => (Frame::data(framed(&answer)), Some(open)),
                Ok(None) => (Frame::trailers(ended(Status::OK, "")), None),
                Err(refusal) => (Frame::trailers(trailers(refusal)), None),
            })
        })
    }

    /// The answer to the next request; none when the caller has said all.
    async fn next(&mut self) -> Result<Option<Streamed>, Refusal> {
        let heard = timeout(self.served.idle, self.hear()).await;
        let heard = heard.unwrap_or(Err(Refusal::BodyTimeout))?;
        let Some(message) = heard else {
            return Ok(None);
        };
        let answered = self.answer(message).await;
        Ok(Some(match answered {
            Ok(response) => Streamed {
                infer_response: Some(response),
                ..Streamed::default()
            },
            Err(refusal) => Streamed {
                error_message: refusal.told(),
                ..Streamed::default()
            },
        }))
    }

    async fn answer(&self, message: Bytes) -> Result<Response, Refusal> {
        let Question { inputs, form } = Form::question(&self.served, message)?;
        let question::Form::Call(form) = form else {
            return Err(Refusal::Incomplete("a call"));
        };
        let started = Instant::now();
        let given = self.served.run(inputs, started).await;
        self.view.inferred(self.served.model.id, started.elapsed());
        let mut response = form.response(&self.served, given?);
        let choice = Some(Choice::Bool(true));
        let is_final = (FINAL.to_owned(), Parameter { choice });
        response.parameters.extend([is_final]);
        Ok(response)
    }

    /// The next message.
    async fn hear(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if let Some(framed) = Framed::take(&mut self.held) {
                return self.reading.read(framed).map(Some);
            }
            let frame = poll_fn(|cx| Pin::new(&mut self.upload).poll_frame(cx)).await;
            match frame.transpose().map_err(Broken::refusal)? {
                Some(frame) => self.held.extend(frame.into_data().ok()),
                None if self.held.is_empty() => return Ok(None),
                None => return Err(Refusal::BodyBroken),
            }
        }
    }
}

/// What ends a call that is refused in its midst.
fn trailers(refusal: Refusal) -> HeaderMap {
    let mut trailers = refusal.into_call_status().into_parts().0.headers;
    trailers.remove(CONTENT_TYPE);
    trailers
}

//! What is kept of a request and its answer while they pass, for the copies that follow.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, HeaderValue, StatusCode, request, response};

use super::answer::{Answer, Form};
use super::call::is_one_message;
use super::tally::Slot;
use super::{Desk, Outcome, SHADOW, copy};
use crate::gateway::{ARM, EXPERIMENT};
use crate::grpc;
use crate::observe::View;

/// What passes through of a body, up to a limit.
pub(crate) struct Tee {
    parts: RefCell<Vec<Bytes>>,
    room: Cell<u64>,
    state: Cell<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Whole,
    TooLarge,
}

impl Tee {
    fn with_room(room: u64) -> Self {
        Self {
            parts: RefCell::default(),
            room: Cell::new(room),
            state: Cell::new(State::Open),
        }
    }

    /// A part passes. No byte is copied: what is kept is a reference.
    pub(crate) fn part(&self, data: &Bytes) {
        let left = self.room.get().checked_sub(data.len() as u64);
        match left {
            Some(left) if self.state.get() == State::Open => {
                self.room.set(left);
                self.parts.borrow_mut().push(data.clone());
            }
            _ => {
                self.state.set(State::TooLarge);
                self.parts.take();
            }
        }
    }

    /// The body has ended.
    pub(crate) fn end(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Whole);
        }
    }

    fn whole(&self) -> Result<Vec<Bytes>, Outcome> {
        match self.state.get() {
            State::Whole => Ok(self.parts.borrow().clone()),
            State::Open => Err(Outcome::Incomplete),
            State::TooLarge => Err(Outcome::Shed),
        }
    }
}

/// The copies that one request is to have.
pub(crate) struct Mirror {
    view: Rc<View>,
    desk: Desk,
    slots: Vec<Slot>,
    head: request::Parts,
    body: Rc<Tee>,
    arm: Box<str>,
    status: StatusCode,
    form: Form,
    answer: Tee,
    is_call: bool,
    ended: Option<grpc::Status>,
    seed: u64,
}

impl Mirror {
    /// Copies for those that have room: the head as the primary is asked, and the body as it passes `tee`.
    pub(crate) fn new(
        view: Rc<View>,
        desk: Desk,
        slots: Vec<Slot>,
        mut head: request::Parts,
        arm: &str,
        seed: u64,
    ) -> Self {
        let headers = &mut head.headers;
        let is_call = grpc::is_call(headers);
        grpc::forget_caller(headers);
        // No arm serves it, nobody waits for it, and its length is that of what passed.
        for name in [EXPERIMENT, ARM, EXPECT, ACCEPT_ENCODING, CONTENT_LENGTH] {
            headers.remove(name);
        }
        headers.insert(SHADOW, HeaderValue::from_static("true"));
        let room = slots.iter().map(|slot| slot.0.shadow.body_bytes).max();
        let room = room.unwrap_or_default();
        Self {
            view,
            desk,
            slots,
            head,
            body: Rc::new(Tee::with_room(room)),
            arm: arm.into(),
            status: StatusCode::OK,
            form: Form::of(&HeaderMap::new(), ""),
            answer: Tee::with_room(room),
            is_call,
            ended: None,
            seed,
        }
    }

    /// What the request's body passes.
    pub(crate) fn tee(&self) -> Rc<Tee> {
        Rc::clone(&self.body)
    }

    /// The primary's answer has begun.
    pub(crate) fn answered(&mut self, head: &response::Parts) {
        self.status = head.status;
        self.form = Form::of(&head.headers, self.head.uri.path());
        self.ended = self.form.ended(&head.headers);
    }

    /// What ends it has passed.
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.ended = self.ended.or(self.form.ended(trailers));
    }

    /// A part of it passes.
    pub(crate) fn part(&self, data: &Bytes) {
        self.answer.part(data);
    }

    /// It went out entirely: now the shadows are asked.
    pub(crate) fn end(mut self) {
        self.answer.end();
        let (body, answer) = (self.body.whole(), self.answer.whole());
        let slots = std::mem::take(&mut self.slots);
        let (body, parts) = match (body, answer) {
            (Ok(body), Ok(parts)) => (body, parts),
            (Err(outcome), _) | (_, Err(outcome)) => {
                slots.iter().for_each(|slot| slot.0.count(outcome));
                return;
            }
        };
        let is_unary = || is_one_message(&body) && (length(&parts) == 0 || is_one_message(&parts));
        if self.is_call && !is_unary() {
            slots
                .iter()
                .for_each(|slot| slot.0.count(Outcome::Streamed));
            return;
        }
        let (status, form, ended) = (self.status, self.form, self.ended);
        let largest = length(&body).max(length(&parts));
        for slot in slots {
            // What is held has the room of the shadow that takes most.
            if largest > slot.0.shadow.body_bytes {
                slot.0.count(Outcome::Shed);
                continue;
            }
            let primary = Answer {
                status,
                form,
                parts: parts.clone(),
                ended,
            };
            let task = copy::Copy {
                view: Rc::clone(&self.view),
                desk: self.desk.clone(),
                slot,
                head: self.head.clone(),
                body: body.clone(),
                arm: self.arm.clone(),
                primary,
                seed: self.seed,
            };
            tokio::task::spawn_local(task.send());
        }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        // Those that are left were never sent.
        for slot in &self.slots {
            slot.0.count(Outcome::Incomplete);
        }
    }
}

fn length(parts: &[Bytes]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tee_holds_what_passes_and_nothing_beyond_its_room() {
        let tee = Tee::with_room(5);
        tee.part(&Bytes::from_static(b"abc"));
        assert!(matches!(tee.whole(), Err(Outcome::Incomplete)));
        tee.part(&Bytes::from_static(b"de"));
        tee.end();
        assert_eq!(
            tee.whole().ok().map(|parts| parts.concat()),
            Some(b"abcde".to_vec())
        );
        let tee = Tee::with_room(5);
        tee.part(&Bytes::from_static(b"abc"));
        tee.part(&Bytes::from_static(b"def"));
        tee.end();
        assert!(matches!(tee.whole(), Err(Outcome::Shed)));
        assert!(
            tee.parts.borrow().is_empty(),
            "what is too large is let go at once"
        );
    }
}

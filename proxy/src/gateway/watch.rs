//! What is looked at in an answer while it passes: how its events follow each other, how many tokens it says it
//! took, and the numbers that metrics ask for.

use std::time::Instant;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::sayings::Sayings;
use super::usage::UsageScanner;
use crate::infer::BINARY;
use crate::observe::Passage;
use crate::shadow::{Form, INFER};

/// What asks a language model, at the end of a path: OpenAI's chat, completions, embeddings and responses.
const ASKS: [&str; 3] = ["/completions", "/embeddings", "/responses"];

/// Looks at one answer.
pub(super) struct Watch {
    /// When the last part came, of a stream of events.
    event: Option<Instant>,
    usage: Option<UsageScanner>,
    sayings: Option<Sayings>,
}

/// What an answer to a path may say.
#[derive(Clone, Copy)]
pub(super) struct Asks {
    /// How many tokens it took.
    language_model: bool,
    /// Tensors, of a call.
    tensors: bool,
}

impl Asks {
    pub(super) fn of(path: &str) -> Self {
        Self {
            language_model: ASKS.iter().any(|end| path.ends_with(end)),
            tensors: path == INFER,
        }
    }
}

impl Watch {
    /// What is to be looked at in an answer with such a head; nothing in most.
    pub(super) fn of(headers: &HeaderMap, asks: Asks, passage: &Passage) -> Option<Box<Self>> {
        let kind = headers.get(CONTENT_TYPE)?.as_bytes();
        let is = |name: &[u8]| {
            kind.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let is_stream = is(b"text/event-stream");
        let is_json = is(b"application/json");
        let is_readable = !headers.contains_key(CONTENT_ENCODING);
        let says_usage = asks.language_model && is_readable && (is_stream || is_json);
        let is_call = asks.tensors && is(b"application/grpc");
        let has_values = is_json || is_call || headers.contains_key(BINARY);
        let is_asked = has_values && is_readable && !passage.pointers().is_empty();
        let form = || Form::of(headers, if is_call { INFER } else { "" });
        (is_stream || says_usage || is_asked).then(|| {
            Box::new(Self {
                event: is_stream.then(Instant::now),
                usage: says_usage.then(UsageScanner::default),
                sayings: is_asked.then(|| Sayings::new(form())),
            })
        })
    }

    /// A part has come.
    pub(super) fn part(&mut self, bytes: &[u8], passage: Option<&Passage>) {
        if let Some(before) = &mut self.event {
            let now = Instant::now();
            if let Some(lane) = passage.and_then(Passage::lane) {
                lane.followed(now.duration_since(*before));
            }
            *before = now;
        }
        if let Some(usage) = &mut self.usage {
            usage.feed(bytes);
        }
        if let Some(sayings) = &mut self.sayings {
            sayings.part(bytes);
        }
    }

    /// The answer has gone out entirely: what it said is known.
    pub(super) fn end(self, passage: &mut Passage) {
        if let Some(usage) = self.usage.and_then(|usage| usage.found()) {
            passage.used(usage);
        }
        if let Some(sayings) = self.sayings {
            let values = sayings.at(passage.pointers());
            passage.said(values);
        }
    }
}

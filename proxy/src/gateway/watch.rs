//! What is looked at in an answer while it passes: how its events follow each other, and how many tokens it says
//! it took.

use std::time::Instant;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::usage::{Usage, UsageScanner};
use crate::observe::Passage;

/// What asks a language model, at the end of a path: OpenAI's chat, completions, embeddings and responses.
const ASKS: [&str; 3] = ["/completions", "/embeddings", "/responses"];

/// Looks at one answer.
pub(super) struct Watch {
    /// When the last part came, of a stream of events.
    event: Option<Instant>,
    usage: Option<UsageScanner>,
}

/// Whether an answer to this path may say how many tokens it took.
pub(super) fn asks_language_model(path: &str) -> bool {
    ASKS.iter().any(|end| path.ends_with(end))
}

impl Watch {
    /// What is to be looked at in an answer with such a head; nothing in most.
    pub(super) fn of(headers: &HeaderMap, asks_language_model: bool) -> Option<Box<Self>> {
        let kind = headers.get(CONTENT_TYPE)?.as_bytes();
        let is = |name: &[u8]| {
            kind.get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        let is_stream = is(b"text/event-stream");
        let is_readable = asks_language_model && !headers.contains_key(CONTENT_ENCODING);
        let says_usage = is_readable && (is_stream || is(b"application/json"));
        (is_stream || says_usage).then(|| {
            Box::new(Self {
                event: is_stream.then(Instant::now),
                usage: says_usage.then(UsageScanner::default),
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
    }

    /// The tokens that the answer said it took.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage.as_ref()?.found()
    }
}

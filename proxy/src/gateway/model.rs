//! Which model a request asks for, where a route wants to know: by the path, or else by the body.

mod scanner;

use std::future::poll_fn;
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

pub(crate) use scanner::{Scanner, Unsound};

use super::inbound::{Cut, Inbound};
use crate::refusal::Refusal;

/// How much of a body is held while it has not named its model.
pub(crate) const AHEAD_BYTES_MAX: usize = 1 << 20;

/// Reads of a body as much as it takes to know the model, and keeps it for whoever comes next. None if the
/// body names no model.
pub(super) async fn read(
    headers: &HeaderMap,
    body: &mut Inbound,
    patience: Duration,
) -> Result<Option<Box<str>>, Refusal> {
    let is_plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(Refusal::ModelEncoded);
    }
    let found = tokio::time::timeout(patience, look(body)).await;
    found.unwrap_or(Err(Refusal::BodyTimeout))
}

async fn look(body: &mut Inbound) -> Result<Option<Box<str>>, Refusal> {
    let mut held = 0;
    loop {
        let more = poll_fn(|cx| body.poll_model(cx)).await;
        let more = more.map_err(|why| cut(&why))?;
        let scanner = body.scanner();
        if let Some(model) = scanner.and_then(Scanner::model) {
            return Ok(Some(model.into()));
        }
        match more {
            None => return Ok(None),
            Some(_) if scanner.is_some_and(Scanner::is_done) => return Ok(None),
            Some(bytes) => held += bytes,
        }
        if held > AHEAD_BYTES_MAX {
            return Err(Refusal::ModelLate);
        }
    }
}

/// Why a body was cut off, as its sender learns it.
pub(crate) fn cut(why: &Cut) -> Refusal {
    match why {
        Cut::ByClient(_) => Refusal::BodyBroken,
        Cut::Unsound(why) => Refusal::Model(*why),
    }
}

//! Sends a placed request to a server elsewhere and hands its response on while it arrives.

mod balance;
mod budget;
mod channel;
mod count;
mod download;
mod hop;
mod http2;
mod lease;
mod load;
mod plan;
mod pool;
mod retry_after;
mod server;
mod shared;
mod standing;
mod tls;
mod upload;

use std::pin::pin;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::{Response, StatusCode, Version, request};
use policy::{Copied, CopyTarget, Placement};
use tokio::time::timeout_at;

pub(crate) use budget::Budget;
pub(crate) use download::{Download, Interrupted};
pub(crate) use hop::strip_request;
pub(crate) use pool::{Pool, cannot_serve};
pub(crate) use retry_after::retry_after;
pub(crate) use tls::{Tls, connector};
pub(crate) use upload::{Broken, Source, Upload};

use crate::gateway::{Chance, Inbound};
use crate::observe::{Passage, View};
use crate::refusal::Refusal;
use hop::{strip_response, switch_response};
use plan::Plan;

/// The response's head, with its body to come, of whichever server answered in the end.
///
/// Neither the upload nor the response may be silent for longer than the upstream's or the route's time,
/// whichever is shorter. A stream that has begun may last as long as it moves, unless the route or the caller
/// says otherwise.
pub(crate) async fn forward(
    placement: &Placement,
    head: request::Parts,
    body: &Rc<Source>,
    chance: &Chance,
    passage: &mut Passage,
) -> Result<Response<Download>, Refusal> {
    let plan = Plan::new(placement, &head, passage)?;
    let sent = Instant::now();
    let end = plan.end();
    // In its place from the beginning: what is moved is copied, and this is large.
    let mut answered = pin!(plan.answer(placement, head, body, chance));
    let answered = match end {
        Some(end) if end.at <= sent => Err(end.refusal()),
        Some(end) => timeout_at(end.at.into(), answered.as_mut())
            .await
            .unwrap_or(Err(end.refusal())),
        None => answered.as_mut().await,
    };
    passage.waited(sent);
    let mut response = answered?;
    if let Some(end) = end {
        response.body_mut().end_by(end);
    }
    match (plan.protocol(), response.status()) {
        (Some(protocol), StatusCode::SWITCHING_PROTOCOLS) => {
            switch_response(response.headers_mut(), protocol.clone());
        }
        (_, status) if status.is_informational() => return Err(Refusal::Switched),
        _ => strip_response(response.headers_mut()),
    }
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// The answer of an upstream to a copy of a request, which nobody has asked for: one try, and whoever drops it has
/// stopped waiting.
pub(crate) async fn copy(
    view: &Rc<View>,
    pool: &Rc<Pool>,
    copied: Copied,
    (head, body): (request::Parts, Vec<Bytes>),
    chance: u64,
) -> Result<Response<Download>, Refusal> {
    let CopyTarget::Upstream(upstream) = copied.target() else {
        return Err(Refusal::Incomplete("an upstream"));
    };
    let plan = Plan::copy(view, pool, (copied.route(), upstream), &head);
    let body = Source::new(Inbound::whole(body), u64::MAX, 0, 0)?;
    plan.once(head, &body, chance).await
}

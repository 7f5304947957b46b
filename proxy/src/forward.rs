//! Sends a placed request to a server elsewhere and hands its response on while it arrives.

mod balance;
mod channel;
mod count;
mod download;
mod hop;
mod http2;
mod lease;
mod load;
mod pool;
mod retry_after;
mod server;
mod shared;
mod standing;
mod tls;
mod upload;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{HOST, HeaderMap};
use http::{Request, Response, Version};
use policy::{Placement, Target};
use tokio::time::timeout_at;

pub(crate) use download::{Download, Interrupted};
pub(crate) use hop::strip_request;
pub(crate) use pool::Pool;
pub(crate) use tls::{Tls, connector};
pub(crate) use upload::Upload;

use crate::gateway::Chance;
use crate::grpc;
use crate::observe::Passage;
use crate::refusal::Refusal;
use balance::Wish;
use channel::Sent;
use hop::strip_response;
use lease::Lease;
use server::Server;
use upload::{Broken, Progress};

/// The response's head, with its body to come.
///
/// Neither the upload nor the response may be silent for longer than the upstream's or the route's time,
/// whichever is shorter. A stream that has begun may last as long as it moves.
pub(crate) async fn forward(
    placement: &Placement,
    mut request: Request<Upload>,
    chance: &Chance,
    passage: &mut Passage,
) -> Result<Response<Download>, Refusal> {
    let (pool, patience) = choose(placement, passage).ok_or(Refusal::Incomplete("an upstream"))?;
    let caller = placement.permit().caller();
    let key = pool.upstream().balance.key(request.headers(), caller);
    let wish = Wish {
        now: passage.arrived().instant,
        chance: chance.draw(),
        key: key.as_deref(),
        tried: &[],
    };
    let server = pool.pick(&wish).await?;
    present(placement, passage, request.headers_mut());
    let progress = request.body().progress();
    if !request.headers().contains_key(HOST) {
        request.headers_mut().insert(HOST, server.host().clone());
    }
    if let Some(scheme) = pool.http2_scheme() {
        http2::address(&mut request, scheme)?;
    }
    let deadline = deadline(request.headers(), passage);
    let sent = Instant::now();
    let answered = exchange(&pool, &server, request, &progress, patience);
    let answered = match deadline {
        Some(deadline) if deadline <= sent => Err(Refusal::Deadline),
        Some(deadline) => timeout_at(deadline.into(), answered)
            .await
            .unwrap_or(Err(Refusal::Deadline)),
        None => answered.await,
    };
    passage.waited(sent);
    let mut response = answered?;
    if let Some(deadline) = deadline {
        response.body_mut().end_by(deadline);
    }
    if response.status().is_informational() {
        return Err(Refusal::Switched);
    }
    strip_response(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// When the caller of a call stops waiting.
fn deadline(headers: &HeaderMap, passage: &Passage) -> Option<Instant> {
    let patience = grpc::timeout(headers).filter(|_| grpc::is_call(headers))?;
    passage.arrived().instant.checked_add(patience)
}

/// Writes what Wald presents to the upstream in its own name, and to no other.
fn present(placement: &Placement, passage: &Passage, headers: &mut HeaderMap) {
    let Target::Upstream(id) = placement.target() else {
        return;
    };
    let snapshot = passage.view().snapshot();
    let upstream = snapshot.policy.upstreams().get(id.index());
    let authorization = upstream.and_then(|upstream| upstream.authorization.as_ref());
    if let (Some(authorization), Some(value)) = (authorization, snapshot.credentials.secret(*id)) {
        authorization.give(value, headers);
    }
}

/// The connections to the upstream that the request was placed on, and how long to wait for it.
fn choose(placement: &Placement, passage: &Passage) -> Option<(Rc<Pool>, Duration)> {
    let Target::Upstream(id) = placement.target() else {
        return None;
    };
    let view = passage.view();
    let pool = view.pools().get(id.index())?;
    let route = view
        .snapshot()
        .policy
        .routes()
        .get(placement.route().index())?;
    Some((Rc::clone(pool), pool.patience().min(route.timeout)))
}

/// Sends the request, again only if the server closed a waiting connection before anything was written to it.
async fn exchange(
    pool: &Pool,
    server: &Rc<Server>,
    mut request: Request<Upload>,
    progress: &Progress,
    patience: Duration,
) -> Result<Response<Download>, Refusal> {
    loop {
        let turn = pool.turn().await?;
        let began = Instant::now();
        let leased = pool.lease(server, turn).await;
        let mut lease = leased.inspect_err(|refusal| pool.judge(server, began, refusal))?;
        let server = Rc::clone(lease.server());
        let sent = send(&mut lease, request, progress, patience).await;
        match sent.inspect_err(|refusal| pool.judge(&server, began, refusal))? {
            Ok(response) => {
                pool.heard(&server, began, &response);
                return Ok(response.map(|body| Download::new(body, lease, patience)));
            }
            Err(mut unsent) => match unsent.take_message() {
                Some(again) if !lease.is_fresh() => request = again,
                _ => {
                    let refusal = refusal(unsent.into_error(), progress);
                    pool.judge(&server, began, &refusal);
                    return Err(refusal);
                }
            },
        }
    }
}

/// The answer to one attempt, unless `patience` ends first.
async fn send(
    lease: &mut Lease,
    request: Request<Upload>,
    progress: &Progress,
    patience: Duration,
) -> Result<Sent, Refusal> {
    let mut answer = pin!(lease.channel().send(request));
    let mut silence = pin!(tokio::time::sleep(patience));
    poll_fn(|cx| {
        if let Poll::Ready(sent) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(sent));
        }
        while silence.as_mut().poll(cx).is_ready() {
            let until = progress.moved() + patience;
            if until <= Instant::now() {
                return Poll::Ready(Err(late(progress)));
            }
            silence.as_mut().reset(until.into());
        }
        Poll::Pending
    })
    .await
}

/// Who let the others wait.
fn late(progress: &Progress) -> Refusal {
    if progress.is_awaited() {
        Refusal::BodyTimeout
    } else {
        Refusal::ResponseTimeout
    }
}

fn refusal(error: hyper::Error, progress: &Progress) -> Refusal {
    match progress.broken() {
        Some(Broken::TooLarge { limit }) => Refusal::BodyTooLarge { limit },
        Some(Broken::ByClient) => Refusal::BodyBroken,
        Some(Broken::Unsound(why)) => Refusal::Model(why),
        None => Refusal::Broken(error),
    }
}

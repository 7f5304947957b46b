//! One try: a turn, a connection, the request, and the head of an answer.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::HOST;
use http::{Request, Response, request};

use super::Plan;
use crate::forward::channel::Sent;
use crate::forward::hop::kept_for;
use crate::forward::http2;
use crate::forward::lease::Lease;
use crate::forward::server::Server;
use crate::forward::upload::Upload;
use crate::forward::{Download, Source};
use crate::refusal::Refusal;

impl Plan {
    /// Asks one server, and over another connection only if it closed a waiting one before anything was written
    /// to it.
    pub(super) async fn attempt(
        &self,
        server: &Rc<Server>,
        head: request::Parts,
        upload: Upload,
        body: &Source,
    ) -> Result<Response<Download>, Refusal> {
        let mut request = self.request(server, head, upload)?;
        let pool = &self.pool;
        loop {
            let turn = pool.turn().await?;
            let began = Instant::now();
            let leased = pool.lease(server, turn).await;
            let mut lease = leased.inspect_err(|refusal| pool.judge(server, began, refusal))?;
            let server = Rc::clone(lease.server());
            let sent = send(&mut lease, request, body, self.patience()).await;
            match sent.inspect_err(|refusal| pool.judge(&server, began, refusal))? {
                Ok(response) => {
                    pool.heard(&server, began, &response, self.is_call);
                    lease.keep_for(kept_for(&response));
                    let idle = self.route().map_or(Duration::ZERO, |route| route.idle);
                    let download = |body| Download::new(body, lease, Rc::clone(pool), idle);
                    return Ok(response.map(download));
                }
                Err(mut unsent) => match unsent.take_message() {
                    Some(again) if !lease.is_fresh() => request = again,
                    _ => {
                        let refusal = refusal(unsent.into_error(), body);
                        pool.judge(&server, began, &refusal);
                        return Err(refusal);
                    }
                },
            }
        }
    }

    fn request(
        &self,
        server: &Server,
        head: request::Parts,
        upload: Upload,
    ) -> Result<Request<Upload>, Refusal> {
        let mut request = Request::from_parts(head, upload);
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, server.host().clone());
        }
        if let Some(scheme) = self.pool.http2_scheme() {
            http2::address(&mut request, scheme)?;
        }
        Ok(request)
    }
}

/// The answer to one attempt, unless `patience` ends first.
async fn send(
    lease: &mut Lease,
    request: Request<Upload>,
    body: &Source,
    patience: Duration,
) -> Result<Sent, Refusal> {
    let mut answer = pin!(lease.channel().send(request));
    let mut silence = pin!(tokio::time::sleep(patience));
    poll_fn(|cx| {
        if let Poll::Ready(sent) = answer.as_mut().poll(cx) {
            return Poll::Ready(Ok(sent));
        }
        while silence.as_mut().poll(cx).is_ready() {
            let until = body.moved() + patience;
            if until <= Instant::now() || body.is_too_slow() {
                return Poll::Ready(Err(late(body)));
            }
            silence.as_mut().reset(until.into());
        }
        Poll::Pending
    })
    .await
}

/// Who let the others wait.
fn late(body: &Source) -> Refusal {
    if body.is_awaited() {
        Refusal::BodyTimeout
    } else {
        Refusal::ResponseTimeout
    }
}

fn refusal(error: hyper::Error, body: &Source) -> Refusal {
    match body.broken() {
        Some(broken) => broken.refusal(),
        None if is_unread(&error) => Refusal::Unread(error),
        None => Refusal::Broken(error),
    }
}

/// Whether the server says that it has not looked at the request (RFC 9113 §8.7).
fn is_unread(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let reset = source.and_then(|source| source.downcast_ref::<h2::Error>());
    reset.is_some_and(|reset| reset.reason() == Some(h2::Reason::REFUSED_STREAM))
}

//! The journey of one request, one small file a step.
//!
//! Name it, bring its head into one form, identify the caller, answer what is reserved, find the route, ask
//! for the permit, place it, let the backend answer, decorate the answer. The types keep the order: an answer
//! needs a placement, a placement a permit, a permit a caller.

mod cascade;
pub(crate) mod chance;
mod collect;
mod decorate;
mod head;
mod inbound;
mod mirror;
pub(crate) mod model;
mod onward;
mod redirect;
mod reply;
mod reserved;
mod rewrite;
mod sayings;
mod trace;
mod tunnel;
mod usage;
mod watch;

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, request};
use hyper::body::Incoming;
use policy::{Asked, Denial, Permit, Placement, Target};

pub(crate) use chance::Chance;
pub(crate) use head::normalise;
pub(crate) use inbound::{Cut, Inbound};
pub(crate) use onward::{ARM, EXPERIMENT};
pub(crate) use reply::{Content, Reply};
pub(crate) use usage::Usage;

use crate::accept::{Busy, Distrusted, Peer};
use crate::forward::{Source, cannot_serve, forward};
use crate::grpc;
use crate::identify::{Identity, TokenError, identify, remove_claimed};
use crate::infer::infer;
use crate::observe::{Moment, Passage};
use crate::rates::{Allowance, Rate};
use crate::refusal::Refusal;
use crate::server::Worker;
use reserved::Resource;
use watch::Watch;

/// Serves one request of a connection.
pub(crate) async fn serve(
    worker: &Worker,
    peer: &Peer,
    busy: Busy,
    mut request: Request<Incoming>,
) -> Response<Reply> {
    let upgrade = tunnel::wish(&mut request);
    let (mut head, body) = request.into_parts();
    let mut body = Inbound::new(body);
    let mut passage = Passage::begin(worker.view(), peer.listener(), Moment::now());
    let is_believed = is_forwarder(peer, &passage);
    if !is_believed.unwrap_or(true) {
        trace::forget(&mut head.headers);
    }
    let id = trace::name(&mut head.headers, worker.chance());
    let head_only = head.method == Method::HEAD;
    let is_call = grpc::is_call(&head.headers);
    if is_call {
        passage.begin_call();
    }
    let asks = watch::Asks::of(head.uri.path());
    let admitted = match recheck(peer, &passage) {
        Ok(()) => {
            remove_claimed(&mut head.headers, is_believed.unwrap_or(false));
            admit(worker, peer, &mut head, &mut body, &mut passage).await
        }
        Err(refusal) => {
            busy.end_soon();
            Err(refusal)
        }
    };
    let mut mirror = None;
    let answered = match admitted {
        Ok(Admitted::Placed(mut placement, allowance)) => {
            mirror = mirror::mirror(worker, peer, &placement, &head, &mut body, &passage);
            let answered = answer(worker, peer, &mut placement, head, body, &mut passage).await;
            // What Wald itself says is no model's answer, and what it fell back to is not the one that was meant.
            mirror = mirror.filter(|_| answered.is_ok() && placement.fallen() == 0);
            let mut response = told(answered, worker, &id, is_call);
            tunnel::dig(upgrade, &mut response, idle(&placement, &passage));
            decorate::with_arm(&mut response, &placement, &passage, worker.chance());
            if let Some(allowance) = allowance {
                allowance.tell(response.headers_mut());
            }
            response
        }
        Ok(Admitted::Reserved(resource)) => {
            let answered = Box::pin(reserved::answer(resource, worker, body)).await;
            told(answered, worker, &id, is_call)
        }
        Err(refusal) => told(Err(refusal), worker, &id, is_call),
    };
    let (mut head, content) = answered.into_parts();
    decorate::with_id(&mut head.headers, id);
    passage.answered(head.status);
    if is_call && let Some(status) = grpc::Status::of(&head.headers) {
        passage.call_ended(status);
    }
    let watch = Watch::of(&head.headers, asks, &passage);
    let reply = Reply::new(content, passage, busy, head_only).watched(watch);
    let reply = reply.mirrored(mirror, &head);
    Response::from_parts(head, reply)
}

/// How long what the route has begun may be silent.
fn idle(placement: &Placement, passage: &Passage) -> Duration {
    let routes = passage.view().snapshot().policy.routes();
    let route = routes.get(placement.route().index());
    route.map_or(Duration::ZERO, |route| route.idle)
}

/// Whether the word of the peer about earlier steps of the request is taken; none if the listener does not
/// say whose is.
fn is_forwarder(peer: &Peer, passage: &Passage) -> Option<bool> {
    let listeners = passage.view().snapshot().policy.listeners();
    let forwarders = listeners
        .get(peer.listener().index())?
        .trust_forwarded
        .as_ref()?;
    let workload = peer.workload(passage.arrived().unix_millis);
    Some(forwarders.believe(peer.origin(), workload))
}

/// Looks at the peer's certificate again: at its end, and at all of it if the trust is another than before.
fn recheck(peer: &Peer, passage: &Passage) -> Result<(), Refusal> {
    let credentials = &passage.view().snapshot().credentials;
    let tls = credentials.listener(peer.listener());
    peer.recheck(tls, passage.arrived().unix_millis)
        .map_err(|Distrusted| Refusal::Distrusted)
}

/// What the steps before any answer come to.
enum Admitted {
    /// It is for one of Wald's own resources.
    Reserved(Resource),
    /// It may go where it was placed, and its caller may send this much more.
    Placed(Placement, Option<Allowance>),
}

/// All that is decided before anything answers: from the head alone, but where a route asks for the model
/// that only the body names. A token with a key that is not known yet lets it wait, too.
async fn admit(
    worker: &Worker,
    peer: &Peer,
    head: &mut request::Parts,
    body: &mut Inbound,
    passage: &mut Passage,
) -> Result<Admitted, Refusal> {
    let upgrade = normalise(head)?;
    if let Some(resource) = Resource::of(&head.method, head.uri.path())? {
        return Ok(Admitted::Reserved(resource));
    }
    let identity = identify(worker, peer, &head.headers, passage).await;
    let read = match route(peer, head, passage, Asked::by_path(head.uri.path()))? {
        Routed::Found => None,
        Routed::Asks => {
            let read = model::read(&head.headers, body, patience(peer, passage));
            Some(Box::pin(read).await?)
        }
    };
    let asked = match &read {
        None => Asked::by_path(head.uri.path()),
        Some(None) => Asked::Nothing,
        Some(Some(model)) => Asked::Model(model),
    };
    let (placement, allowance) = place(worker, peer, identity, head, asked, passage)?;
    head.headers.remove(policy::OVERRIDE);
    if let Some(protocol) = upgrade {
        tunnel::ask(&mut head.headers, protocol, &placement, passage)?;
    }
    Ok(Admitted::Placed(placement, allowance))
}

/// Whether the model must be known before it is known which route to take, or who may.
enum Routed {
    Found,
    Asks,
}

fn route(
    peer: &Peer,
    head: &request::Parts,
    passage: &Passage,
    asked: Asked<'_>,
) -> Result<Routed, Refusal> {
    let policy = &passage.view().snapshot().policy;
    if asked != Asked::Unknown || !policy.asks_for_models() {
        return Ok(Routed::Found);
    }
    let route = policy
        .route(&request(peer, head, asked))
        .map_err(|policy::NoRoute| Refusal::NoRoute)?;
    Ok(if route.asks_for_model() {
        Routed::Asks
    } else {
        Routed::Found
    })
}

/// How long the client may take to name its model: as long as for a request's head.
fn patience(peer: &Peer, passage: &Passage) -> Duration {
    let listeners = passage.view().snapshot().policy.listeners();
    let listener = listeners.get(peer.listener().index());
    listener.map_or(Duration::ZERO, |listener| listener.limits.header_time)
}

fn request<'a>(peer: &Peer, head: &'a request::Parts, model: Asked<'a>) -> policy::Request<'a> {
    let host = head.headers.get(http::header::HOST);
    policy::Request {
        listener: peer.listener(),
        host: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
        path: head.uri.path(),
        method: &head.method,
        headers: &head.headers,
        model,
    }
}

fn place(
    worker: &Worker,
    peer: &Peer,
    identity: Identity,
    head: &request::Parts,
    asked: Asked<'_>,
    passage: &mut Passage,
) -> Result<(Placement, Option<Allowance>), Refusal> {
    let view = Rc::clone(passage.view());
    let (policy, stages) = (&view.snapshot().policy, &view.snapshot().stages);
    let request = request(peer, head, asked);
    let route = policy
        .route(&request)
        .map_err(|policy::NoRoute| Refusal::NoRoute)?;
    passage.routed(route);
    let Identity { caller, doubt } = identity;
    let permit = policy
        .authorize(caller, route, &request)
        .map_err(|denial| denied(denial, doubt))?;
    let allowance = match view.snapshot().rates.get(route.id) {
        None => None,
        Some(rate) => Some(take(rate, &permit, peer, head)?),
    };
    let placement = policy.place(permit, stages, &request, worker.chance().draw());
    passage.placed(&placement, content_length(&head.headers));
    Ok((placement, allowance))
}

/// Counts the request for whoever the route counts it for.
fn take(
    rate: &Rate,
    permit: &Permit,
    peer: &Peer,
    head: &request::Parts,
) -> Result<Allowance, Refusal> {
    let address = onward::client(&head.headers, peer);
    let key = rate.limit().key(&head.headers, permit.caller(), address);
    rate.take(&key).map_err(Refusal::Rate)
}

/// How long the body is going to be, as the request says; hyper has refused lengths that contradict
/// each other (RFC 9112 §6.3).
fn content_length(headers: &http::HeaderMap) -> Option<u64> {
    let written = headers.get(http::header::CONTENT_LENGTH)?;
    written.to_str().ok()?.parse().ok()
}

/// Where a proved user might have helped, the caller learns what is wrong with the token that proves none.
fn denied(denial: Denial, doubt: Option<TokenError>) -> Refusal {
    match (denial, doubt) {
        (Denial::Unproven(_), Some(doubt)) => Refusal::Token(doubt),
        (denial, _) => Refusal::Denied(denial),
    }
}

/// Lets whatever the request was placed on answer it, or else what the route falls back to.
async fn answer(
    worker: &Worker,
    peer: &Peer,
    placement: &mut Placement,
    mut head: request::Parts,
    mut body: Inbound,
    passage: &mut Passage,
) -> Result<Response<Content>, Refusal> {
    let view = Rc::clone(passage.view());
    let policy = &view.snapshot().policy;
    let route = policy.routes().get(placement.route().index());
    let room = route.map_or(0, policy::Route::kept_body_bytes);
    if let Some(model) = route.and_then(|route| route.rewrite.model.as_deref()) {
        rewrite::model(&mut head.headers, &mut body, model);
    }
    let rate = match policy.listeners().get(peer.listener().index()) {
        // A call may wait for its caller for as long as it likes.
        Some(listener) if !grpc::is_call(&head.headers) => listener.limits.body_rate,
        _ => 0,
    };
    let limit = limit(peer, placement, passage);
    // Whoever a cascade asks next gets what the one before has read.
    let room = placement.accept().map_or(room, |_| limit);
    let body = Source::new(body, limit, rate, room)?;
    if placement.accept().is_some() {
        let descent = cascade::descend(placement, &head, &body, passage);
        if let Some(answer) = Box::pin(descent).await? {
            return Ok(answer);
        }
    }
    let mut head = Some(head);
    loop {
        let may_fall = placement.may_fall_back(policy);
        let own = if may_fall { head.clone() } else { head.take() };
        let own = own.ok_or(Refusal::Incomplete("a head"))?;
        let is_call = grpc::is_call(&own.headers);
        let answered = answer_once(worker, peer, placement, own, &body, passage).await;
        if !may_fall || !is_down(&answered, is_call) || !body.may_repeat() {
            return answered;
        }
        drop(answered);
        placement.fall_back(policy);
        passage.fell_back(placement);
    }
}

/// Whether what a request falls back to may do better: nobody answers, or whoever does cannot serve.
fn is_down(answered: &Result<Response<Content>, Refusal>, is_call: bool) -> bool {
    match answered {
        Ok(answer) => cannot_serve(grpc::http_status(answer, is_call)),
        Err(refusal) => refusal.is_of_backend(),
    }
}

async fn answer_once(
    worker: &Worker,
    peer: &Peer,
    placement: &Placement,
    mut head: request::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Response<Content>, Refusal> {
    match placement.target() {
        Target::Upstream(_) => {
            onward::tell(&mut head.headers, peer, passage.lane());
            introduce(&mut head, placement, passage);
            Ok(forward(placement, head, body, worker.chance(), passage)
                .await?
                .map(Content::Stream))
        }
        Target::Model(_) => infer(placement, &head, body, passage).await,
        Target::Respond { status, body } => Ok(respond(*status, body.as_deref())),
        Target::Redirect(redirect) => {
            redirect::answer(redirect, &head, peer).map(|it| it.map(Content::Whole))
        }
        Target::Cascade(_) => Err(Refusal::Incomplete("a step")),
        Target::Experiment(_) => Err(Refusal::Incomplete("an arm")),
    }
}

/// Tells the upstream what the route says about the caller, and asks it for what the route says.
fn introduce(head: &mut request::Parts, placement: &Placement, passage: &Passage) {
    let routes = passage.view().snapshot().policy.routes();
    if let Some(route) = routes.get(placement.route().index()) {
        let caller = placement.permit().caller();
        route.introduction.give(caller, &mut head.headers);
        rewrite::head(head, &route.rewrite);
    }
}

/// The largest body that the route takes, or else the listener.
fn limit(peer: &Peer, placement: &Placement, passage: &Passage) -> u64 {
    let policy = &passage.view().snapshot().policy;
    let route = policy
        .routes()
        .get(placement.route().index())
        .and_then(|route| route.body_bytes);
    let listener = || {
        policy
            .listeners()
            .get(peer.listener().index())
            .map(|listener| listener.limits.body_bytes)
    };
    route.or_else(listener).unwrap_or_default()
}

fn respond(status: http::StatusCode, body: Option<&str>) -> Response<Content> {
    let text = Bytes::copy_from_slice(body.unwrap_or_default().as_bytes());
    let mut response = Response::new(Content::Whole(text));
    *response.status_mut() = status;
    if body.is_some() {
        response.headers_mut().insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
    }
    response
}

/// A refusal as the caller gets it; what the caller must not learn goes to the log.
fn told(
    answered: Result<Response<Content>, Refusal>,
    worker: &Worker,
    id: &HeaderValue,
    is_call: bool,
) -> Response<Content> {
    answered.unwrap_or_else(|refusal| {
        log(&refusal, id);
        worker.count_refusal(&refusal);
        let response = if is_call {
            refusal.into_call_status()
        } else {
            refusal.into_response(id)
        };
        response.map(Content::Whole)
    })
}

/// Who was kept out and why is what an operator must know; the rest is for whoever looks closer.
fn log(refusal: &Refusal, id: &HeaderValue) {
    let code = refusal.kind().code;
    match refusal {
        Refusal::Denied(_) | Refusal::Token(_) => {
            tracing::info!(%code, reason = %refusal, request_id = ?id, "refused");
        }
        _ => tracing::debug!(%code, reason = %refusal, request_id = ?id, "refused"),
    }
}

//! Asks servers whether they are well, each over a connection of its own: one that is open already says nothing
//! about those to come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use policy::{Authorization, Endpoint, Health, Probe, Protocol};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};

use super::{Member, Roster};
use crate::causes::causes;
use crate::forward::Tls;
use crate::grpc;
use crate::live::Live;

const AGENT: HeaderValue = HeaderValue::from_static("wald-health");
/// What is asked over gRPC (the health checking protocol of grpc.io, version 1).
static CHECK: LazyLock<PathAndQuery> =
    LazyLock::new(|| PathAndQuery::from_static("/grpc.health.v1.Health/Check"));
/// More than any answer of a health service needs.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// A message begins with a flag of compression and its length in four bytes.
const PREFIX_BYTES: usize = 5;

/// Why a server is not well.
#[derive(Debug, thiserror::Error)]
enum Unwell {
    #[error("no connection")]
    Connect(#[source] std::io::Error),
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error("no valid answer")]
    Broken(#[source] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers with gRPC status {0}")]
    Call(grpc::Status),
    #[error("it does not say that it serves")]
    NotServing,
    #[error("the upstream is in force no more")]
    Gone,
}

/// How many answers in a row were alike.
#[derive(Clone, Copy)]
struct Streak {
    is_well: bool,
    length: u32,
}

/// Asks the servers of a roster again and again. The first answer counts at once, later ones when they come as
/// often as the document says.
pub(super) async fn ask(roster: Arc<Roster>, health: Health, live: Live) {
    let mut beat = tokio::time::interval(health.interval);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut streaks = BTreeMap::<(usize, SocketAddr), Streak>::new();
    loop {
        beat.tick().await;
        let members = roster.members();
        let is_member = |key: &(usize, SocketAddr)| members.iter().any(|it| key_of(it) == *key);
        streaks.retain(|key, _| is_member(key));
        let mut answers = JoinSet::new();
        for member in members.iter().cloned() {
            let question = Question {
                live: live.clone(),
                roster: Arc::clone(&roster),
                health: health.clone(),
            };
            answers.spawn(async move {
                let answer = question.put(&member).await;
                (member, answer)
            });
        }
        while let Some(answered) = answers.join_next().await {
            // Only a defect of ours ends a question otherwise; the others are heard all the same.
            let Ok((member, answer)) = answered else {
                continue;
            };
            let streak = streaks.get(&key_of(&member)).copied();
            let streak = settle(&roster, &health, streak, &member, answer.as_ref().err());
            streaks.insert(key_of(&member), streak);
        }
    }
}

fn key_of(member: &Member) -> (usize, SocketAddr) {
    (member.endpoint, member.address)
}

/// What one more answer means.
fn settle(
    roster: &Roster,
    health: &Health,
    before: Option<Streak>,
    member: &Member,
    unwell: Option<&Unwell>,
) -> Streak {
    let is_well = unwell.is_none();
    let length = before.filter(|before| before.is_well == is_well);
    let length = length.map_or(0, |before| before.length) + 1;
    let enough = if is_well {
        health.healthy
    } else {
        health.unhealthy
    };
    if (before.is_none() || length >= enough) && member.is_well != is_well {
        let (upstream, address) = (&*roster.upstream.name, member.address);
        match unwell {
            Some(reason) => {
                let reason = causes(reason);
                tracing::warn!(upstream, %address, reason, "a server is not well");
            }
            None => tracing::info!(upstream, %address, "a server is well again"),
        }
        roster.asked(member, is_well);
    }
    Streak { is_well, length }
}

/// What it takes to ask a server beside its address.
struct Means {
    tls: Option<Arc<Tls>>,
    authorization: Option<(Authorization, HeaderValue)>,
}

/// What a server is asked.
struct Question {
    live: Live,
    roster: Arc<Roster>,
    health: Health,
}

impl Question {
    async fn put(&self, member: &Member) -> Result<(), Unwell> {
        let within = self.health.timeout;
        let asked = timeout(within, self.ask(member)).await;
        asked.map_err(|_elapsed| Unwell::Late(within))?
    }

    async fn ask(&self, member: &Member) -> Result<(), Unwell> {
        let connected = TcpStream::connect(member.address).await;
        let stream = connected.map_err(Unwell::Connect)?;
        let endpoints = &self.roster.upstream.endpoints;
        let endpoint = endpoints.get(member.endpoint).ok_or(Unwell::Gone)?;
        let Means { tls, authorization } = self.means()?;
        let mut request = self.request(endpoint)?;
        if let (Some(request), Some((authorization, secret))) = (&mut request, &authorization) {
            authorization.give(secret, request.headers_mut());
        }
        let Some(tls) = tls else {
            return self.speak(stream, request).await;
        };
        let shaken = tls.shake(&endpoint.authority, stream).await;
        self.speak(shaken.map_err(Unwell::Connect)?, request).await
    }

    /// TLS and the secret of the upstream as they are in force now.
    fn means(&self) -> Result<Means, Unwell> {
        let snapshot = self.live.load();
        let name = &self.roster.upstream.name;
        let mut upstreams = snapshot.policy.upstreams().iter();
        let upstream = upstreams.find(|it| it.name == *name).ok_or(Unwell::Gone)?;
        let secret = snapshot.credentials.secret(upstream.id).cloned();
        Ok(Means {
            tls: snapshot.credentials.upstream(upstream.id).cloned(),
            authorization: upstream.authorization.clone().zip(secret),
        })
    }

    /// What is asked; nothing where a connection is enough.
    fn request(&self, endpoint: &Endpoint) -> Result<Option<Request<Full<Bytes>>>, Unwell> {
        let (target, request) = match &self.health.probe {
            Probe::Tcp => return Ok(None),
            Probe::Http(target) => (target, Request::new(Full::default())),
            Probe::Grpc(service) => (&*CHECK, check(service)),
        };
        let (mut head, body) = request.into_parts();
        let mut uri = Uri::builder().path_and_query(target.clone());
        if self.roster.upstream.protocol == Protocol::Http1 {
            let host = HeaderValue::from_str(&endpoint.authority);
            head.headers.insert(HOST, host.map_err(|_| Unwell::Gone)?);
        } else {
            let scheme = if endpoint.secure { "https" } else { "http" };
            uri = uri.scheme(scheme).authority(&*endpoint.authority);
        }
        head.uri = uri.build().map_err(|_| Unwell::Gone)?;
        head.headers.insert(USER_AGENT, AGENT);
        Ok(Some(Request::from_parts(head, body)))
    }

    async fn speak<T>(&self, stream: T, request: Option<Request<Full<Bytes>>>) -> Result<(), Unwell>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(request) = request else {
            return Ok(());
        };
        // Dropped, the connection ends.
        let mut connection = JoinSet::new();
        let stream = TokioIo::new(stream);
        let response = match self.roster.upstream.protocol {
            Protocol::Http1 => {
                let shaken = http1::handshake(stream).await;
                let (mut sender, run) = shaken.map_err(Unwell::Broken)?;
                connection.spawn(run);
                sender.send_request(request).await
            }
            Protocol::Http2 => {
                let shaken = http2::handshake(TokioExecutor::new(), stream).await;
                let (mut sender, run) = shaken.map_err(Unwell::Broken)?;
                connection.spawn(run);
                sender.send_request(request).await
            }
        };
        let response = response.map_err(Unwell::Broken)?;
        if !response.status().is_success() {
            return Err(Unwell::Status(response.status()));
        }
        match &self.health.probe {
            Probe::Grpc(_) => serves(response).await,
            Probe::Http(_) | Probe::Tcp => Ok(()),
        }
    }
}

/// A call of `Check`.
fn check(service: &str) -> Request<Full<Bytes>> {
    let question = HealthCheckRequest {
        service: service.to_owned(),
    };
    let message = question.encode_to_vec();
    // Nothing is compressed; a name of a service in a document is far from 4 GiB.
    let length = u32::try_from(message.len()).unwrap_or_default();
    let body = [&[0], &length.to_be_bytes()[..], &message].concat();
    let mut request = Request::new(Full::from(body));
    *request.method_mut() = Method::POST;
    grpc::mark(request.headers_mut());
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    request
}

/// Whether the answer to a call of `Check` says that the service serves.
async fn serves(response: Response<Incoming>) -> Result<(), Unwell> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|_| Unwell::NotServing)?;
    let status = body.trailers().and_then(grpc::Status::of);
    match status.or_else(|| grpc::Status::of(&head.headers)) {
        Some(grpc::Status::OK) => {}
        Some(status) => return Err(Unwell::Call(status)),
        None => return Err(Unwell::NotServing),
    }
    let body = body.to_bytes();
    let message = body.get(PREFIX_BYTES..).unwrap_or_default();
    match HealthCheckResponse::decode(message) {
        Ok(HealthCheckResponse { status: SERVING }) => Ok(()),
        _ => Err(Unwell::NotServing),
    }
}

/// `ServingStatus.SERVING`
const SERVING: i32 = 1;

/// `grpc.health.v1.HealthCheckRequest`
#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

/// `grpc.health.v1.HealthCheckResponse`
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

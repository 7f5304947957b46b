//! What is done to get an answer: which servers are tried, for how long, and when another one is.

mod attempt;

use std::borrow::Cow;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::header::UPGRADE;
use http::{HeaderMap, HeaderValue, Method, Response, request};
use policy::{Placement, Retries, Route, RouteId, Target, UpstreamId};

use super::balance::Wish;
use super::retry_after::retry_after;
use super::server::Server;
use super::{Download, Pool, Source};
use crate::gateway::chance::{self, Chance};
use crate::grpc;
use crate::observe::{Passage, View};
use crate::refusal::Refusal;

/// The pause before a retry is drawn between nothing and this, doubled with each ("full jitter": Brooker,
/// "Exponential Backoff And Jitter", AWS 2015).
const PAUSE: Duration = Duration::from_millis(25);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// What one request may take to be answered.
pub(super) struct Plan {
    view: Rc<View>,
    pool: Rc<Pool>,
    upstream: UpstreamId,
    route: RouteId,
    method: Method,
    /// What the connection is to change to.
    protocol: Option<HeaderValue>,
    is_call: bool,
    is_final: bool,
    arrived: Instant,
    end: Option<End>,
}

/// When an exchange ends at the latest.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// Then.
    pub(super) at: Instant,
    /// Whether the caller of a call said so; otherwise the route did.
    pub(super) is_of_call: bool,
}

impl End {
    /// What becomes of a request that has no answer then.
    pub(super) fn refusal(self) -> Refusal {
        if self.is_of_call {
            Refusal::Deadline
        } else {
            Refusal::TotalTimeout
        }
    }
}

impl Plan {
    pub(super) fn new(
        placement: &Placement,
        head: &request::Parts,
        passage: &Passage,
    ) -> Result<Self, Refusal> {
        let Target::Upstream(upstream) = *placement.target() else {
            return Err(Refusal::Incomplete("an upstream"));
        };
        let view = Rc::clone(passage.view());
        let policy = &view.snapshot().policy;
        let pool = view.pools().get(upstream.index());
        let pool = Rc::clone(pool.ok_or(Refusal::Incomplete("an upstream"))?);
        let route = policy.routes().get(placement.route().index());
        let route = route.ok_or(Refusal::Incomplete("a route"))?;
        // HTTP/2 has no such change (RFC 9113 §8.6).
        if pool.http2_scheme().is_some() && head.headers.contains_key(UPGRADE) {
            return Err(Refusal::Upgrade);
        }
        let (arrived, is_call) = (passage.arrived().instant, grpc::is_call(&head.headers));
        Ok(Self {
            pool,
            upstream,
            route: route.id,
            method: head.method.clone(),
            protocol: head.headers.get(UPGRADE).cloned(),
            is_call,
            is_final: !placement.may_fall_back(policy),
            arrived,
            end: end(route, &head.headers, is_call, arrived),
            view,
        })
    }

    /// What a copy of a request may take: a try over connections that serve nothing else.
    pub(super) fn copy(
        view: &Rc<View>,
        pool: &Rc<Pool>,
        (route, upstream): (RouteId, UpstreamId),
        head: &request::Parts,
    ) -> Self {
        Self {
            view: Rc::clone(view),
            pool: Rc::clone(pool),
            upstream,
            route,
            method: head.method.clone(),
            protocol: None,
            is_call: grpc::is_call(&head.headers),
            is_final: true,
            arrived: Instant::now(),
            end: None,
        }
    }

    /// One try at one server.
    pub(super) async fn once(
        &self,
        mut head: request::Parts,
        body: &Rc<Source>,
        chance: u64,
    ) -> Result<Response<Download>, Refusal> {
        self.present(&mut head.headers);
        let wish = Wish {
            now: self.arrived,
            chance,
            key: None,
            tried: &[],
        };
        let server = self.pool.pick(&wish).await?;
        let upload = body.upload().ok_or(Refusal::BodyBroken)?;
        self.attempt(&server, head, upload, body).await
    }

    /// When the exchange ends at the latest.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// What the client asks its connection to change to.
    pub(super) fn protocol(&self) -> Option<&HeaderValue> {
        self.protocol.as_ref()
    }

    fn route(&self) -> Option<&Route> {
        self.view.snapshot().policy.routes().get(self.route.index())
    }

    fn retries(&self) -> Option<&Retries> {
        self.route()?.retries.as_ref()
    }

    /// How long an answer may take to begin.
    fn patience(&self) -> Duration {
        let route = self.route().map_or(Duration::ZERO, |route| route.timeout);
        self.pool.patience().min(route)
    }

    /// One server after the other, until one answers well enough or there may be no more.
    pub(super) async fn answer(
        &self,
        placement: &Placement,
        mut head: request::Parts,
        body: &Rc<Source>,
        chance: &Chance,
    ) -> Result<Response<Download>, Refusal> {
        self.present(&mut head.headers);
        if self.retries().is_some() {
            self.view
                .budget(self.route, |budget| budget.request(self.arrived));
        }
        let key = self
            .pool
            .upstream()
            .balance
            .key(&head.headers, placement.permit().caller());
        let key = key.map(Cow::into_owned);
        let mut tried = Vec::new();
        let mut head = Some(head);
        loop {
            let wish = Wish {
                now: Instant::now(),
                chance: chance.draw(),
                key: key.as_deref(),
                tried: &tried,
            };
            let server = self.pool.pick(&wish).await?;
            let is_last = self
                .retries()
                .is_none_or(|it| tried.len() >= count(it.attempts));
            if is_last && self.is_final {
                body.keep_no_more();
            }
            let own = if is_last { head.take() } else { head.clone() };
            let (Some(mut own), Some(upload)) = (own, body.upload()) else {
                return Err(Refusal::BodyBroken);
            };
            if let Some(end) = self.end.filter(|end| end.is_of_call) {
                let left = end.at.saturating_duration_since(Instant::now());
                grpc::set_timeout(left, &mut own.headers);
            }
            let answered = self.attempt(&server, own, upload, body).await;
            if is_last {
                return answered;
            }
            tried.push(server);
            let Some(pause) = self.pause(&answered, &tried, body, chance) else {
                return answered;
            };
            // What it holds is given back before the next is asked, and what it has not sent is not taken any more.
            drop(answered);
            body.supersede();
            tokio::time::sleep(pause).await;
        }
    }

    /// Writes what Wald presents to the upstream in its own name, and to no other.
    fn present(&self, headers: &mut HeaderMap) {
        let snapshot = self.view.snapshot();
        let upstream = snapshot.policy.upstreams().get(self.upstream.index());
        let authorization = upstream.and_then(|upstream| upstream.authorization.as_ref());
        let secret = snapshot.credentials.secret(self.upstream);
        if let (Some(authorization), Some(value)) = (authorization, secret) {
            authorization.give(value, headers);
        }
    }

    /// How long to wait before the next try; none if this answer is the last.
    fn pause(
        &self,
        answered: &Result<Response<Download>, Refusal>,
        tried: &[Rc<Server>],
        body: &Source,
        chance: &Chance,
    ) -> Option<Duration> {
        let retries = self.retries()?;
        if !self.is_wanted(retries, answered) || !body.may_repeat() {
            return None;
        }
        let doubled = PAUSE.saturating_mul(1 << tried.len().saturating_sub(1).min(5));
        let drawn = doubled
            .min(PAUSE_MAX)
            .mul_f64(chance::fraction(chance.draw()));
        let asked = answered
            .as_ref()
            .ok()
            .filter(|_| !self.pool.has_others(tried));
        let asked = asked.and_then(|answer| retry_after(answer.headers(), SystemTime::now()));
        let pause = drawn.max(asked.unwrap_or_default());
        let now = Instant::now();
        let is_late = now + pause >= self.arrived + self.route()?.timeout;
        let may = !is_late
            && self
                .view
                .budget(self.route, |budget| budget.spend(retries.budget, now))?;
        if !is_late && !may {
            self.view.retries_spent(self.route);
        }
        may.then(|| {
            self.view.retried(self.route);
            pause
        })
    }

    /// Whether the route wants to try again after this, and may.
    fn is_wanted(&self, retries: &Retries, answered: &Result<Response<Download>, Refusal>) -> bool {
        let when = &retries.when;
        match answered {
            Ok(answer) => {
                let status = grpc::http_status(answer, self.is_call);
                when.statuses.contains(&status) && retries.may_repeat(&self.method)
            }
            Err(refusal) if refusal.is_unsent() => when.connect,
            Err(Refusal::Broken(_)) => when.reset && retries.may_repeat(&self.method),
            Err(Refusal::ResponseTimeout) => when.timeout && retries.may_repeat(&self.method),
            Err(_) => false,
        }
    }
}

/// The end that comes first: what the caller of a call waits for, or what the route lets an exchange take.
fn end(route: &Route, headers: &HeaderMap, is_call: bool, arrived: Instant) -> Option<End> {
    let call = is_call.then(|| grpc::timeout(headers)).flatten();
    let ends = [(call, true), (route.total, false)];
    let ends = ends.into_iter().filter_map(|(time, is_of_call)| {
        let at = arrived.checked_add(time?)?;
        Some(End { at, is_of_call })
    });
    ends.min_by_key(|end| end.at)
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

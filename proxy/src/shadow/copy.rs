//! One copy on its way.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, request};
use hyper::body::Body as _;
use tokio::time::timeout;

use super::answer::{Answer, Form};
use super::desk::{Key, Pair};
use super::tally::{Slot, Way};
use super::{Desk, Outcome};
use crate::forward::{self, Download};
use crate::grpc;
use crate::infer;
use crate::observe::View;
use crate::refusal::Refusal;

/// A request as it goes to a shadow, and what it is compared with.
pub(super) struct Copy {
    pub(super) view: Rc<View>,
    pub(super) desk: Desk,
    pub(super) slot: Slot,
    pub(super) head: request::Parts,
    pub(super) body: Vec<Bytes>,
    pub(super) arm: Box<str>,
    pub(super) primary: Answer,
    /// What picks one of several servers.
    pub(super) seed: u64,
}

impl Copy {
    /// Asks the shadow, and has the answers compared.
    pub(super) async fn send(self) {
        let Self {
            view,
            desk,
            slot,
            head,
            body,
            arm,
            primary,
            seed,
        } = self;
        let copies = &slot.0;
        // Whoever waits for an answer comes first.
        tokio::task::yield_now().await;
        let answer = match &copies.way {
            Way::Upstream(pool) => {
                let path = head.uri.path().to_owned();
                let answer = async {
                    let asked = forward::copy(&view, pool, slot.1, (head, body), seed);
                    let response = asked.await.map_err(|refusal| slot.failed(&refusal))?;
                    collect(response, &path, copies.shadow.body_bytes).await
                };
                let answer = timeout(copies.shadow.timeout, answer).await;
                answer.unwrap_or(Err(Outcome::Late))
            }
            Way::Model => run(&view, &slot, (&head, body)).await,
        };
        let has_answered = !matches!(answer, Err(Outcome::Failed | Outcome::Late));
        copies.heard(has_answered, Instant::now());
        copies.count(
            answer
                .as_ref()
                .map_or_else(|outcome| *outcome, |_| Outcome::Answered),
        );
        if matches!(answer, Err(Outcome::Shed)) {
            return;
        }
        let pair = Pair {
            key: Key {
                route: copies.route.clone(),
                backend: copies.backend.clone(),
                against: arm,
                run: copies.shadow.phase_of.and_then(|id| view.run(id)),
            },
            rule: copies.shadow.compare.clone(),
            room: copies.shadow.body_bytes,
            primary,
            shadow: answer.ok(),
        };
        if !desk.compare(pair) {
            copies.count(Outcome::Shed);
        }
    }
}

/// The answer of a model that runs here. What it refuses is an answer, too.
async fn run(
    view: &View,
    slot: &Slot,
    (head, body): (&request::Parts, Vec<Bytes>),
) -> Result<Answer, Outcome> {
    let Slot(copies, copied) = slot;
    let answered = infer::copy(view, *copied, (head, body), &copies.shadow).await;
    let response = match answered {
        Ok(response) => response,
        Err(Refusal::ModelBusy) => return Err(Outcome::Shed),
        Err(Refusal::ModelTimeout) => return Err(Outcome::Late),
        Err(refusal) if refusal.is_of_backend() => return Err(slot.failed(&refusal)),
        Err(refusal) if grpc::is_call(&head.headers) => refusal.into_call_status(),
        Err(refusal) => refusal.into_response(&HeaderValue::from_static("")),
    };
    let (answered, body) = response.into_parts();
    if body.len() as u64 > copies.shadow.body_bytes {
        return Err(Outcome::Shed);
    }
    let form = Form::of(&answered.headers, head.uri.path());
    Ok(Answer {
        status: answered.status,
        form,
        parts: vec![body],
        ended: form.ended(&answered.headers),
    })
}

impl Slot {
    fn failed(&self, refusal: &Refusal) -> Outcome {
        let Self(copies, _) = self;
        tracing::debug!(route = %copies.route, shadow = %copies.backend, %refusal, "a copy failed");
        Outcome::Failed
    }
}

async fn collect(
    response: http::Response<Download>,
    path: &str,
    limit: u64,
) -> Result<Answer, Outcome> {
    let (head, mut body) = response.into_parts();
    let (mut parts, mut room) = (Vec::new(), limit);
    let form = Form::of(&head.headers, path);
    let mut ended = form.ended(&head.headers);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Outcome::Failed)?;
        if let Some(trailers) = frame.trailers_ref() {
            ended = ended.or(form.ended(trailers));
        }
        let Ok(data) = frame.into_data() else {
            continue;
        };
        room = room.checked_sub(data.len() as u64).ok_or(Outcome::Shed)?;
        parts.push(data);
    }
    Ok(Answer {
        status: head.status,
        form,
        parts,
        ended,
    })
}

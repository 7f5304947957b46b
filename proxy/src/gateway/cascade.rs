//! Models that are asked in turn until one is sure.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, request};
use policy::Placement;
use tokio::time::timeout;

use super::Content;
use crate::forward::Source;
use crate::infer::{Surely, call, infer_surely};
use crate::observe::{Passage, Step};
use crate::refusal::Refusal;

/// The answer of the first model of a cascade that is sure of it. None if the placement has come to its last step,
/// which answers whatever comes.
pub(super) async fn descend(
    placement: &mut Placement,
    head: &request::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Option<Response<Content>>, Refusal> {
    // All that are asked before the last one have one time together.
    let left = call::left(head, passage).unwrap_or(Duration::MAX);
    let route = placement.route().index();
    let routes = passage.view().snapshot().policy.routes();
    let patience = routes.get(route).map_or(Duration::ZERO, |it| it.timeout);
    let answered = timeout(left.min(patience), ask(placement, head, body, passage)).await;
    answered.unwrap_or(Err(match left < patience {
        true => Refusal::Deadline,
        false => Refusal::ModelTimeout,
    }))
}

async fn ask(
    placement: &mut Placement,
    head: &request::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Result<Option<Response<Content>>, Refusal> {
    while let Some(accept) = placement.accept().map(Arc::clone) {
        let step = match infer_surely(placement, &accept, head, body, passage).await {
            Ok(Surely::Answered(answer)) => return Ok(Some(*answer)),
            Ok(Surely::Unsure) => Step::Unsure,
            Ok(Surely::NotAsked) => Step::NotAsked,
            // Nobody after it gets more of the body.
            Err(
                refusal @ (Refusal::BodyTooLarge { .. }
                | Refusal::BodyBroken
                | Refusal::BodyTimeout),
            ) => return Err(refusal),
            Err(refusal) if refusal.is_of_backend() => {
                // One for each request of a busy model would flood the log; `escalated` counts them.
                tracing::debug!(%refusal, "a step of a cascade fails");
                Step::Unsure
            }
            // Who comes after it may understand what it does not.
            Err(refusal) => {
                tracing::debug!(%refusal, "a step of a cascade cannot read a request");
                Step::NotAsked
            }
        };
        placement.go_on();
        passage.went_on(placement, step);
    }
    Ok(None)
}

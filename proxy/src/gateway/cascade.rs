//! Models that are asked in turn until one is sure.

use std::rc::Rc;
use std::sync::Arc;

use http::{Response, request};
use policy::Placement;

use super::Content;
use crate::forward::Source;
use crate::infer::infer_surely;
use crate::observe::Passage;

/// The answer of the first model of a cascade that is sure of it. None if the placement has come to its last step,
/// which answers whatever comes; outside of cascades that is so from the beginning.
pub(super) async fn descend(
    placement: &mut Placement,
    head: &request::Parts,
    body: &Rc<Source>,
    passage: &mut Passage,
) -> Option<Response<Content>> {
    while let Some(accept) = placement.accept().map(Arc::clone) {
        let answered = infer_surely(placement, &accept, head, body, passage).await;
        match answered {
            Ok(Some(answer)) => return Some(answer),
            Ok(None) => {}
            // A model that cannot read it, or is busy, is not sure either; who comes after it may be.
            Err(refusal) => tracing::debug!(%refusal, "a step of a cascade gave no answer"),
        }
        placement.go_on();
        passage.went_on(placement);
    }
    None
}

//! What clients are told about an answer beyond what the backend said.

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use policy::Placement;

use super::onward::{ARM, EXPERIMENT};
use super::trace::REQUEST_ID;
use super::{Chance, Content};
use crate::identify::OURS;
use crate::observe::Passage;
use crate::token::Claims;

const ASSIGNMENT: HeaderName = HeaderName::from_static("x-wald-assignment");

/// Says which id the request had.
pub(super) fn with_id(headers: &mut HeaderMap, id: HeaderValue) {
    headers.insert(REQUEST_ID, id);
}

/// Says which arm answered and, if it counts, gives the token that feedback carries back. A failed answer gets
/// one as well: that it failed is evidence, and so is what its client has to say.
pub(super) fn with_arm(
    response: &mut Response<Content>,
    placement: &Placement,
    passage: &Passage,
    chance: &Chance,
) {
    let headers = response.headers_mut();
    // One look at each name: most backends say nothing of the kind.
    if headers.keys().any(|name| name.as_str().starts_with(OURS)) {
        for name in [EXPERIMENT, ARM, ASSIGNMENT] {
            headers.remove(name);
        }
    }
    let Some((experiment, arm)) = passage.lane().and_then(|lane| lane.arm.clone()) else {
        return;
    };
    headers.insert(EXPERIMENT, experiment);
    headers.insert(ARM, arm);
    if let Some(token) = token(placement, passage, chance) {
        headers.insert(ASSIGNMENT, token);
    }
}

fn token(placement: &Placement, passage: &Passage, chance: &Chance) -> Option<HeaderValue> {
    let assignment = placement
        .assignment()
        .filter(|assignment| assignment.counted)?;
    let claims = Claims {
        experiment: passage.view().experiment_hash(assignment.experiment)?,
        run: assignment.run,
        epoch: assignment.epoch,
        arm: assignment.arm.0,
        bucket: assignment.bucket,
        unit: assignment.unit,
        issued_ms: passage.arrived().unix_millis,
        nonce: chance.draw(),
    };
    HeaderValue::try_from(passage.view().snapshot().keys.sign(&claims)).ok()
}

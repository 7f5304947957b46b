//! One shadow of one route as a worker uses it: its connections, and what became of its copies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use policy::{Copied, Route, Shadow};

use crate::forward::Pool;
use crate::observe::Counters;

/// After so many copies without an answer a shadow is left alone, first for this long, and twice as long after
/// each further one, up to the last.
const UNANSWERED_MAX: u32 = 5;
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);

/// What became of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// It was answered.
    Answered,
    /// It was not: no connection, or a broken answer.
    Failed,
    /// It took too long.
    Late,
    /// There was no room for it, or for its answers.
    Shed,
    /// Its primary did not come to an end, or was not read to its end.
    Incomplete,
    /// It was a call with more than one message in a direction.
    Streamed,
}

impl Outcome {
    /// The metric's label.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Late => "timeout",
            Self::Shed => "shed",
            Self::Incomplete => "incomplete",
            Self::Streamed => "streamed",
        }
    }
}

/// How copies reach a shadow.
pub(crate) enum Way {
    /// Over these connections, which serve nothing else.
    Upstream(Rc<Pool>),
    /// Through the model's queue for what nobody waits for.
    Model,
}

/// The copies of one route that go to one shadow.
pub(crate) struct Copies {
    pub(super) route: Box<str>,
    pub(super) backend: Box<str>,
    pub(super) shadow: Shadow,
    pub(super) way: Way,
    in_flight: Cell<u32>,
    /// How many copies in a row had no answer.
    unanswered: Cell<u32>,
    /// Until when no copy is sent.
    rests_until: Cell<Option<Instant>>,
    outcomes: RefCell<BTreeMap<Outcome, u64>>,
}

/// The right to have one copy on its way, from the request's head to the comparison.
pub(crate) struct Slot(pub(super) Rc<Copies>, pub(super) Copied);

impl Copies {
    /// None so far.
    pub(crate) fn new(route: &Route, backend: String, shadow: &Shadow, way: Way) -> Self {
        Self {
            route: route.name.clone(),
            backend: backend.into(),
            shadow: shadow.clone(),
            way,
            in_flight: Cell::default(),
            unanswered: Cell::default(),
            rests_until: Cell::default(),
            outcomes: RefCell::default(),
        }
    }

    /// The connections, if there are any.
    pub(crate) fn pool(&self) -> Option<&Rc<Pool>> {
        match &self.way {
            Way::Upstream(pool) => Some(pool),
            Way::Model => None,
        }
    }

    /// Whether calls may be copied to it.
    pub(crate) fn takes_calls(&self) -> bool {
        self.pool().is_none_or(|it| it.http2_scheme().is_some())
    }

    /// Whether it is a model that runs here.
    pub(crate) fn runs_here(&self) -> bool {
        self.pool().is_none()
    }

    /// Room for one more, if there is any and the shadow is not left alone just now.
    pub(crate) fn slot(self: &Rc<Self>, copied: Copied, now: Instant) -> Option<Slot> {
        let in_flight = self.in_flight.get();
        let rests = self.rests_until.get().is_some_and(|until| now < until);
        if rests || in_flight >= self.shadow.in_flight {
            self.count(Outcome::Shed);
            return None;
        }
        self.in_flight.set(in_flight + 1);
        Some(Slot(Rc::clone(self), copied))
    }

    /// Leaves the shadow alone for a while when copy after copy has no answer: each attempt would only cost what
    /// those need whose answers matter.
    pub(super) fn heard(&self, has_answered: bool, now: Instant) {
        if has_answered {
            self.unanswered.set(0);
            return;
        }
        let unanswered = self.unanswered.get().saturating_add(1);
        self.unanswered.set(unanswered);
        if let Some(again) = unanswered.checked_sub(UNANSWERED_MAX) {
            let rest = REST.saturating_mul(1 << again.min(5)).min(REST_MAX);
            self.rests_until.set(Some(now + rest));
        }
    }

    /// One ended so.
    pub(super) fn count(&self, outcome: Outcome) {
        *self.outcomes.borrow_mut().entry(outcome).or_default() += 1;
    }

    /// Adds what was counted.
    pub(crate) fn export(&self, into: &mut Counters) {
        for (outcome, count) in &*self.outcomes.borrow() {
            let labels = (
                self.route.to_string(),
                self.backend.to_string(),
                outcome.word(),
            );
            *into.shadows.entry(labels).or_default() += count;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let in_flight = &self.0.in_flight;
        in_flight.set(in_flight.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::View;
    use crate::server::tests::snapshot;

    const DOCUMENT: &str = r#"
version: wald/v1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
upstreams: [{ name: one, endpoints: ["http://127.0.0.1:8001"] }, { name: two, endpoints: ["http://127.0.0.1:8002"] }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { upstream: one }, shadow: [{ backend: { upstream: two }, in_flight: 2 }] }]
"#;

    /// The one shadow of the document, and the proof that a request may be copied to it.
    fn shadow() -> (Rc<Copies>, Copied) {
        let view = View::new(std::sync::Arc::new(snapshot(DOCUMENT)), None);
        let policy = &view.snapshot().policy;
        let headers = http::HeaderMap::new();
        let request = policy::Request {
            listener: policy.listeners()[0].id,
            host: "",
            path: "/",
            method: &http::Method::GET,
            headers: &headers,
            model: policy::Asked::Nothing,
        };
        let route = policy.route(&request).unwrap();
        let permit = policy
            .authorize(policy::Caller::anonymous(), route, &request)
            .unwrap();
        let placement = policy.place(permit, &[], &request, 0);
        let (_, _, copied) = placement.shadows(policy).next().unwrap();
        (Rc::clone(&view.copies(route.id)[0]), copied)
    }

    #[test]
    fn a_shadow_that_does_not_answer_is_left_alone_for_longer_and_longer() {
        let (copies, copied) = shadow();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        for _ in 1..UNANSWERED_MAX {
            copies.heard(false, begun);
        }
        assert!(copies.slot(copied, begun).is_some(), "four may be chance");
        copies.heard(false, begun);
        assert!(copies.slot(copied, begun).is_none());
        assert!(copies.slot(copied, at(1)).is_some(), "one tries again");
        copies.heard(false, at(1));
        assert!(copies.slot(copied, at(2)).is_none());
        assert!(copies.slot(copied, at(3)).is_some());
        copies.heard(true, at(3));
        copies.heard(false, at(3));
        assert!(
            copies.slot(copied, at(3)).is_some(),
            "an answer begins the count anew"
        );
    }

    #[test]
    fn no_more_copies_are_on_their_way_than_may_be() {
        let (copies, copied) = shadow();
        let now = Instant::now();
        let (one, two) = (copies.slot(copied, now), copies.slot(copied, now));
        assert!(one.is_some() && two.is_some() && copies.slot(copied, now).is_none());
        drop(one);
        assert!(copies.slot(copied, now).is_some());
    }
}

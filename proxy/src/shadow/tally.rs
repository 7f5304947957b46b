//! One shadow of one route as a worker uses it: its connections, and what became of its copies.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use http::Method;
use policy::{Route, RouteId, Shadow};

use crate::forward::Pool;
use crate::observe::Counters;

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
        }
    }
}

/// The copies of one route that go to one shadow.
pub(crate) struct Copies {
    pub(super) route: Box<str>,
    pub(super) route_id: RouteId,
    pub(super) backend: Box<str>,
    pub(super) shadow: Shadow,
    pub(super) pool: Rc<Pool>,
    in_flight: Cell<u32>,
    outcomes: RefCell<BTreeMap<Outcome, u64>>,
}

/// The right to have one copy on its way, from the request's head to the comparison.
pub(crate) struct Slot(pub(super) Rc<Copies>);

impl Copies {
    /// None so far, over the connections of `pool`, which serve nothing else.
    pub(crate) fn new(route: &Route, backend: &str, shadow: &Shadow, pool: Rc<Pool>) -> Self {
        Self {
            route: route.name.clone(),
            route_id: route.id,
            backend: backend.into(),
            shadow: shadow.clone(),
            pool,
            in_flight: Cell::default(),
            outcomes: RefCell::default(),
        }
    }

    /// The connections.
    pub(crate) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    /// Whether a request with this method, for which this was drawn, is copied.
    pub(crate) fn takes(&self, method: &Method, drawn: f64) -> bool {
        self.shadow.copies(method, drawn)
    }

    /// Room for one more, if there is any.
    pub(crate) fn slot(self: &Rc<Self>) -> Option<Slot> {
        let in_flight = self.in_flight.get();
        if in_flight >= self.shadow.in_flight {
            self.count(Outcome::Shed);
            return None;
        }
        self.in_flight.set(in_flight + 1);
        Some(Slot(Rc::clone(self)))
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

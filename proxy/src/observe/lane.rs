//! A lane: one route together with one of the arms it may lead to. Everything that is counted or written
//! into headers by route and arm is made once a snapshot and found by position.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderValue;
use policy::{ListenerId, Placement, Policy, Route, Target};

use super::counters::{Counters, Histogram, PathLabels, RequestLabels};
use crate::gateway::Usage;
use crate::grpc::Status;

/// What requests of one route and arm have in common.
pub(crate) struct Lane {
    labels: PathLabels,
    /// The route's name, for the backend. None for requests without a route.
    pub(crate) route: Option<HeaderValue>,
    /// The experiment's and the arm's name, for the backend and the client.
    pub(crate) arm: Option<(HeaderValue, HeaderValue)>,
    tally: RefCell<Tally>,
}

#[derive(Default)]
struct Tally {
    /// A handful of pairs of listener and status: a scan beats any map.
    requests: Vec<(ListenerId, u16, u64)>,
    durations: Histogram,
    first_bytes: Histogram,
    events: Histogram,
    tokens: Usage,
    /// How calls ended: few statuses, as above.
    calls: Vec<(Status, u64)>,
}

/// The lanes of a policy.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    routes: Vec<OfRoute>,
}

/// Where the lanes of a route are: first those of each arm, one for each step of a cascade; then, for each thing
/// that the route falls back to, one for each arm.
struct OfRoute {
    /// Where the lanes of each arm begin.
    arms: Vec<usize>,
    /// Where those begin that stand in for them.
    instead: usize,
}

impl Lanes {
    /// One lane for what no route takes, then those of each route.
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut lanes = vec![Lane::new(String::new(), String::new(), None)];
        let mut routes = Vec::with_capacity(policy.routes().len());
        for route in policy.routes() {
            routes.push(OfRoute::add(policy, route, &mut lanes));
        }
        Self { lanes, routes }
    }

    /// The lane of requests that no route takes.
    pub(crate) const NONE: usize = 0;

    /// The lane of a placed request.
    pub(crate) fn find(&self, placement: &Placement) -> usize {
        let Some(route) = self.routes.get(placement.route().index()) else {
            return Self::NONE;
        };
        let arm = placement.arm().map_or(0, |(_, arm)| arm.index());
        match placement.fallen().checked_sub(1) {
            Some(earlier) => route.instead + earlier * route.arms.len() + arm,
            None => match route.arms.get(arm) {
                Some(start) => start + placement.step(),
                None => Self::NONE,
            },
        }
    }

    /// The lane of a request that a route took, but whose caller it does not let pass.
    pub(crate) fn denied(&self, route: &Route) -> usize {
        let route = self.routes.get(route.id.index());
        let first = route.and_then(|route| route.arms.first());
        first.copied().unwrap_or(Self::NONE)
    }

    /// The lane at this position.
    pub(crate) fn get(&self, index: usize) -> Option<&Lane> {
        self.lanes.get(index)
    }

    /// Adds what was counted in all lanes.
    pub(crate) fn export(&self, policy: &Policy, into: &mut Counters) {
        for lane in &self.lanes {
            lane.export(policy, into);
        }
    }
}

/// What a request of a route is meant for: a backend, and the experiment and arm that it serves, if any.
type Meant<'p> = (&'p Target, Option<(&'p str, &'p str)>);

fn arms<'p>(policy: &'p Policy, route: &'p Route) -> Vec<Meant<'p>> {
    let Target::Experiment(id) = route.target else {
        return vec![(&route.target, None)];
    };
    let experiment = policy.experiments().get(id.index());
    let arms = experiment.into_iter().flat_map(|experiment| {
        let name = &*experiment.name;
        let arms = experiment.arms.iter();
        arms.map(move |arm| (&arm.target, Some((name, &*arm.name))))
    });
    arms.collect()
}

impl OfRoute {
    /// Adds the lanes of a route.
    fn add(policy: &Policy, route: &Route, lanes: &mut Vec<Lane>) -> Self {
        let lane =
            |target: &Target, arm| Lane::new(route.name.to_string(), policy.backend(target), arm);
        let meant = arms(policy, route);
        let mut arms = Vec::with_capacity(meant.len());
        for (target, arm) in &meant {
            arms.push(lanes.len());
            match target {
                Target::Cascade(cascade) => {
                    let steps = cascade.steps.iter();
                    lanes.extend(steps.map(|step| lane(&step.target, *arm)));
                }
                target => lanes.push(lane(target, *arm)),
            }
        }
        let instead = lanes.len();
        for target in &route.fallback {
            lanes.extend(meant.iter().map(|(_, arm)| lane(target, *arm)));
        }
        Self { arms, instead }
    }
}

impl Lane {
    fn new(route: String, backend: String, arm: Option<(&str, &str)>) -> Self {
        Self {
            route: (!route.is_empty()).then(|| name(&route)),
            arm: arm.map(|(experiment, arm)| (name(experiment), name(arm))),
            labels: PathLabels {
                route,
                backend,
                arm: arm.map(|(_, arm)| arm.to_owned()).unwrap_or_default(),
            },
            tally: RefCell::default(),
        }
    }

    /// Counts a request whose answer was begun with `code`.
    pub(crate) fn count(&self, listener: ListenerId, code: u16, first_byte: Duration) {
        let mut tally = self.tally.borrow_mut();
        tally.first_bytes.record(first_byte);
        match tally
            .requests
            .iter_mut()
            .find(|(at, as_code, _)| *at == listener && *as_code == code)
        {
            Some((_, _, count)) => *count += 1,
            None => tally.requests.push((listener, code, 1)),
        }
    }

    /// Counts how long after the one before an event of a stream came.
    pub(crate) fn followed(&self, interval: Duration) {
        self.tally.borrow_mut().events.record(interval);
    }

    /// Counts how a call ended.
    pub(crate) fn called(&self, status: Status) {
        let calls = &mut self.tally.borrow_mut().calls;
        match calls.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => calls.push((status, 1)),
        }
    }

    /// Counts the tokens of an answer.
    pub(crate) fn used(&self, usage: Usage) {
        let tokens = &mut self.tally.borrow_mut().tokens;
        tokens.input += usage.input;
        tokens.output += usage.output;
    }

    /// Counts how long a request took altogether.
    pub(crate) fn took(&self, duration: Duration) {
        self.tally.borrow_mut().durations.record(duration);
    }

    fn export(&self, policy: &Policy, into: &mut Counters) {
        let tally = self.tally.borrow();
        if tally.requests.is_empty() {
            return;
        }
        let PathLabels {
            route,
            backend,
            arm,
        } = self.labels.clone();
        for (listener, code, count) in &tally.requests {
            let listener = policy
                .listeners()
                .get(listener.index())
                .map(|listener| listener.name.to_string());
            let labels = RequestLabels {
                listener: listener.unwrap_or_default(),
                route: route.clone(),
                backend: backend.clone(),
                arm: arm.clone(),
                code: *code,
            };
            *into.requests.entry(labels).or_default() += count;
        }
        merge(&mut into.durations, &self.labels, &tally.durations);
        merge(&mut into.first_bytes, &self.labels, &tally.first_bytes);
        if tally.events.count() > 0 {
            merge(&mut into.events, &self.labels, &tally.events);
        }
        for (status, count) in &tally.calls {
            let labels = (self.labels.clone(), status.name());
            *into.calls.entry(labels).or_default() += count;
        }
        let Usage { input, output } = tally.tokens;
        for (kind, tokens) in [("input", input), ("output", output)] {
            if input + output > 0 {
                *into.tokens.entry((self.labels.clone(), kind)).or_default() += tokens;
            }
        }
    }
}

fn merge(into: &mut BTreeMap<PathLabels, Histogram>, labels: &PathLabels, seen: &Histogram) {
    into.entry(labels.clone()).or_default().merge(seen);
}

/// A name as a header value. Names of a compiled policy have no control characters; should one slip
/// through, the backend gets a word instead of a broken header.
fn name(name: &str) -> HeaderValue {
    HeaderValue::from_str(name).unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
}

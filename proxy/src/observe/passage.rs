//! One request from its head to the last byte of its answer, as it will be counted.

use std::rc::Rc;
use std::time::{Duration, Instant};

use http::StatusCode;
use policy::{ExperimentId, ListenerId, Placement, Route, RouteId};

use super::evidence::{Exposure, Moment, Outcome, Size};
use super::lane::{Lane, Lanes};
use super::view::View;
use crate::gateway::Usage;
use crate::grpc::Status;

/// Nginx's number for a client that left before there was an answer; it goes into counts, never to anyone.
const CLIENT_LEFT: u16 = 499;

/// A request that is being served. Dropping it before it [ended](Passage::end) counts it as failed.
pub(crate) struct Passage {
    view: Rc<View>,
    listener: ListenerId,
    arrived: Moment,
    lane: usize,
    route: Option<RouteId>,
    exposure: Option<(ExperimentId, Exposure)>,
    backend: Duration,
    answered: Option<Answered>,
    fell_back: bool,
    escalated: Option<bool>,
    call: Call,
    size: Size,
    said: Vec<Option<f64>>,
    ended: bool,
}

/// Why a step of a cascade gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was not sure, or could not say.
    Unsure,
    /// What came was no question for it, which says nothing about how sure it is.
    NotAsked,
}

/// Whether the request is a call, and how that ended.
#[derive(Clone, Copy)]
enum Call {
    /// It is none.
    None,
    /// Nobody has said.
    Open,
    /// So.
    Ended(Status),
}

#[derive(Clone, Copy)]
struct Answered {
    failed: bool,
    first_byte: Duration,
}

impl Passage {
    /// A request whose head has just been read.
    pub(crate) fn begin(view: Rc<View>, listener: ListenerId, arrived: Moment) -> Self {
        let (lane, route, exposure, backend) = (Lanes::NONE, None, None, Duration::ZERO);
        Self {
            view,
            listener,
            arrived,
            lane,
            route,
            exposure,
            backend,
            answered: None,
            fell_back: false,
            escalated: Some(false),
            call: Call::None,
            size: Size::default(),
            said: Vec::new(),
            ended: false,
        }
    }

    /// The request waited before anything was decided about it, and goes on with a newer snapshot.
    pub(crate) fn renew(&mut self, view: Rc<View>) {
        if self.route.is_none() {
            self.view = view;
        }
    }

    /// The snapshot that the request sees, all the way.
    pub(crate) fn view(&self) -> &Rc<View> {
        &self.view
    }

    /// When the request's head had been read.
    pub(crate) fn arrived(&self) -> Moment {
        self.arrived
    }

    /// The headers and labels of the request's route and arm.
    pub(crate) fn lane(&self) -> Option<&Lane> {
        self.view.lane(self.lane)
    }

    /// A route took the request.
    pub(crate) fn routed(&mut self, route: &Route) {
        self.lane = self.view.lanes().denied(route);
        self.route = Some(route.id);
        self.view.in_flight(route.id, 1);
    }

    /// The request was placed; if its experiment runs, it is evidence from now on.
    /// `request_bytes` is the length of its body, if it says one.
    pub(crate) fn placed(&mut self, placement: &Placement, request_bytes: Option<u64>) {
        self.lane = self.view.lanes().find(placement);
        if let Some(((experiment, _), outside)) = placement.arm().zip(placement.outside()) {
            self.view.outside(experiment, outside);
        }
        if let Some(assignment) = placement
            .assignment()
            .filter(|assignment| assignment.counted)
        {
            let exposure = self.view.expose(assignment, self.arrived, request_bytes);
            self.exposure = exposure.map(|exposure| (assignment.experiment, exposure));
        }
    }

    /// What the request was meant for is down, and something else answers. It counts by who answered; as evidence
    /// it counts for the arm that was meant, and against it: that it did not fail for the user is not the arm's
    /// merit, and what the answer says is not its word.
    pub(crate) fn fell_back(&mut self, placement: &Placement) {
        self.lane = self.view.lanes().find(placement);
        self.fell_back = true;
    }

    /// A step of a cascade gives no answer, and the next one is asked. It counts by who answers in the end; as
    /// evidence it counts for the arm in any case, which is the whole cascade.
    pub(crate) fn went_on(&mut self, placement: &Placement, step: Step) {
        self.lane = self.view.lanes().find(placement);
        self.escalated = match step {
            Step::Unsure => Some(true),
            Step::NotAsked => self.escalated.filter(|escalated| *escalated),
        };
    }

    /// Time that was the backend's, not Wald's.
    pub(crate) fn waited(&mut self, since: Instant) {
        self.backend += since.elapsed();
    }

    /// The answer's head is ready.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        let first_byte = self.arrived.instant.elapsed();
        self.answered = Some(Answered {
            failed: status.is_server_error() || self.fell_back,
            first_byte,
        });
        if let Some(lane) = self.lane() {
            lane.count(self.listener, status.as_u16(), first_byte);
        }
        if let Some(route) = self.route {
            self.view
                .overhead(route, first_byte.saturating_sub(self.backend));
        }
    }

    /// The request is a call: it ends with a status of its own.
    pub(crate) fn begin_call(&mut self) {
        self.call = Call::Open;
    }

    /// A call ended so, which its HTTP status does not tell.
    pub(crate) fn call_ended(&mut self, status: Status) {
        if matches!(self.call, Call::None) {
            return;
        }
        self.call = Call::Ended(status);
        if let Some(answered) = &mut self.answered {
            answered.failed |= status.is_failure();
        }
    }

    /// So many bytes of the answer's body go out.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.size.bytes += bytes as u64;
    }

    /// The answer has said how many tokens it took.
    pub(crate) fn used(&mut self, usage: Usage) {
        self.size.tokens = Some(usage);
        if let Some(lane) = self.lane() {
            lane.used(usage);
        }
    }

    /// Where in the answer metrics look; nowhere if it is not the arm's own.
    pub(crate) fn pointers(&self) -> &[Box<str>] {
        let experiments = self.view.snapshot().policy.experiments();
        let exposed = self.exposure.as_ref().filter(|_| !self.fell_back);
        let experiment = exposed.and_then(|(experiment, _)| experiments.get(experiment.index()));
        experiment.map_or(&[], |experiment| &experiment.pointers)
    }

    /// The answer has said this at each of the [pointers](Self::pointers).
    pub(crate) fn said(&mut self, values: Vec<Option<f64>>) {
        self.said = values;
    }

    /// The answer went out entirely.
    pub(crate) fn end(mut self) {
        // A call that ends without saying how has failed, as its caller sees it.
        if matches!(self.call, Call::Open) {
            self.call_ended(Status::UNKNOWN);
        }
        let failed = self.answered.is_none_or(|answered| answered.failed);
        self.record(failed, Some(self.size));
    }

    fn record(&mut self, failed: bool, size: Option<Size>) {
        self.ended = true;
        let duration = self.arrived.instant.elapsed();
        tracing::debug!(lane = self.lane, failed, ?duration, "request ended");
        if self.answered.is_none() {
            self.count_as_left(duration);
        }
        if let Some(lane) = self.lane() {
            lane.took(duration);
            match self.call {
                Call::None => {}
                Call::Open => lane.called(Status::CANCELLED),
                Call::Ended(status) => lane.called(status),
            }
        }
        if let Some(route) = self.route {
            self.view.in_flight(route, -1);
        }
        if let Some((experiment, exposure)) = self.exposure.take() {
            let first_byte = self
                .answered
                .map_or(duration, |answered| answered.first_byte);
            self.view.close(
                experiment,
                exposure,
                Outcome {
                    failed,
                    escalated: self.escalated,
                    duration,
                    first_byte,
                    size,
                    said: &self.said,
                },
            );
        }
    }

    fn count_as_left(&self, after: Duration) {
        if let Some(lane) = self.lane() {
            lane.count(self.listener, CLIENT_LEFT, after);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.ended {
            self.record(true, None);
        }
    }
}

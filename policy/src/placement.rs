//! Where one permitted request goes.

use std::sync::Arc;

use http::StatusCode;

use crate::assignment::Standing;
use crate::{
    Accept, ArmId, Assignment, Caller, Cascade, CopyTarget, Experiment, ExperimentId, Outside,
    Permit, Policy, Request, RouteId, Shadow, Stage, State, Target,
};

/// Proof that a permitted request was placed. Only [`Policy::place`] makes one.
///
/// ```compile_fail
/// fn forge(permit: policy::Permit, target: policy::Target) -> policy::Placement {
///     policy::Placement { permit, target, arm: None, assignment: None, outside: None, shadow_phase: None, fallen: 0, step: 0, cascade: None }
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a placement is asked for by whatever answers the request"]
pub struct Placement {
    permit: Permit,
    target: Target,
    arm: Option<(ExperimentId, ArmId)>,
    assignment: Option<Assignment>,
    outside: Option<Outside>,
    /// The experiment whose candidates get a copy, as this is their shadow phase.
    shadow_phase: Option<ExperimentId>,
    fallen: u32,
    /// How far down its cascade it has come.
    step: u32,
    cascade: Option<Arc<Cascade>>,
}

/// Proof that copies of a request that was placed may go to this shadow. Only [`Placement::shadows`] makes one.
///
/// ```compile_fail
/// fn forge(route: policy::RouteId, target: policy::CopyTarget) -> policy::Copied {
///     policy::Copied { route, target }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    route: RouteId,
    target: CopyTarget,
}

impl Copied {
    /// The route that the request takes.
    #[must_use]
    pub fn route(self) -> RouteId {
        self.route
    }

    /// Where the copies go.
    #[must_use]
    pub fn target(self) -> CopyTarget {
        self.target
    }
}

impl Placement {
    fn new(permit: Permit, target: Target) -> Self {
        let (target, cascade) = match target {
            Target::Cascade(cascade) => {
                let first = cascade.steps.first();
                let first = first.map_or(UNKNOWN, |step| step.target.clone());
                (first, Some(cascade))
            }
            target => (target, None),
        };
        Self {
            permit,
            target,
            step: 0,
            cascade,
            arm: None,
            assignment: None,
            outside: None,
            shadow_phase: None,
            fallen: 0,
        }
    }

    /// The permit that was spent.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The route that the request takes.
    #[must_use]
    pub fn route(&self) -> RouteId {
        self.permit.route()
    }

    /// What answers; never an experiment or a cascade.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The experiment and arm that serve the request, assigned or not.
    #[must_use]
    pub fn arm(&self) -> Option<(ExperimentId, ArmId)> {
        self.arm
    }

    /// How sure the model must be that the request was placed on; none if its answer is taken in any case.
    #[must_use]
    pub fn accept(&self) -> Option<&Arc<Accept>> {
        let cascade = self.cascade.as_ref()?;
        cascade.steps.get(self.step())?.accept.as_ref()
    }

    /// How far down its cascade the request has come: 0 for the first step, and outside of cascades.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step as usize
    }

    /// Goes to the next step of the cascade: the model was not sure, or could not say. Whether there was any.
    pub fn go_on(&mut self) -> bool {
        let steps = self.cascade.as_ref().map(|cascade| &cascade.steps);
        let Some(next) = steps.and_then(|steps| steps.get(self.step() + 1)) else {
            return false;
        };
        self.target = next.target.clone();
        self.step += 1;
        true
    }

    /// How often the request fell back: 0 for what it was meant for.
    #[must_use]
    pub fn fallen(&self) -> usize {
        self.fallen as usize
    }

    /// Whether there is something to fall back to still.
    #[must_use]
    pub fn may_fall_back(&self, policy: &Policy) -> bool {
        self.next(policy).is_some()
    }

    /// Goes to what the route falls back to next. Arm and assignment stay: they are what was meant. Whether
    /// there was any.
    pub fn fall_back(&mut self, policy: &Policy) -> bool {
        let Some(next) = self.next(policy) else {
            return false;
        };
        self.target = next.clone();
        self.fallen += 1;
        self.step = 0;
        self.cascade = None;
        true
    }

    fn next<'p>(&self, policy: &'p Policy) -> Option<&'p Target> {
        let route = policy.routes.get(self.route().index())?;
        route.fallback.get(self.fallen())
    }

    /// Where copies of it may go, each with its position among the route's shadows and the proof that they may.
    pub fn shadows<'p>(
        &self,
        policy: &'p Policy,
    ) -> impl Iterator<Item = (usize, &'p Shadow, Copied)> + use<'p> {
        let (route, phase) = (self.route(), self.shadow_phase);
        let shadows = policy.routes.get(route.index());
        let shadows = shadows.map_or(&[][..], |route| &route.shadows).iter();
        let meant = shadows
            .enumerate()
            .filter(move |(_, shadow)| shadow.phase_of.is_none() || shadow.phase_of == phase);
        meant.map(move |(position, shadow)| {
            let target = shadow.target;
            (position, shadow, Copied { route, target })
        })
    }

    /// How the request's unit was assigned; none outside experiments, and none if the request takes no part in
    /// its own.
    #[must_use]
    pub fn assignment(&self) -> Option<&Assignment> {
        self.assignment.as_ref()
    }

    /// Why the request takes no part in the experiment that serves it; none if it does.
    #[must_use]
    pub fn outside(&self) -> Option<Outside> {
        self.outside
    }
}

impl Policy {
    /// Picks what answers a permitted request.
    ///
    /// `stages` holds one stage for each experiment, in their order; one that is missing counts as
    /// a draft. `chance` is drawn anew for each request and matters only to experiments with
    /// `unit: request`.
    pub fn place(
        &self,
        permit: Permit,
        stages: &[Stage],
        request: &Request<'_>,
        chance: u64,
    ) -> Placement {
        let target = self
            .routes
            .get(permit.route().index())
            .map_or(&UNKNOWN, |route| &route.target);
        let Target::Experiment(id) = target else {
            return Placement::new(permit, target.clone());
        };
        let Some(experiment) = self.experiments.get(id.index()) else {
            return Placement::new(permit, UNKNOWN);
        };
        let stage =
            stages
                .get(id.index())
                .copied()
                .unwrap_or(Stage::from_parts(0, 0, 0, State::Draft));
        let (arm, assigned) = assign(experiment, stage, permit.caller(), request, chance);
        let target = experiment
            .arms
            .get(arm.index())
            .map_or(UNKNOWN, |arm| arm.target.clone());
        Placement {
            arm: Some((*id, arm)),
            assignment: assigned.ok(),
            outside: assigned.err(),
            shadow_phase: (stage.state() == State::Shadow && assigned.is_ok()).then_some(*id),
            ..Placement::new(permit, target)
        }
    }
}

/// Assigns the request's unit, if it takes part; otherwise says which arm serves it all the same.
fn assign(
    experiment: &Experiment,
    stage: Stage,
    caller: &Caller,
    request: &Request<'_>,
    chance: u64,
) -> (ArmId, Result<Assignment, Outside>) {
    let audience = &experiment.audience;
    if let Some(arm) = audience.chosen(experiment, request, caller) {
        return (arm, Err(Outside::Chosen));
    }
    let unit = experiment.unit.of(request.headers, caller, chance);
    let outside = audience.outside(request, caller, unit.as_deref());
    let unit = match (outside, unit) {
        (None, Some(unit)) => unit,
        (outside, _) => {
            let outside = outside.unwrap_or(Outside::NoUnit);
            let arm = if outside.keeps_control() {
                ArmId::CONTROL
            } else {
                experiment.served_by(stage.default_arm())
            };
            return (arm, Err(outside));
        }
    };
    let Standing { unit, slot, bucket } = Standing::of(&unit, experiment.salt);
    let arm = experiment.served_by(stage.arm_of(experiment, slot));
    let assignment = Assignment {
        experiment: experiment.id,
        run: stage.run(),
        epoch: stage.epoch(),
        arm,
        unit,
        bucket,
        counted: stage.is_counted(experiment),
    };
    (arm, Ok(assignment))
}

/// What a permit of another policy leads to. One snapshot a request keeps this from happening.
const UNKNOWN: Target = Target::Respond {
    status: StatusCode::INTERNAL_SERVER_ERROR,
    body: None,
};

#[cfg(test)]
mod tests;

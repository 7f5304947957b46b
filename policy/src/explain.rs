//! What would happen to a request, and why, in words.
//!
//! The answer comes from the very functions that serve requests; only the reasons are added.

use serde::Serialize;

use crate::permit::Denial;
use crate::route::{Mismatch, Subject};
use crate::{Caller, Experiment, NoRoute, Outside, Placement, Policy, Request, Route, Stage};

/// What would happen to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the request would be served.
    pub outcome: Answer,
    /// The route that it takes.
    pub route: Option<String>,
    /// The code with which it would be refused.
    pub code: Option<String>,
    /// The experiment that picks what serves it.
    pub experiment: Option<String>,
    /// The arm that was picked.
    pub arm: Option<String>,
    /// What serves it.
    pub backend: Option<String>,
    /// What gets a copy of it.
    pub shadows: Vec<String>,
    /// How it came to that, step by step.
    pub why: Vec<String>,
}

/// Whether a request would be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It would.
    Permit,
    /// Its caller may not take its route.
    Deny,
    /// There is no route for it.
    NoRoute,
}

impl Policy {
    /// What would happen to a request, and why.
    #[must_use]
    pub fn explain(
        &self,
        request: &Request<'_>,
        caller: Caller,
        stages: &[Stage],
        chance: u64,
    ) -> Explanation {
        let route = match self.route(request) {
            Ok(route) => route,
            Err(NoRoute) => return self.explain_no_route(request),
        };
        let mut explanation =
            Explanation::new(Answer::Permit, self.passed_over(request, route.id.index()));
        explanation.route = Some(route.name.to_string());
        explanation
            .why
            .push(format!("route {} matches", route.name));
        let who = caller.to_string();
        match self.authorize(caller, route, request) {
            Ok(permit) => {
                explanation
                    .why
                    .push(format!("route {} allows {who}", route.name));
                let placement = self.place(permit, stages, request, chance);
                self.explain_placement(&mut explanation, &placement, stages);
            }
            Err(denial) => explain_denial(&mut explanation, route, &denial),
        }
        explanation
    }

    fn explain_no_route(&self, request: &Request<'_>) -> Explanation {
        let mut explanation = Explanation::new(
            Answer::NoRoute,
            self.passed_over(request, self.routes.len()),
        );
        explanation.code = Some(NoRoute::CODE.to_string());
        explanation.why.push(NoRoute.to_string());
        explanation
    }

    /// Why none of the first `count` routes is taken.
    fn passed_over(&self, request: &Request<'_>, count: usize) -> Vec<String> {
        let subject = Subject::of(request);
        let reason = |route: &Route| {
            let what = match route.pattern.mismatch(&subject)? {
                Mismatch::Listener => "listener".to_owned(),
                Mismatch::Host => "host".to_owned(),
                Mismatch::Path => "path".to_owned(),
                Mismatch::Method => "method".to_owned(),
                Mismatch::Header(name) => format!("header {name}"),
                Mismatch::Model => "model".to_owned(),
            };
            Some(format!("route {} does not match: {what}", route.name))
        };
        self.routes.iter().take(count).filter_map(reason).collect()
    }

    fn explain_placement(
        &self,
        explanation: &mut Explanation,
        placement: &Placement,
        stages: &[Stage],
    ) {
        explanation.backend = Some(self.backend(placement.target()));
        let shadows = placement.shadows(self);
        explanation.shadows = shadows
            .map(|(_, shadow, copied)| {
                let backend = self.backend(&copied.target().into());
                format!("{backend} ({}%)", shadow.share * 100.0)
            })
            .collect();
        let Some((id, arm)) = placement.arm() else {
            return;
        };
        let Some(experiment) = self.experiments.get(id.index()) else {
            return;
        };
        let arm = experiment
            .arms
            .get(arm.index())
            .map_or("", |arm| &*arm.name);
        explanation.experiment = Some(experiment.name.to_string());
        explanation.arm = Some(arm.to_owned());
        let state = stages
            .get(id.index())
            .map_or("not started", |stage| stage.state().describe());
        explanation
            .why
            .push(format!("experiment {} is {state}", experiment.name));
        let why = match placement.assignment() {
            Some(assignment) => {
                let unit = match &experiment.unit {
                    crate::Unit::Request => "chance".to_owned(),
                    unit => unit.to_string(),
                };
                format!(
                    "{unit} puts the request on arm {arm} (bucket {})",
                    assignment.bucket
                )
            }
            None => format!(
                "{}, so arm {arm} serves it and nothing is counted",
                outside(experiment, placement.outside())
            ),
        };
        explanation.why.push(why);
    }
}

/// Why a request takes no part in an experiment.
fn outside(experiment: &Experiment, why: Option<Outside>) -> String {
    match why {
        None | Some(Outside::NoUnit) => format!("the request has no {}", experiment.unit),
        Some(Outside::OptedOut) => "the request has opted out".to_owned(),
        Some(Outside::OtherSegment) => "the request is in none of the segments".to_owned(),
        Some(Outside::HeldOut) => format!("its {} is held out of all experiments", experiment.unit),
        Some(Outside::OtherLayer) => {
            let layer = experiment.audience.layer.as_ref();
            let layer = layer.map_or("", |layer| &*layer.name);
            format!(
                "its {} is not in the experiment's part of layer {layer}",
                experiment.unit
            )
        }
        Some(Outside::Chosen) => "a tester chose the arm".to_owned(),
    }
}

fn explain_denial(explanation: &mut Explanation, route: &Route, denial: &Denial) {
    explanation.outcome = Answer::Deny;
    explanation.code = Some(denial.code().to_string());
    explanation
        .why
        .push(format!("route {} refuses: {denial}", route.name));
}

impl Explanation {
    fn new(outcome: Answer, why: Vec<String>) -> Self {
        Self {
            outcome,
            route: None,
            code: None,
            experiment: None,
            arm: None,
            backend: None,
            shadows: Vec::new(),
            why,
        }
    }
}

#[cfg(test)]
mod tests;

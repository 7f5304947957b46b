//! What a backend names.

use std::sync::Arc;

use config::document::{self, Backend, CascadeStep, Respond};
use config::{Path, code};
use http::StatusCode;

use super::{Scope, rewrite};
use crate::{
    Accept, Cascade, CascadeStep as CompiledStep, ExperimentId, ModelId, Target, UpstreamId,
};

/// Finds what the backend at `path` names.
pub(super) fn target(scope: &mut Scope<'_>, path: &Path, written: &Backend) -> Option<Target> {
    let Scope { report, names, .. } = scope;
    match written {
        Backend::Upstream { upstream } => {
            let found = names
                .upstreams
                .find(upstream, &path.field("upstream"), report);
            found.map(|position| Target::Upstream(UpstreamId(position)))
        }
        Backend::Model { model, version } => {
            let found = names.models.find(model, version.as_deref(), path, report);
            found.map(|position| Target::Model(ModelId(position)))
        }
        Backend::Cascade { cascade } => self::cascade(scope, &path.field("cascade"), cascade),
        Backend::Experiment { experiment } => {
            let found = names
                .experiments
                .find(experiment, &path.field("experiment"), report);
            found.map(|position| Target::Experiment(ExperimentId(position)))
        }
        Backend::Redirect { redirect } => {
            rewrite::redirect(&mut scope.report, &path.field("redirect"), redirect)
        }
        Backend::Respond { respond } => answer(scope, &path.field("respond"), respond),
    }
}

/// Models that say when they are sure, and then one that need not, or an upstream.
fn cascade(scope: &mut Scope<'_>, path: &Path, written: &[CascadeStep]) -> Option<Target> {
    if written.len() < 2 {
        let message = "a cascade of one step is that step";
        let remedy = "add who is asked when the model is not sure, or name the model itself";
        scope.report.error(code::BAD_BACKEND, path, message, remedy);
        return None;
    }
    let step =
        |(position, written): (usize, &CascadeStep)| step(scope, &path.index(position), written);
    let steps: Vec<_> = written.iter().enumerate().filter_map(step).collect();
    let is_whole = steps.len() == written.len();
    let (last, before) = steps.split_last().filter(|_| is_whole)?;
    let unsure = before.iter().position(|step| step.accept.is_none());
    if let Some(position) = unsure {
        let message = "what comes after this step would never be asked";
        let remedy = "name a model here, with `accept: { output, at_least }`";
        let path = path.index(position);
        scope
            .report
            .error(code::BAD_BACKEND, &path, message, remedy);
    }
    if last.accept.is_some() {
        let message = "nobody is left to ask where the last step is not sure";
        let remedy = "remove its `accept`, or add a step";
        let path = path.index(before.len()).field("accept");
        scope
            .report
            .error(code::BAD_BACKEND, &path, message, remedy);
    }
    Some(Target::Cascade(Arc::new(Cascade { steps })))
}

fn step(scope: &mut Scope<'_>, path: &Path, written: &CascadeStep) -> Option<CompiledStep> {
    let (target, accept) = match written {
        CascadeStep::Model {
            model,
            version,
            accept,
        } => {
            let version = version.as_deref();
            let found = scope
                .names
                .models
                .find(model, version, path, &mut scope.report);
            (Target::Model(ModelId(found?)), accept.as_ref())
        }
        CascadeStep::Upstream { upstream } => {
            let path = path.field("upstream");
            let found = scope
                .names
                .upstreams
                .find(upstream, &path, &mut scope.report);
            (Target::Upstream(UpstreamId(found?)), None)
        }
    };
    let accept = accept.map(|document::Accept { output, at_least }| {
        Arc::new(Accept {
            output: output.as_str().into(),
            at_least: *at_least,
        })
    });
    Some(CompiledStep { target, accept })
}

fn answer(scope: &mut Scope<'_>, path: &Path, written: &Respond) -> Option<Target> {
    let Respond { status, body } = written;
    // A status below 200 announces an answer that would never come (RFC 9110 §15.2).
    let Some(status) = StatusCode::from_u16(*status)
        .ok()
        .filter(|_| (200..600).contains(status))
    else {
        let message = format!("{status} is not the status of an answer");
        scope.report.error(
            code::BAD_BACKEND,
            &path.field("status"),
            message,
            "write a status from 200 to 599",
        );
        return None;
    };
    let bodiless = matches!(
        status,
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED
    );
    if bodiless && body.is_some() {
        let message = format!("an answer with status {} has no body", status.as_u16());
        scope.report.error(
            code::BAD_BACKEND,
            &path.field("body"),
            message,
            "remove the body, or use status 200",
        );
        return None;
    }
    Some(Target::Respond {
        status,
        body: body.as_deref().map(Into::into),
    })
}

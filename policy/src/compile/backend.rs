//! What a backend names.

use config::document::{Backend, Respond};
use config::{Path, code};
use http::StatusCode;

use super::{Scope, rewrite};
use crate::{ExperimentId, ModelId, Target, UpstreamId};

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

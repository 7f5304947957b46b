//! Copies of requests.

use std::time::Duration;

use config::document;
use config::{Path, code};

use super::{Report, Scope, backend, pattern};
use crate::{Arm, Compare, CopyTarget, Pointer, Shadow, ShadowFirst, Share, Target, UpstreamId};

/// What may be held of a body, how many copies a worker has on their way, and for how long, unless the document
/// says otherwise.
const BODY_BYTES: u64 = 1 << 20;
const IN_FLIGHT: u32 = 32;
const TIMEOUT: Duration = Duration::from_secs(30);

/// How many answers of a shadow phase are compared at least, unless the document says otherwise.
const OBSERVATIONS: u64 = 2000;

/// Compiles the shadows of the route at `path`.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &[document::Shadow],
) -> Vec<Shadow> {
    let path = path.field("shadow");
    let shadow = |(position, written)| one(scope, &path.index(position), written);
    written.iter().enumerate().filter_map(shadow).collect()
}

fn one(scope: &mut Scope<'_>, path: &Path, written: &document::Shadow) -> Option<Shadow> {
    let document::Shadow {
        backend,
        share,
        methods,
        body_max,
        in_flight,
        timeout,
        compare,
    } = written;
    let target = backend::target(scope, &path.field("backend"), backend);
    let report = &mut scope.report;
    let (body_max, timeout) = (body_max.map(|it| it.0), timeout.map(|it| it.0));
    let shadow = Shadow {
        target: copy_target(report, &path.field("backend"), &target?)?,
        share: share.map_or(1.0, |share| share.value()),
        methods: pattern::methods(report, &path.field("methods"), methods),
        body_bytes: report.positive(path, "body_max", body_max, BODY_BYTES),
        in_flight: report.positive(path, "in_flight", *in_flight, IN_FLIGHT),
        timeout: report.positive(path, "timeout", timeout, TIMEOUT),
        compare: compare
            .as_ref()
            .map(|written| self::compare(report, &path.field("compare"), written))
            .unwrap_or_default(),
        phase_of: None,
    };
    Some(shadow)
}

/// Where copies may go.
fn copy_target(report: &mut Report<'_>, path: &Path, target: &Target) -> Option<CopyTarget> {
    match target {
        Target::Upstream(upstream) => Some(CopyTarget::Upstream(*upstream)),
        Target::Model(model) => Some(CopyTarget::Model(*model)),
        _ => {
            let message = "copies of requests cannot go there";
            let remedy = "name an upstream or a model";
            report.error(code::BAD_BACKEND, path, message, remedy);
            None
        }
    }
}

/// The shadow phase of the experiment at `path`.
pub(super) fn first(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::ShadowFirst,
    arms: &[Arm],
) -> Option<ShadowFirst> {
    let document::ShadowFirst {
        agreement,
        observations,
        share,
        methods,
        body_max,
        timeout,
        compare,
    } = written;
    let arms_path = path.field("arms");
    let path = path.field("shadow_first");
    if *agreement <= Share::NONE || *agreement >= Share::ALL {
        let message = "an agreement of nothing is no condition, and that of all is never proven";
        let path = path.field("agreement");
        report.error(code::OUT_OF_RANGE, &path, message, "99% is usual");
    }
    let template = Shadow {
        target: CopyTarget::Upstream(UpstreamId(0)),
        share: share.unwrap_or(Share::ALL).value(),
        methods: pattern::methods(report, &path.field("methods"), methods),
        body_bytes: report.positive(&path, "body_max", body_max.map(|it| it.0), BODY_BYTES),
        in_flight: IN_FLIGHT,
        timeout: report.positive(&path, "timeout", timeout.map(|it| it.0), TIMEOUT),
        compare: compare
            .as_ref()
            .map(|written| self::compare(report, &path.field("compare"), written))
            .unwrap_or_default(),
        phase_of: None,
    };
    let mut copy = |(position, arm): (usize, &Arm)| {
        let path = arms_path.index(position).field("backend");
        let target = copy_target(report, &path, &arm.target)?;
        Some(Shadow {
            target,
            ..template.clone()
        })
    };
    let candidates = arms.iter().enumerate().skip(1);
    let copies: Vec<_> = candidates.map(&mut copy).collect();
    Some(ShadowFirst {
        agreement: agreement.value(),
        observations: report.positive(&path, "observations", *observations, OBSERVATIONS),
        copies: copies.into_iter().collect::<Option<_>>()?,
    })
}

fn compare(report: &mut Report<'_>, path: &Path, written: &document::Compare) -> Compare {
    let document::Compare {
        ignore,
        only,
        tolerance,
        cosine,
    } = written;
    let mut within = |field: &str, value: Option<f64>| {
        if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
            let message = format!("`{field}` is not between 0 and 1");
            let remedy = "write, for example, 1e-3 as a tolerance or 0.99 as a cosine";
            report.error(code::OUT_OF_RANGE, &path.field(field), message, remedy);
        }
        value
    };
    let tolerance = within("tolerance", *tolerance).unwrap_or_default();
    let cosine = within("cosine", *cosine);
    Compare {
        ignore: pointers(report, &path.field("ignore"), ignore),
        only: pointers(report, &path.field("only"), only),
        tolerance,
        cosine,
    }
}

fn pointers(report: &mut Report<'_>, path: &Path, written: &[String]) -> Vec<Pointer> {
    let mut pointer = |(position, written): (usize, &String)| {
        let parsed = Pointer::parse(written);
        if parsed.is_none() {
            let message = format!("{written:?} is no JSON pointer");
            let remedy = "write, for example, /outputs/*/data";
            report.error(code::BAD_MATCH, &path.index(position), message, remedy);
        }
        parsed
    };
    written
        .iter()
        .enumerate()
        .filter_map(&mut pointer)
        .collect()
}

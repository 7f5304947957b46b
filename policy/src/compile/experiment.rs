//! Experiments: arms, ramps, and what the definition of one is.

use std::time::Duration;

use config::document::{self, Goals, Start};
use config::value::Period;
use config::{Path, code};
use http::header::HeaderName;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Report, Scope, allow, audience, backend, metric, names, prices, provable, ramp, shadow, watch,
};
use crate::{
    Arm, Decide, End, Experiment, ExperimentId, Share, StepMinimum, Target, Unit, canonical,
};

/// The most arms: as many as `stats` tells apart, and no more than an [`crate::ArmId`] can.
const ARMS_MAX: usize = 64;

/// The chance of a false verdict unless the document says otherwise.
pub(super) const ALPHA: f64 = 0.05;

/// What a step must have seen unless the document says otherwise; 500 is where the means' gate opens.
const STEP_MINIMUM: StepMinimum = StepMinimum {
    observations: 500,
    time: Duration::from_secs(60),
};

/// The length of a tick unless the document says otherwise, and its bounds.
const TICK: Duration = Duration::from_secs(1);
const TICK_MAX: Duration = Duration::from_secs(60);

/// Compiles one experiment.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Experiment,
) -> Option<Experiment> {
    let document::Experiment {
        unit,
        arms,
        ramp,
        metrics,
        ..
    } = written;
    let candidates = u8::try_from(arms.len().saturating_sub(1)).unwrap_or(u8::MAX);
    let arms = self::arms(scope, &path.field("arms"), arms);
    let approvals = approvals(scope, path, written.approve);
    let unit = self::unit(scope, &path.field("unit"), unit);
    let audience = audience::compile(scope, path, written);
    let report = &mut scope.report;
    let end = end(report, path, written.end.as_ref());
    let judged_unit = judged_unit(unit.as_ref());
    let metrics = metric::compile(report, &path.field("metrics"), metrics, judged_unit);
    let ramp = ramp::compile(report, &path.field("ramp"), ramp, candidates);
    let (unit, arms, ramp, metrics, audience) = (unit?, arms?, ramp?, metrics?, audience?);
    let observed = &metrics.observations;
    let prices = prices::compile(&mut scope.report, path, written, &arms, observed);
    let first = written.shadow_first.as_ref();
    let first = first.map(|it| shadow::first(&mut scope.report, path, it, &arms));
    let period = tick(&mut scope.report, path, written.tick);
    let experiment = Experiment {
        id: ExperimentId(position),
        name: written.name.as_str().into(),
        design: stats::Design {
            arms: arms.len(),
            unit: judged_unit,
            metrics: metrics.design,
            alpha: alpha(&mut scope.report, path, written.alpha),
            end: end.observations,
            goals: goals(written.goals.as_ref()),
        },
        observations: metrics.observations,
        pointers: metrics.pointers,
        prices,
        beside: metrics.beside,
        caps: metrics.caps,
        window: metrics.windows.iter().copied().max().unwrap_or_default(),
        windows: metrics.windows,
        definition: definition(scope.document, written, &arms),
        arms,
        unit,
        audience,
        ramp,
        step_minimum: step_minimum(written.step_minimum.as_ref()),
        end,
        tick: period,
        shadow_first: first.flatten(),
        is_drafted: written.start == Some(Start::Manual),
        cool_down: written.cool_down.map_or(Duration::ZERO, |time| time.0),
        decide: decide(written.decide.as_ref()),
        approvals,
        watch: watch::compile(&mut scope.report, path, written.watch.as_ref(), period),
        // From the name alone, so that users keep their arms when anything else changes.
        salt: xxh3_64(written.name.as_bytes()),
    };
    provable::tell(&mut scope.report, path, &experiment);
    Some(experiment)
}

/// People can only be told apart if the admin address knows them.
fn approvals(scope: &mut Scope<'_>, path: &Path, written: Option<u32>) -> usize {
    let Some(written) = written else { return 0 };
    let admin = scope.document.admin.as_ref();
    let knows = admin.is_some_and(|admin| !admin.allow.is_empty() || admin.roles.is_some());
    if !knows {
        let message = "nobody can approve: the admin address does not know who asks";
        let remedy = "add `allow` or `roles` to `admin`, or remove `approve`";
        let path = path.field("approve");
        scope
            .report
            .error(code::NO_APPROVERS, &path, message, remedy);
    }
    let approvals = scope.report.positive(path, "approve", Some(written), 1);
    usize::try_from(approvals).unwrap_or(usize::MAX)
}

fn goals(written: Option<&Goals>) -> stats::Goals {
    match written {
        None | Some(Goals::All) => stats::Goals::All,
        Some(Goals::Any) => stats::Goals::Any,
    }
}

fn arms(scope: &mut Scope<'_>, path: &Path, written: &[document::Arm]) -> Option<Vec<Arm>> {
    if !(2..=ARMS_MAX).contains(&written.len()) {
        let message = format!(
            "an experiment compares 2 to {ARMS_MAX} arms, not {}",
            written.len()
        );
        scope.report.error(
            code::BAD_ARMS,
            path,
            message,
            "name the control first, then at least one candidate",
        );
    }
    let names = written.iter().map(|arm| &*arm.name);
    names::Directory::collect("arm", path, names, &mut scope.report);
    let mut arm = |(position, written)| arm(scope, &path.index(position), written);
    let arms: Vec<_> = written.iter().enumerate().map(&mut arm).collect();
    arms.into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|arms| (2..=ARMS_MAX).contains(&arms.len()))
}

fn arm(scope: &mut Scope<'_>, path: &Path, written: &document::Arm) -> Option<Arm> {
    let document::Arm { name, backend } = written;
    let path = path.field("backend");
    if let document::Backend::Experiment { experiment } = backend {
        let message = format!("an arm cannot be another experiment, such as {experiment}");
        scope.report.error(
            code::BAD_BACKEND,
            &path,
            message,
            "name an upstream, a model or an answer",
        );
        return None;
    }
    let target = backend::target(scope, &path, backend)?;
    Some(Arm {
        name: name.as_str().into(),
        target,
    })
}

fn unit(scope: &mut Scope<'_>, path: &Path, written: &document::Unit) -> Option<Unit> {
    match written {
        document::Unit::Claim(name) => allow::claim(scope, path, name).map(Unit::Claim),
        document::Unit::Caller => caller(scope, path),
        document::Unit::Header(name) => header(&mut scope.report, path, name).map(Unit::Header),
        document::Unit::Cookie(name) => cookie(&mut scope.report, path, name),
        document::Unit::Request => Some(Unit::Request),
    }
}

/// A header that requests may carry.
pub(super) fn header(report: &mut Report<'_>, path: &Path, name: &str) -> Option<HeaderName> {
    named(report, path, name, "header")
}

/// A cookie that requests may carry. Its name is a token, as a header's is (RFC 6265 §4.1.1).
pub(super) fn cookie(report: &mut Report<'_>, path: &Path, name: &str) -> Option<Unit> {
    named(report, path, name, "cookie").map(|_| Unit::Cookie(name.into()))
}

fn named(report: &mut Report<'_>, path: &Path, name: &str, what: &str) -> Option<HeaderName> {
    let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
    if parsed.is_none() {
        let message = format!("no {what} has that name");
        report.error(
            code::BAD_UNIT,
            path,
            message,
            "name one that requests carry",
        );
    }
    parsed
}

/// Callers stay on one arm only if they can prove who they are.
pub(super) fn caller(scope: &mut Scope<'_>, path: &Path) -> Option<Unit> {
    if scope.document.tokens.is_empty() && !allow::workloads_are_proved(scope.document) {
        let message =
            "no caller can prove who it is: there are neither tokens nor client certificates";
        let remedy = "add `tokens`, or `tls` with `clients` to a listener, or use another unit";
        scope.report.error(code::BAD_UNIT, path, message, remedy);
        return None;
    }
    Some(Unit::Caller)
}

/// How evidence has to treat a unit; one that is refused is taken for one that returns.
fn judged_unit(unit: Option<&Unit>) -> stats::Unit {
    match unit {
        Some(Unit::Request) => stats::Unit::Request,
        Some(Unit::Claim(_) | Unit::Caller | Unit::Header(_) | Unit::Cookie(_)) | None => {
            stats::Unit::Sticky
        }
    }
}

fn alpha(report: &mut Report<'_>, path: &Path, written: Option<Share>) -> f64 {
    let alpha = written.map_or(ALPHA, Share::value);
    // From one half on, a coin is a better judge.
    if alpha <= 0.0 || alpha >= 0.5 {
        let message = format!("alpha is {alpha}, want more than 0 and less than 50%");
        let path = path.field("alpha");
        report.error(code::OUT_OF_RANGE, &path, message, "5% is usual");
    }
    alpha
}

fn tick(report: &mut Report<'_>, path: &Path, written: Option<Period>) -> Duration {
    let tick = written.map_or(TICK, |time| time.0);
    if tick.subsec_nanos() != 0 || !(TICK..=TICK_MAX).contains(&tick) {
        let message = "a tick lasts 1 to 60 whole seconds";
        report.error(
            code::OUT_OF_RANGE,
            &path.field("tick"),
            message,
            "write, for example, 1s, or remove it",
        );
    }
    tick
}

fn step_minimum(written: Option<&document::StepMinimum>) -> StepMinimum {
    let Some(document::StepMinimum { observations, time }) = written else {
        return STEP_MINIMUM;
    };
    StepMinimum {
        observations: observations.unwrap_or(STEP_MINIMUM.observations),
        time: time.map_or(STEP_MINIMUM.time, |time| time.0),
    }
}

fn end(report: &mut Report<'_>, path: &Path, written: Option<&document::End>) -> End {
    let Some(document::End {
        observations,
        time,
        then,
    }) = written
    else {
        return End::default();
    };
    match then {
        None | Some(document::Then::KeepControl) => {}
    }
    let path = path.field("end");
    End {
        observations: observations
            .map(|count| report.positive(&path, "observations", Some(count), 1)),
        time: time.map(|time| report.positive(&path, "time", Some(time.0), TICK)),
    }
}

fn decide(written: Option<&document::Decide>) -> Decide {
    match written {
        None | Some(document::Decide::Automatic) => Decide::Automatic,
        Some(document::Decide::Advise) => Decide::Advise,
    }
}

/// Names what is being compared: the experiment as written, and the very model files behind it.
fn definition(document: &document::Document, written: &document::Experiment, arms: &[Arm]) -> u128 {
    #[derive(Serialize)]
    struct Definition<'a> {
        experiment: document::Experiment,
        models: Vec<Option<[&'a str; 3]>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        of_cascades: Vec<Option<[&'a str; 3]>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        around: Vec<Around<'a>>,
    }
    fn model<'a>(document: &'a document::Document, target: &Target) -> Option<[&'a str; 3]> {
        let Target::Model(id) = *target else {
            return None;
        };
        let model = document.models.get(id.index())?;
        Some([&model.name, super::model::version(model), &model.sha256])
    }
    let models = arms.iter().map(|arm| model(document, &arm.target));
    let steps = arms.iter().flat_map(|arm| match &arm.target {
        Target::Cascade(cascade) => cascade.steps.as_slice(),
        _ => &[],
    });
    canonical::hash(&Definition {
        // How long and how strictly a decided run is watched decides nothing.
        experiment: document::Experiment {
            watch: None,
            ..written.clone()
        },
        models: models.collect(),
        of_cascades: steps
            .clone()
            .map(|step| model(document, &step.target))
            .collect(),
        around: arms
            .iter()
            .map(|arm| &arm.target)
            .chain(steps.map(|step| &step.target))
            .filter_map(|target| around(document, target))
            .collect(),
    })
}

/// What stands around a model's file and decides what it answers, too.
#[derive(Serialize)]
struct Around<'a> {
    model: usize,
    tokenizer: Option<(&'a str, Option<u32>)>,
    embedding: &'a Option<document::Embedding>,
    labels: &'a Option<document::Labels>,
    scores: &'a Option<document::Scores>,
}

/// None if nothing does.
fn around<'a>(document: &'a document::Document, target: &Target) -> Option<Around<'a>> {
    let Target::Model(id) = *target else {
        return None;
    };
    let document::Model {
        tokenizer,
        embedding,
        labels,
        scores,
        ..
    } = document.models.get(id.index())?;
    let is_bare =
        tokenizer.is_none() && embedding.is_none() && labels.is_none() && scores.is_none();
    (!is_bare).then(|| Around {
        model: id.index(),
        tokenizer: tokenizer.as_ref().map(|it| (&*it.sha256, it.max_tokens)),
        embedding,
        labels,
        scores,
    })
}

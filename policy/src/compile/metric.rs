//! Metrics: what is observed, how it is compared, and whether that fits together.

mod kind;
mod unsound;

use std::time::Duration;

use config::document::{self, Source};
use config::{Path, code};
use stats::{Better, Margin, Role};

use super::{Report, names};
use crate::{Beside, Observe, Pointer};

/// How long a request is waited for unless the document says otherwise.
const WINDOW: Duration = Duration::from_secs(60);

/// The metrics of an experiment.
pub(super) struct Metrics {
    /// As they are judged.
    pub(super) design: Vec<stats::Metric>,
    /// What each of them observes.
    pub(super) observations: Vec<Observe>,
    /// Where in answers they look.
    pub(super) pointers: Vec<Box<str>>,
    /// What stands beside it.
    pub(super) beside: Vec<Option<Beside>>,
    /// How long each of them waits.
    pub(super) windows: Vec<Duration>,
    /// Where each of them cuts off.
    pub(super) caps: Vec<Option<f64>>,
}

/// Compiles the metrics of one experiment.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &[document::Metric],
    unit: stats::Unit,
) -> Option<Metrics> {
    names::Directory::collect(
        "metric",
        path,
        written.iter().map(|metric| &*metric.name),
        report,
    );
    let plays = |role: document::Role| written.iter().any(|metric| metric.role == role);
    if !plays(document::Role::Goal) {
        let message = "without a goal nothing can be promoted";
        report.error(code::NO_GOAL, path, message, "give one metric `role: goal`");
    }
    if !plays(document::Role::Guardrail) {
        let message = "without a guardrail only the goals can stop a candidate";
        let remedy = "add one, for example for `source: failed` with `margin: { odds: 1.5 }`";
        report.warning(code::NO_GUARDRAIL, path, message, remedy);
    }
    let pointers = pointers(written);
    let metric = |position| metric(report, path, (written, &pointers), position, unit);
    let metrics: Vec<_> = (0..written.len()).map(metric).collect();
    let metrics = metrics.into_iter().collect::<Option<Vec<_>>>()?;
    Some(Metrics {
        observations: metrics.iter().map(|metric| metric.observe).collect(),
        pointers,
        beside: metrics.iter().map(|metric| metric.beside).collect(),
        windows: metrics.iter().map(|metric| metric.window).collect(),
        caps: metrics.iter().map(|metric| metric.cap).collect(),
        design: metrics.into_iter().map(|metric| metric.judged).collect(),
    })
}

/// One metric.
struct Compiled {
    judged: stats::Metric,
    observe: Observe,
    beside: Option<Beside>,
    window: Duration,
    cap: Option<f64>,
}

fn metric(
    report: &mut Report<'_>,
    path: &Path,
    (all, pointers): (&[document::Metric], &[Box<str>]),
    position: usize,
    unit: stats::Unit,
) -> Option<Compiled> {
    let (path, written) = (&path.index(position), all.get(position)?);
    let document::Metric {
        name,
        kind: _,
        source,
        better,
        role,
        quantile: _,
        per: _,
        covariate: _,
        margin,
        scale: _,
        critical,
        slo: _,
        window: _,
        maturation: _,
        winsorize: _,
        worth,
    } = written;
    let window = patience(report, path, all, written);
    let cap = cap(report, path, written);
    let observe = observe(report, &path.field("source"), (all, pointers), source);
    let kind = observe.and_then(|observe| kind::compile(report, path, written, observe));
    let (kind, observe) = (kind?, observe?);
    let margin = margin.as_ref().map(self::margin);
    let metric = stats::Metric {
        name: name.clone(),
        kind,
        better: match better {
            document::Better::Higher => Better::Higher,
            document::Better::Lower => Better::Lower,
        },
        role: match role {
            document::Role::Goal => Role::Goal,
            document::Role::Guardrail => Role::Guardrail,
        },
        margin,
        critical: critical.unwrap_or_default(),
        worth: *worth,
    };
    misplaced(report, path, &metric);
    if unit == stats::Unit::Sticky
        && matches!(observe, Observe::Missing { .. })
        && matches!(metric.margin, Some(Margin::AtMost(_)))
    {
        let message =
            "a ceiling holds units' first requests, and what is missing is counted in advance";
        let remedy = "use `odds`, or `unit: request`";
        report.error(code::BAD_MARGIN, &path.field("margin"), message, remedy);
    }
    unsound::tell(report, path, &metric, unit);
    Some(Compiled {
        judged: metric,
        observe,
        beside: kind::beside(written),
        window,
        cap,
    })
}

/// How long a metric waits: its window, or for feedback, or the lack of it, how long that may take.
fn patience(
    report: &mut Report<'_>,
    path: &Path,
    all: &[document::Metric],
    written: &document::Metric,
) -> Duration {
    if let Source::Missing(of) = &written.source {
        return patience_for(report, path, all, written, of);
    }
    let mut refuse = |message: &str, remedy: &str| {
        report.error(code::BAD_METRIC, &path.field("maturation"), message, remedy);
    };
    if let Some(maturation) = &written.maturation {
        if written.source != Source::Feedback {
            let message =
                "only feedback matures: what Wald observes itself is there when the answer is";
            refuse(message, "use `window`, or remove it");
        } else if written.window.is_some() {
            let message = "`maturation` and `window` both say how long feedback is waited for";
            refuse(message, "keep one of them");
        }
        return report.positive(path, "maturation", Some(maturation.0), WINDOW);
    }
    let window = written.window.as_ref().map(|time| time.0);
    report.positive(path, "window", window, WINDOW)
}

/// What is missing is known when the feedback would no longer count.
fn patience_for(
    report: &mut Report<'_>,
    path: &Path,
    all: &[document::Metric],
    written: &document::Metric,
    of: &str,
) -> Duration {
    let (window, maturation) = (written.window.is_some(), written.maturation.is_some());
    for (field, _) in [("window", window), ("maturation", maturation)]
        .into_iter()
        .filter(|(_, used)| *used)
    {
        let message = format!("feedback is missing when `{of}` has waited for it");
        report.error(code::BAD_METRIC, &path.field(field), message, "remove it");
    }
    let named = all.iter().find(|metric| metric.name == of);
    let waits = named.and_then(|metric| metric.maturation.as_ref().or(metric.window.as_ref()));
    waits.map_or(WINDOW, |time| time.0)
}

/// Where a mean cuts off, which is fixed before the start: another cap is another definition.
fn cap(report: &mut Report<'_>, path: &Path, written: &document::Metric) -> Option<f64> {
    let cap = written.winsorize?;
    let path = path.field("winsorize");
    if written.kind != document::MetricKind::Mean {
        let message = "only a mean is carried by its largest values";
        report.error(code::BAD_METRIC, &path, message, "remove it");
    } else if !(cap > 0.0 && cap.is_finite()) {
        let message = "values are cut off above this, so it is more than 0";
        report.error(
            code::OUT_OF_RANGE,
            &path,
            message,
            "write, for example, 100",
        );
    }
    Some(cap)
}

fn observe(
    report: &mut Report<'_>,
    path: &Path,
    (all, pointers): (&[document::Metric], &[Box<str>]),
    written: &Source,
) -> Option<Observe> {
    Some(match written {
        Source::Failed => Observe::Failed,
        Source::Escalated => Observe::Escalated,
        Source::Duration => Observe::Duration,
        Source::FirstByte => Observe::FirstByte,
        Source::Feedback => Observe::Feedback,
        Source::Missing(of) => return missing(report, path, all, of),
        Source::Tokens => Observe::Tokens,
        Source::Cost => Observe::Cost,
        Source::ResponseBytes => Observe::ResponseBytes,
        Source::Response(pointer) => {
            if Pointer::parse(pointer).is_none() {
                let message = format!("{pointer:?} is no JSON pointer");
                let remedy = "write, for example, { response: /outputs/0/data/0 }";
                report.error(code::BAD_METRIC, &path.field("response"), message, remedy);
                return None;
            }
            Observe::Said(pointers.iter().position(|it| **it == **pointer)?)
        }
    })
}

/// Where in answers the metrics look, each place once.
fn pointers(written: &[document::Metric]) -> Vec<Box<str>> {
    let mut pointers: Vec<Box<str>> = Vec::new();
    for metric in written {
        if let Source::Response(pointer) = &metric.source
            && !pointers.iter().any(|known| **known == **pointer)
        {
            pointers.push(pointer.as_str().into());
        }
    }
    pointers
}

fn missing(
    report: &mut Report<'_>,
    path: &Path,
    all: &[document::Metric],
    of: &str,
) -> Option<Observe> {
    let fed = |metric: &document::Metric| metric.source == Source::Feedback;
    if let Some(of) = all
        .iter()
        .position(|metric| metric.name == of && fed(metric))
    {
        return Some(Observe::Missing { of });
    }
    let message = format!("no metric `{of}` with `source: feedback`, which could be missing");
    let names = all.iter().filter(|metric| fed(metric));
    let remedy = match names.map(|metric| &*metric.name).collect::<Vec<_>>() {
        names if names.is_empty() => "remove it, or add a feedback metric".to_owned(),
        names => format!("name one of: {}", names.join(", ")),
    };
    report.error(code::BAD_METRIC, &path.field("missing"), message, remedy);
    None
}

fn margin(written: &document::Margin) -> Margin {
    match *written {
        document::Margin::Odds(factor) => Margin::Odds(factor),
        document::Margin::Relative(part) => Margin::Relative(part.0),
        document::Margin::Absolute(difference) => Margin::Absolute(difference),
        document::Margin::AtMost(limit) => Margin::AtMost(limit.value()),
    }
}

/// Refuses what the metric's role would leave without effect.
fn misplaced(report: &mut Report<'_>, path: &Path, metric: &stats::Metric) {
    let stats::Metric {
        name: _,
        kind: _,
        better: _,
        role,
        margin,
        critical,
        worth,
    } = metric;
    let mut refuse = |used: bool, field: &str, message: &str, remedy: &str| {
        if used {
            report.error(code::BAD_METRIC, &path.field(field), message, remedy);
        }
    };
    match role {
        Role::Goal => {
            let remedy = "remove it, or use `role: guardrail`";
            refuse(
                margin.is_some(),
                "margin",
                "a goal has no margin: the candidate must be better",
                remedy,
            );
            refuse(
                *critical,
                "critical",
                "any harm to a goal rolls back, `critical` or not",
                remedy,
            );
        }
        Role::Guardrail => {
            let remedy = "remove it, or use `role: goal`";
            refuse(
                worth.is_some(),
                "worth",
                "a guardrail need not improve, so no improvement has worth",
                remedy,
            );
        }
    }
}

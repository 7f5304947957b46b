//! Metrics: what is observed, how it is compared, and whether that fits together.

use std::time::Duration;

use config::document::{self, MetricKind, Source};
use config::{Path, code};
use stats::{Better, Kind, Margin, Problem, Role, Scale};

use super::{Report, names};
use crate::Observe;

/// How long a request is waited for unless the document says otherwise.
const WINDOW: Duration = Duration::from_secs(60);

/// The metrics of an experiment.
pub(super) struct Metrics {
    /// As they are judged.
    pub(super) design: Vec<stats::Metric>,
    /// What each of them observes.
    pub(super) observations: Vec<Observe>,
    /// The longest time that one of them waits.
    pub(super) window: Duration,
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
    let metric = |(position, written)| metric(report, &path.index(position), written, unit);
    let metrics: Vec<_> = written.iter().enumerate().map(metric).collect();
    let metrics = metrics.into_iter().collect::<Option<Vec<_>>>()?;
    let window = metrics
        .iter()
        .map(|(_, _, window)| *window)
        .max()
        .unwrap_or(WINDOW);
    let (design, observations) = metrics
        .into_iter()
        .map(|(metric, observe, _)| (metric, observe))
        .unzip();
    Some(Metrics {
        design,
        observations,
        window,
    })
}

fn metric(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    unit: stats::Unit,
) -> Option<(stats::Metric, Observe, Duration)> {
    let document::Metric {
        name,
        kind,
        source,
        better,
        role,
        quantile,
        margin,
        scale,
        critical,
        slo,
        window,
        maturation,
        winsorize,
        worth,
    } = written;
    report.not_built(path, "quantile", quantile.is_some());
    report.not_built(path, "slo", slo.is_some());
    report.not_built(path, "maturation", maturation.is_some());
    report.not_built(path, "winsorize", winsorize.is_some());
    let window = report.positive(path, "window", window.map(|time| time.0), WINDOW);
    let observe = observe(report, &path.field("source"), source);
    let kind = self::kind(report, path, kind, scale.as_ref(), observe);
    let (kind, observe) = (kind?, observe?);
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
        margin: margin.as_ref().map(self::margin),
        critical: critical.unwrap_or_default(),
        worth: *worth,
    };
    misplaced(report, path, &metric);
    unsound(report, path, &metric, unit);
    Some((metric, observe, window))
}

fn observe(report: &mut Report<'_>, path: &Path, written: &Source) -> Option<Observe> {
    let what = match written {
        Source::Failed => return Some(Observe::Failed),
        Source::Duration => return Some(Observe::Duration),
        Source::FirstByte => return Some(Observe::FirstByte),
        Source::Feedback => return Some(Observe::Feedback),
        Source::Tokens => "`tokens` as a source",
        Source::ResponseBytes => "`response_bytes` as a source",
        Source::Response(_) => "`response` as a source",
    };
    report.not_built_value(path, what);
    None
}

/// How the observations are compared, if that makes sense for what is observed.
fn kind(
    report: &mut Report<'_>,
    path: &Path,
    written: &MetricKind,
    scale: Option<&document::Scale>,
    observe: Option<Observe>,
) -> Option<Kind> {
    let place = path.field("kind");
    let what = match written {
        MetricKind::Proportion => return proportion(report, path, scale, observe),
        MetricKind::Mean => return mean(report, path, scale, observe),
        MetricKind::Distribution => "the kind `distribution`",
        MetricKind::Quantile => "the kind `quantile`",
        MetricKind::Ratio => "the kind `ratio`",
        MetricKind::Count => "the kind `count`",
    };
    report.not_built_value(&place, what);
    None
}

fn proportion(
    report: &mut Report<'_>,
    path: &Path,
    scale: Option<&document::Scale>,
    observe: Option<Observe>,
) -> Option<Kind> {
    if scale.is_some() {
        let message = "a proportion has no scale: odds are compared";
        report.error(code::BAD_METRIC, &path.field("scale"), message, "remove it");
    }
    if matches!(observe, Some(Observe::Duration | Observe::FirstByte)) {
        let message = "a time is no proportion";
        report.error(
            code::BAD_METRIC,
            &path.field("kind"),
            message,
            "use `kind: mean`",
        );
        return None;
    }
    Some(Kind::Proportion)
}

fn mean(
    report: &mut Report<'_>,
    path: &Path,
    scale: Option<&document::Scale>,
    observe: Option<Observe>,
) -> Option<Kind> {
    let times = matches!(observe, Some(Observe::Duration | Observe::FirstByte));
    if observe == Some(Observe::Failed) {
        let message = "the mean of failed or not is a proportion";
        report.error(
            code::BAD_METRIC,
            &path.field("kind"),
            message,
            "use `kind: proportion`",
        );
        return None;
    }
    let scale = match scale {
        Some(document::Scale::Log) => Scale::Log,
        Some(document::Scale::Linear) => Scale::Linear,
        None if times => Scale::Log,
        None => Scale::Linear,
    };
    Some(Kind::Mean { scale })
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

/// Reports why the metric could not be judged soundly, which `stats` knows.
fn unsound(report: &mut Report<'_>, path: &Path, metric: &stats::Metric, unit: stats::Unit) {
    // Alone in an otherwise sound design, so that every problem is the metric's.
    let design = stats::Design {
        arms: 2,
        unit,
        metrics: vec![metric.clone()],
        alpha: super::experiment::ALPHA,
        end: None,
    };
    for problem in design.problems() {
        let (code, field, remedy) = match problem {
            Problem::NoMargin { .. } => (
                code::BAD_MARGIN,
                "margin",
                "say how much worse it may be, such as { odds: 1.5 }",
            ),
            Problem::MarginOfMean { .. } => (
                code::BAD_MARGIN,
                "margin",
                "write, for example, { relative: 10% }",
            ),
            Problem::AbsoluteOnLog { .. } => (
                code::BAD_MARGIN,
                "margin",
                "use { relative: 10% }, or `scale: linear`",
            ),
            Problem::MarginRange { .. } => (
                code::BAD_MARGIN,
                "margin",
                "write, for example, { odds: 1.5 } or { relative: 10% }",
            ),
            Problem::CeilingOfSticky { .. } => {
                (code::NOT_BUILT, "margin", "change the margin or the unit")
            }
            Problem::Worth { .. } => (
                code::OUT_OF_RANGE,
                "worth",
                "write the smallest improvement worth having",
            ),
            Problem::Arms { .. } | Problem::NoMetric | Problem::Alpha { .. } => continue,
        };
        report.error(code, &path.field(field), problem.to_string(), remedy);
    }
}

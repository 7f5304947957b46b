//! What `stats` has against a metric, with the place to mend it.

use config::{Code, Path, code};
use stats::Problem;

use super::super::{Report, experiment};

/// Reports why the metric could not be judged soundly.
pub(super) fn tell(
    report: &mut Report<'_>,
    path: &Path,
    metric: &stats::Metric,
    unit: stats::Unit,
) {
    // Alone in an otherwise sound design, so that every problem is the metric's.
    let design = stats::Design {
        arms: 2,
        unit,
        metrics: vec![metric.clone()],
        alpha: experiment::ALPHA,
        end: None,
        goals: stats::Goals::All,
    };
    for problem in design.problems() {
        if let Some((code, field, remedy)) = remedy(&problem) {
            report.error(code, &path.field(field), problem.to_string(), remedy);
        }
    }
}

/// The code of a problem, the field to change, and how; none of those that are not the metric's.
fn remedy(problem: &Problem) -> Option<(Code, &'static str, &'static str)> {
    Some(match problem {
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
        Problem::MarginOfQuantile { .. } | Problem::MarginOfRatio { .. } => (
            code::BAD_MARGIN,
            "margin",
            "write, for example, { relative: 25% }",
        ),
        Problem::QuantileRange { .. } => {
            (code::OUT_OF_RANGE, "quantile", "write, for example, 0.99")
        }
        Problem::Limit { .. } => (code::OUT_OF_RANGE, "slo", "write, for example, 250ms"),
        Problem::CriticalQuantile { .. } => (
            code::BAD_METRIC,
            "critical",
            "remove it, give an `slo`, or use a margin of `odds`",
        ),
        Problem::DistributionOfSticky { .. } => (
            code::BAD_METRIC,
            "kind",
            "use `kind: mean`, or `unit: request`",
        ),
        Problem::DistributionAsGoal { .. } => (
            code::BAD_METRIC,
            "role",
            "use `role: guardrail`, and make a mean or a quantile the goal",
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
        Problem::Worth { .. } => (
            code::OUT_OF_RANGE,
            "worth",
            "write the smallest improvement worth having",
        ),
        Problem::Arms { .. } | Problem::NoMetric | Problem::Alpha { .. } => return None,
    })
}

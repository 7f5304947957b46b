//! What of the observations is compared, and whether the fields beside the kind belong to it.

use config::document::{self, Covariate, MetricKind, Per};
use config::{Path, code};
use stats::{Kind, Scale};

use super::super::Report;
use crate::{Beside, Observe};

/// How the observations are compared, if that makes sense for what is observed.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    if matches!(observe, Observe::Missing { .. }) && written.kind != MetricKind::Proportion {
        let message = "feedback is missing or not";
        refuse(report, path, "kind", message, "use `kind: proportion`");
        return None;
    }
    let kind = match written.kind {
        MetricKind::Proportion => proportion(report, path, written, observe),
        MetricKind::Mean => mean(report, path, written, observe),
        MetricKind::Distribution => of_numbers(report, path, observe).map(|()| Kind::Distribution),
        MetricKind::Quantile => quantile(report, path, written, observe),
        MetricKind::Ratio => ratio(report, path, written, observe),
        MetricKind::Count => count(report, path, observe),
    };
    stray(report, path, written);
    kind
}

/// The number beside each observation, which ratios and covariates need.
pub(super) fn beside(written: &document::Metric) -> Option<Beside> {
    match (&written.kind, &written.per, &written.covariate) {
        (MetricKind::Ratio, Some(Per::RequestBytes), _) => Some(Beside::RequestBytes),
        (MetricKind::Ratio, Some(Per::Duration), _) => Some(Beside::Duration),
        (MetricKind::Ratio, Some(Per::FirstByte), _) => Some(Beside::FirstByte),
        (MetricKind::Mean, _, Some(Covariate::RequestBytes)) => Some(Beside::KnownBytes),
        _ => None,
    }
}

fn is_time(observe: Observe) -> bool {
    matches!(observe, Observe::Duration | Observe::FirstByte)
}

fn is_size(observe: Observe) -> bool {
    matches!(
        observe,
        Observe::ResponseBytes | Observe::Tokens | Observe::Cost
    )
}

fn refuse(report: &mut Report<'_>, path: &Path, field: &str, message: &str, remedy: &str) {
    report.error(code::BAD_METRIC, &path.field(field), message, remedy);
}

fn proportion(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    if written.slo.is_some() {
        return exceedance(report, path, written, observe);
    }
    if is_time(observe) {
        let remedy = "give an `slo` to count how often it is exceeded, or use `kind: mean`";
        refuse(report, path, "kind", "a time is no proportion", remedy);
        return None;
    }
    if is_size(observe) {
        let message = "a size is no proportion";
        refuse(report, path, "kind", message, "use `kind: mean`");
        return None;
    }
    Some(Kind::Proportion)
}

/// How often an SLO is exceeded, which only times have.
fn exceedance(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    if !is_time(observe) {
        let message = "an `slo` is a time, and this source is none";
        let remedy = "use `source: duration` or `source: first_byte`";
        refuse(report, path, "slo", message, remedy);
        return None;
    }
    if written.better == document::Better::Higher {
        let message = "exceeding an `slo` more often is never better";
        refuse(report, path, "better", message, "write `better: lower`");
        return None;
    }
    let limit = written.slo?.0.as_secs_f64();
    Some(Kind::Exceedance { limit })
}

fn mean(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    if matches!(observe, Observe::Failed | Observe::Escalated) {
        let message = "the mean of what is either so or not is a proportion";
        refuse(report, path, "kind", message, "use `kind: proportion`");
        return None;
    }
    let scale = match written.scale {
        Some(document::Scale::Log) => Scale::Log,
        Some(document::Scale::Linear) => Scale::Linear,
        None if is_time(observe) => Scale::Log,
        None => Scale::Linear,
    };
    if scale == Scale::Log && is_size(observe) {
        let message = "an answer may be empty, and nought has no logarithm";
        refuse(report, path, "scale", message, "use `scale: linear`");
        return None;
    }
    let lost = match observe {
        Observe::Feedback => Some(
            "what clients report may be nought, which has no logarithm: such reports are refused, and with \
             them whatever they have to say",
        ),
        Observe::Said(_) => Some(
            "what answers say may be nought, which has no logarithm: such answers are not counted",
        ),
        _ => None,
    };
    if let Some(message) = lost.filter(|_| scale == Scale::Log) {
        let remedy = "use `scale: linear`, unless every value is positive";
        report.warning(code::ZEROS_ON_LOG, &path.field("scale"), message, remedy);
    }
    if written.covariate.is_none() {
        return Some(Kind::Mean { scale });
    }
    if observe == Observe::Feedback {
        let message = "feedback comes without its request, so no covariate is known";
        refuse(report, path, "covariate", message, "remove it");
        return None;
    }
    Some(Kind::Adjusted { scale })
}

fn quantile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    if written.slo.is_some() {
        return exceedance(report, path, written, observe);
    }
    of_numbers(report, path, observe)?;
    let Some(at) = written.quantile else {
        let remedy = "write, for example, `quantile: 0.99`, or an `slo`";
        refuse(
            report,
            path,
            "quantile",
            "which quantile is not said",
            remedy,
        );
        return None;
    };
    Some(Kind::Quantile { at })
}

fn ratio(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Metric,
    observe: Observe,
) -> Option<Kind> {
    let per_requests = matches!(written.per, None | Some(Per::Requests));
    if observe == Observe::Feedback && !per_requests {
        let message = "feedback comes without its request, so nothing else is known of it";
        refuse(report, path, "per", message, "use `per: requests`");
        return None;
    }
    if written.scale.is_some() {
        let message = "a ratio has no scale: the ratios of sums are compared";
        refuse(report, path, "scale", message, "remove it");
    }
    Some(Kind::Ratio)
}

fn count(report: &mut Report<'_>, path: &Path, observe: Observe) -> Option<Kind> {
    if is_time(observe) || is_size(observe) {
        let message = "a time or a size is no count of rare events";
        refuse(
            report,
            path,
            "kind",
            message,
            "use `kind: mean`, or `ratio`",
        );
        return None;
    }
    Some(Kind::Count)
}

/// Refuses outcomes that have two values, of which no quantile says anything.
fn of_numbers(report: &mut Report<'_>, path: &Path, observe: Observe) -> Option<()> {
    if matches!(observe, Observe::Failed | Observe::Escalated) {
        let message = "what is either so or not has no distribution but its rate";
        refuse(report, path, "kind", message, "use `kind: proportion`");
        return None;
    }
    Some(())
}

/// Refuses fields that the kind would ignore.
fn stray(report: &mut Report<'_>, path: &Path, written: &document::Metric) {
    let document::Metric {
        kind,
        quantile,
        slo,
        scale,
        per,
        covariate,
        ..
    } = written;
    let is = |kinds: &[MetricKind]| kinds.contains(kind);
    let quantiles = is(&[MetricKind::Quantile]);
    let rates = is(&[MetricKind::Quantile, MetricKind::Proportion]);
    let means = is(&[MetricKind::Mean]);
    // A ratio tells by itself why it has no scale.
    let scaled = means || is(&[MetricKind::Ratio]);
    for (used, belongs, field, message) in [
        (
            quantile.is_some(),
            quantiles,
            "quantile",
            "only `kind: quantile` has a quantile",
        ),
        (
            slo.is_some(),
            rates,
            "slo",
            "only quantiles and proportions are held against an `slo`",
        ),
        (scale.is_some(), scaled, "scale", "only means have a scale"),
        (
            per.is_some(),
            is(&[MetricKind::Ratio]),
            "per",
            "only `kind: ratio` is per something",
        ),
        (
            covariate.is_some(),
            means,
            "covariate",
            "only means are adjusted by a covariate",
        ),
    ] {
        if used && !belongs {
            refuse(report, path, field, message, "remove it");
        }
    }
}

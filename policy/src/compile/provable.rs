//! Whether an experiment lasts long enough to prove its margins at all.
//!
//! What a service is like is not in a document, so what is usual stands in for it: one request in a
//! hundred fails, and durations scatter by a factor of e^½. The warning says so.

use config::{Path, code};
use stats::Typical;

use super::Report;
use crate::Experiment;

/// How often requests fail or exceed an SLO, usually and in good hands, and how far logarithms of
/// durations scatter.
const RATE: f64 = 0.01;
const RATE_OF_THE_BEST: f64 = 0.001;
const SPREAD: f64 = 0.5;

/// Warns of every margin that arms alike would not prove before the end.
pub(super) fn tell(report: &mut Report<'_>, path: &Path, experiment: &Experiment) {
    let design = &experiment.design;
    let Some(end) = design.end else { return };
    let share = experiment.ramp.last().map_or(0.0, |share| share.value());
    let control = 1.0 - share * f64::from(experiment.candidates());
    let compared = control + share;
    if control <= 0.0 || share <= 0.0 {
        return;
    }
    for (position, metric) in design.metrics.iter().enumerate() {
        let needed = |rate| {
            let typical = Typical {
                rate,
                spread: SPREAD,
                share: share / compared,
            };
            let of_both =
                metric.observations_to_prove(design.unit, design.alpha_each(), typical)?;
            Some(rounded(of_both as f64 / compared))
        };
        let (Some(usual), Some(best)) = (needed(RATE), needed(RATE_OF_THE_BEST)) else {
            continue;
        };
        if usual > end {
            let message = if usual == best {
                format!(
                    "proving this margin for equal arms takes about {usual} observations, the end comes after {end}"
                )
            } else {
                format!(
                    "proving this margin for equal arms takes about {usual} observations at a rate of 1% and {best} at 0.1%, the end comes after {end}"
                )
            };
            let margin = path.field("metrics").index(position).field("margin");
            let remedy = "widen the margin, end later, or ramp to a larger share";
            report.warning(code::UNPROVABLE, &margin, message, remedy);
        }
    }
}

/// To two digits: it is an estimate.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive, and saturating"
)]
fn rounded(count: f64) -> u64 {
    let unit = 10_f64.powf((count.log10().floor() - 1.0).max(0.0));
    ((count / unit).round() * unit) as u64
}

//! Whether anything worth having may still be found.

use crate::{
    design::{Better, Goals, Role},
    interval::{Effect, Interval},
    ledger::Ledger,
    report::Estimate,
    trial::Trial,
};

use super::{Finding, Reason};

/// The reason to give up, once every candidate has a goal whose interval excludes the smallest effect
/// worth having: all goals are needed, so one is enough. Where any goal suffices, all must be hopeless.
pub(super) fn none_left(ledger: &Ledger) -> Option<Reason> {
    let arms = 1..ledger.design().arms;
    let findings: Option<Vec<Vec<Finding>>> = arms.map(|arm| hopeless(ledger, arm)).collect();
    let findings: Vec<Finding> = findings?.into_iter().flatten().collect();
    (!findings.is_empty()).then_some(Reason::NotWorth { findings })
}

fn hopeless(ledger: &Ledger, arm: usize) -> Option<Vec<Finding>> {
    let pairs = ledger.measured().iter().zip(&ledger.design().metrics);
    let mut findings =
        pairs
            .filter(|(_, metric)| metric.role == Role::Goal)
            .map(|(measured, metric)| {
                let trial: &Trial = measured.trials.get(arm - 1)?;
                let worth = metric.worth?;
                let interval = trial.interval(metric, ledger.design().unit, &measured.epochs)?;
                let effect = Effect::of(metric, ledger.design().unit);
                let control = Estimate::of(metric, &measured.epochs, arm).control?;
                let smallest = smallest(metric.better, effect, worth, control);
                excludes(metric.better, interval, smallest).then(|| Finding {
                    arm,
                    metric: metric.name.clone(),
                    effect,
                    interval,
                    smallest,
                })
            });
    match ledger.design().goals {
        Goals::All => findings
            .find_map(|finding| finding)
            .map(|found| vec![found]),
        Goals::Any => findings.collect(),
    }
}

fn excludes(better: Better, interval: Interval, smallest: f64) -> bool {
    match better {
        Better::Higher => interval.high < smallest,
        Better::Lower => interval.low > smallest,
    }
}

/// The smallest effect worth having, on the scale of the interval. For odds the control's estimated
/// rate stands in for its true one: nothing is promoted on it.
fn smallest(better: Better, effect: Effect, worth: f64, control: f64) -> f64 {
    let gain = better.side().sign() * worth;
    match effect {
        Effect::Difference | Effect::ExceedanceDifference | Effect::None => gain,
        Effect::Ratio | Effect::RateRatio | Effect::QuantileRatio => 1.0 + gain,
        Effect::OddsRatio => odds(control + gain) / odds(control),
    }
}

fn odds(rate: f64) -> f64 {
    let rate = rate.clamp(1e-12, 1.0 - 1e-12);
    rate / (1.0 - rate)
}

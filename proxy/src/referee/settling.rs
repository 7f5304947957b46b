//! Which runs a document has: those that the store knows go on if they decide the same, others begin.

use policy::{Experiment, Policy, Stage, State};

use super::ruling::{cools, opening};
use super::run::{Run, encode, other_caps};
use super::series::Series;
use super::{Adopted, millis};
use crate::store::{RunRecord, StoreError, Transaction};

/// Finds or begins the run of every experiment of a document. `current` are the runs in force by name and
/// definition.
pub(super) fn settle(
    tx: &mut Transaction<'_>,
    policy: &Policy,
    current: Vec<(String, String)>,
    now_ms: u64,
) -> Result<(Vec<Run>, Adopted), StoreError> {
    let mut adopted = Adopted::default();
    let mut runs = Vec::with_capacity(policy.experiments().len());
    for experiment in policy.experiments() {
        let (run, is_new) = settle_one(tx, experiment, now_ms)?;
        let names = if is_new {
            &mut adopted.started
        } else {
            &mut adopted.kept
        };
        names.push(experiment.name.to_string());
        runs.push(run);
    }
    adopted.removed = current
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| policy.experiment(name).is_none())
        .collect();
    Ok((runs, adopted))
}

fn settle_one(
    tx: &mut Transaction<'_>,
    experiment: &Experiment,
    now_ms: u64,
) -> Result<(Run, bool), StoreError> {
    let kept = tx.run(&experiment.name)?;
    let number = kept.as_ref().map_or(1, |(record, ..)| record.run + 1);
    let held_until_ms = kept
        .as_ref()
        .and_then(|(record, ..)| cooling(record, experiment, now_ms));
    let mut why = match kept {
        None => "the experiment is new".to_owned(),
        Some((record, ledger, seen)) if record.decides(experiment.definition) => {
            if let Some(mut run) =
                Run::resume(experiment, record, &ledger.unwrap_or_default(), seen)
            {
                run.series = Series::read(&tx.series(&experiment.name)?);
                return Ok((run, false));
            }
            "the evidence of the run before cannot be read by this release".to_owned()
        }
        Some((record, ..)) => other_caps(&record, experiment)
            .unwrap_or_else(|| "what the experiment decides has changed".to_owned()),
    };
    let mut run = Run::begin(experiment, number, now_ms);
    if let Some(until_ms) = held_until_ms {
        run.record.set_stage(Stage::draft(number));
        run.record.held_until_ms = held_until_ms;
        why = format!("{why}; the run before was rolled back: {}", cools(until_ms));
    }
    let event = opening(&mut run, &why, now_ms);
    tx.put_run(&experiment.name, &run.record)?;
    tx.put_ledger(&experiment.name, &encode(&run.ledger))?;
    tx.put_seen(&experiment.name, &[], u64::MAX)?;
    tx.put_series(&experiment.name, &[])?;
    tx.append(event)?;
    Ok((run, true))
}

/// Until when an experiment has to wait after its last run; none if it may begin.
fn cooling(record: &RunRecord, experiment: &Experiment, now_ms: u64) -> Option<u64> {
    if record.stage().state() != State::RolledBack || experiment.is_drafted {
        return None;
    }
    let back = record.history.iter().rfind(|it| it.kind == "rolled_back")?;
    let at: jiff::Timestamp = back.time.parse().ok()?;
    let until_ms = u64::try_from(at.as_millisecond()).ok()? + millis(experiment.cool_down);
    (now_ms < until_ms).then_some(until_ms)
}

#[cfg(test)]
mod tests;

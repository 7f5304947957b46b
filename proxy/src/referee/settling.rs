//! Which runs a document has: those that the store knows go on if they decide the same, others begin.

use policy::{Experiment, Policy};

use super::Adopted;
use super::ruling::opening;
use super::run::{Run, encode, other_caps};
use crate::store::{StoreError, Transaction};

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
    let why = match kept {
        None => "the experiment is new".to_owned(),
        Some((record, ledger, seen)) if record.decides(experiment.definition) => {
            if let Some(run) = Run::resume(experiment, record, &ledger.unwrap_or_default(), seen) {
                return Ok((run, false));
            }
            "the evidence of the run before cannot be read by this release".to_owned()
        }
        Some((record, ..)) => other_caps(&record, experiment)
            .unwrap_or_else(|| "what the experiment decides has changed".to_owned()),
    };
    let mut run = Run::begin(experiment, number, now_ms);
    let event = opening(&mut run, &why, now_ms);
    tx.put_run(&experiment.name, &run.record)?;
    tx.put_ledger(&experiment.name, &encode(&run.ledger))?;
    tx.put_seen(&experiment.name, &[], u64::MAX)?;
    tx.append(event)?;
    Ok((run, true))
}

#[cfg(test)]
mod tests;

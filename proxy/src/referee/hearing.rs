//! Takes in what the workers saw since the last beat.

use stats::Delta;

use super::run::Run;
use crate::observe::Observed;
use crate::recording::{Batch, Recording};

/// Takes in what one beat brought; how much of it belongs to no run. What workers saw of one run is merged
/// first: which worker answered before another must not decide in which epoch a unit was met.
pub(super) fn hear(
    runs: &mut [Run],
    evidence: Vec<Observed>,
    mut recording: Option<&mut Recording>,
) -> u64 {
    let mut orphaned = 0;
    let mut seen: Vec<(&mut Run, Option<Delta>)> = runs.iter_mut().map(|run| (run, None)).collect();
    for observed in evidence {
        let is_its = |(run, _): &&mut (&mut Run, _)| {
            *run.experiment.name == *observed.experiment && run.record.run == observed.run
        };
        let Some((mine, whole)) = seen.iter_mut().find(is_its) else {
            orphaned += 1;
            continue;
        };
        // What follows a verdict is no part of what it was reached by.
        let is_recorded = mine.is_counting();
        if let (Some(recording), Some(roll), true) = (&mut recording, observed.roll, is_recorded) {
            let batch = Batch::of(&mine.experiment, observed.run, &mine.ledger, roll);
            recording.write(batch);
        }
        match whole {
            Some(whole) => whole.merge(observed.delta),
            None => *whole = Some(observed.delta),
        }
    }
    for (mine, whole) in seen {
        if let Some(whole) = whole {
            mine.absorb(whole);
        }
    }
    orphaned
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use policy::{ArmId, Assignment};

    use super::*;
    use crate::observe::{Moment, Outcome, RunShard};

    const DOCUMENT: &str = r#"
version: wald/v1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
upstreams: [{ name: both, endpoints: ["http://127.0.0.1:8001"] }]
routes: [{ name: all, match: {}, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: { header: x-user }
    arms:
      - { name: control, backend: { upstream: both } }
      - { name: candidate, backend: { upstream: both } }
    metrics:
      - { name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 1s }
"#;

    #[test]
    fn a_unit_that_two_workers_met_counts_alike_whichever_of_them_answered_first() {
        let document = config::read(DOCUMENT, &|_| None, std::path::Path::new("/")).unwrap();
        let policy = policy::compile(&document).unwrap();
        let experiment = &policy.experiments()[0];
        let at = Moment::now();
        let met = |epoch| {
            let assignment = Assignment {
                experiment: experiment.id,
                run: 1,
                epoch,
                arm: ArmId::CONTROL,
                unit: 1,
                bucket: 0,
                counted: true,
            };
            let mut shard = RunShard::new(experiment, 1, false);
            let exposure = shard.expose(&assignment, at, None);
            let outcome = Outcome {
                escalated: None,
                failed: false,
                duration: Duration::from_millis(1),
                first_byte: Duration::ZERO,
                size: None,
                said: &[],
            };
            shard.close(exposure, outcome);
            Observed {
                experiment: experiment.name.to_string(),
                run: 1,
                delta: shard.collect().unwrap(),
                roll: None,
            }
        };
        let heard = |epochs: [u32; 2]| {
            let mut runs = [Run::begin(experiment, 1, at.unix_millis)];
            runs[0].ledger.open_epoch(&[0.7, 0.3]);
            assert_eq!(hear(&mut runs, epochs.map(met).into(), None), 0);
            let [run] = runs;
            run.ledger
        };
        assert!(heard([0, 1]) == heard([1, 0]));
    }
}

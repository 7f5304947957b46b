//! The desk where feedback is judged: whose it is, whether it is in time, whether it was counted before.

use policy::Observe;
use stats::Delta;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::run::Run;
use crate::feedback::{Item, Receipt, Refused};
use crate::observe::Seen;
use crate::recording::Recording;
use crate::token::{Claims, Keys};

/// Where reports are counted, and written down if the server records.
pub(super) struct Desk<'a> {
    runs: &'a mut [Run],
    recording: Option<&'a mut Recording>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(runs: &'a mut [Run], recording: Option<&'a mut Recording>) -> Self {
        Self { runs, recording }
    }

    /// Counts what can be counted.
    pub(super) fn count(&mut self, keys: &Keys, items: &[Item]) -> Receipt {
        let mut receipt = Receipt::default();
        for (index, item) in items.iter().enumerate() {
            match self.count_one(keys, item) {
                Ok(true) => receipt.accepted += 1,
                Ok(false) => receipt.duplicate += 1,
                Err(reason) => receipt.refuse(index, reason),
            }
        }
        receipt
    }

    /// Whether an item counts now, or did before.
    fn count_one(&mut self, keys: &Keys, item: &Item) -> Result<bool, Refused> {
        let claims = keys.open(&item.assignment)?;
        let is_its = |run: &&mut Run| xxh3_64(run.experiment.name.as_bytes()) == claims.experiment;
        let run = self.runs.iter_mut().find(is_its).ok_or(Refused::Foreign)?;
        if run.record.run != claims.run {
            return Err(Refused::OtherRun);
        }
        if !run.counts(claims.epoch) {
            return Err(Refused::NotCounting);
        }
        let metric = metric(run, item)?;
        let tick = run.tick(claims.issued_ms);
        if !run.is_open(metric, tick) {
            return Err(Refused::Late);
        }
        if !run.first_time(tick, &names(&claims, item)) {
            return Ok(false);
        }
        let mut delta = Delta::new(run.ledger.design());
        if let Some(limits) = run.ledger.limits() {
            delta.follow(limits);
        }
        let arm = usize::from(claims.arm);
        let value = run.experiment.capped(metric, item.value);
        delta.observe(claims.epoch, tick, metric, arm, claims.bucket, value);
        delta.observe_unit(tick, claims.issued_ms, metric, arm, claims.unit, value);
        for missing in run.experiment.missing(Some(metric)) {
            delta.take_back(claims.epoch, tick, missing, arm, claims.bucket);
        }
        if let Some(recording) = self.recording.as_mut().filter(|_| run.is_counting()) {
            let seen = Seen {
                at_ms: claims.issued_ms,
                epoch: claims.epoch,
                unit: claims.unit,
                bucket: claims.bucket,
                arm,
                value: Some((metric, item.value)),
                beside: None,
            };
            recording.report(&run.experiment, claims.run, &run.ledger, seen);
        }
        run.absorb(delta);
        Ok(true)
    }
}

/// The position of the metric that an item is about, if the value fits it.
fn metric(run: &Run, item: &Item) -> Result<usize, Refused> {
    let metrics = &run.experiment.design.metrics;
    let fed = metrics.iter().zip(&run.experiment.observations).enumerate();
    let mut fed = fed.filter(|(_, (_, observe))| **observe == Observe::Feedback);
    let (position, (metric, _)) = fed
        .find(|(_, (metric, _))| metric.name == item.metric)
        .ok_or(Refused::Metric)?;
    if metric.kind.fits(item.value) {
        Ok(position)
    } else {
        Err(Refused::Value)
    }
}

/// By what an item is known again: the request and the metric, and the client's own name for it. One request
/// has one outcome, whatever its reports are called.
fn names(claims: &Claims, item: &Item) -> Vec<u128> {
    let mut names = vec![digest(
        b"request",
        &claims.nonce.to_le_bytes(),
        &item.metric,
    )];
    names.extend(
        item.id
            .as_ref()
            .map(|id| digest(b"id", id.as_bytes(), &item.metric)),
    );
    names
}

fn digest(domain: &[u8], name: &[u8], metric: &str) -> u128 {
    let mut hash = Xxh3::new();
    for part in [domain, name, metric.as_bytes()] {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.digest128()
}

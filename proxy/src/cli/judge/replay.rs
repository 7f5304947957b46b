//! The replay: rows in, ticks closed as the referee closes them, a verdict asked for after each.

use std::collections::{BTreeMap, BTreeSet};

use policy::Experiment;
use stats::{Decision, Delta, Ledger, Verdict};

use super::row::{Row, What};
use super::timeline::{Judged, Moment};
use crate::referee;

/// One run being judged.
pub(super) struct Replay<'a> {
    experiment: &'a Experiment,
    ledger: Ledger,
    run: u32,
    started_ms: u64,
    /// The ledger's epoch by that of the file.
    epochs: BTreeMap<u32, Epoch>,
    delta: Delta,
    /// Moments at which some metric closes ticks that were observed, in milliseconds since 1970.
    due: BTreeSet<u64>,
    latest_ms: u64,
    latest_tick: Option<u64>,
    /// Whether the file tells exposures; else each request's first row is one.
    tells_exposures: bool,
    request: Option<(u64, u64, usize)>,
    judged: Judged,
    next_look: u64,
}

#[derive(Clone, Copy)]
struct Epoch {
    number: u32,
    share: f64,
}

impl<'a> Replay<'a> {
    /// A run that begins with this row.
    pub(super) fn begin(experiment: &'a Experiment, row: &Row) -> Self {
        let mut replay = Self {
            experiment,
            ledger: Ledger::new(experiment.design.clone(), &shares(experiment, row.share))
                .waiting(&experiment.waits()),
            run: row.run,
            started_ms: row.at_ms,
            epochs: BTreeMap::from([(
                row.epoch,
                Epoch {
                    number: 0,
                    share: row.share,
                },
            )]),
            delta: Delta::new(&experiment.design),
            due: BTreeSet::new(),
            latest_ms: row.at_ms,
            latest_tick: None,
            tells_exposures: row.what == What::Exposure,
            request: None,
            judged: Judged::new(&experiment.name, row.run),
            next_look: 1,
        };
        replay.take(row);
        replay
    }

    pub(super) fn run(&self) -> u32 {
        self.run
    }

    /// Counts a row that belongs to another run than the one being judged.
    pub(super) fn skip(&mut self) {
        self.judged.skipped += 1;
    }

    /// Takes the next row of the file.
    pub(super) fn take(&mut self, row: &Row) {
        self.judged.rows += 1;
        if self.judged.is_decided() {
            return;
        }
        self.latest_ms = self.latest_ms.max(row.at_ms);
        self.close_until(self.latest_ms);
        let tick = row.at_ms / self.tick_ms();
        let epoch = self.epoch(row);
        self.expect(tick);
        match row.what {
            What::Exposure => self.expose(row, epoch, tick),
            What::Value { metric, y, beside } => {
                self.expose_first(row, epoch, tick);
                let (arm, bucket) = (row.arm, row.bucket);
                let y = self.experiment.capped(metric, y);
                self.delta
                    .observe_unit(tick, row.at_ms, metric, arm, row.unit, y);
                if beside.is_some() {
                    let pair = [Some(y), beside];
                    self.delta
                        .observe_pair(epoch, tick, metric, arm, bucket, pair);
                } else {
                    self.delta.observe(epoch, tick, metric, arm, bucket, y);
                }
                for missing in self.experiment.missing(Some(metric)) {
                    self.delta.take_back(epoch, tick, missing, arm, bucket);
                }
            }
        }
    }

    /// The file has ended: every tick closes, each metric's when its time comes.
    pub(super) fn end(mut self) -> Judged {
        self.close_until(u64::MAX);
        if !self.judged.is_decided() {
            let verdict = self.ledger.verdict();
            self.look(self.latest_ms, &verdict);
        }
        let Self {
            mut judged, ledger, ..
        } = self;
        judged.late = ledger.late();
        judged.unusable = ledger.unusable();
        judged
    }

    fn tick_ms(&self) -> u64 {
        referee::millis(self.experiment.tick).max(1)
    }

    /// In a file without exposures, neighbouring rows of one moment, unit and arm are one request.
    fn expose_first(&mut self, row: &Row, epoch: u32, tick: u64) {
        let request = Some((row.at_ms, row.unit, row.arm));
        if !self.tells_exposures && self.request != request {
            self.request = request;
            self.expose(row, epoch, tick);
        }
    }

    fn expose(&mut self, row: &Row, epoch: u32, tick: u64) {
        self.delta.expose(epoch, tick, row.arm, row.unit);
        for missing in self.experiment.missing(None) {
            self.delta
                .observe(epoch, tick, missing, row.arm, row.bucket, 1.0);
        }
    }

    /// The ledger's number of a row's epoch, which begins if it is new.
    fn epoch(&mut self, row: &Row) -> u32 {
        if let Some(known) = self.epochs.get(&row.epoch) {
            return known.number;
        }
        let number = self.ledger.open_epoch(&shares(self.experiment, row.share));
        let share = row.share;
        self.epochs.insert(row.epoch, Epoch { number, share });
        self.next_look = 0;
        number
    }

    /// Remembers when each metric will close this tick.
    fn expect(&mut self, tick: u64) {
        if self.latest_tick == Some(tick) {
            return;
        }
        self.latest_tick = Some(tick);
        for (window, wait) in windows(self.experiment).zip(self.experiment.waits()) {
            let over = wait.cohort(tick).saturating_add(1);
            let over_ms = over.saturating_mul(self.tick_ms());
            self.due.insert(over_ms.saturating_add(window));
        }
    }

    /// Closes ticks as the referee had by this moment, and asks after each.
    fn close_until(&mut self, now_ms: u64) {
        let is_none_due = self.due.first().is_none_or(|&due| due > now_ms);
        if is_none_due || self.judged.is_decided() {
            return;
        }
        let seen = std::mem::replace(&mut self.delta, Delta::new(&self.experiment.design));
        self.ledger.absorb(seen);
        while let Some(due) = self.due.first().copied().filter(|&due| due <= now_ms) {
            self.due.remove(&due);
            let over = |window: u64| due.saturating_sub(window) / self.tick_ms();
            let over: Vec<u64> = windows(self.experiment).map(over).collect();
            self.ledger.close_each_before(&over);
            if let Some(limits) = self.ledger.limits() {
                self.delta.follow(limits);
            }
            let verdict = self.ledger.verdict();
            if verdict.decision != Decision::Wait || self.ledger.observations() >= self.next_look {
                self.next_look = self.ledger.observations().saturating_mul(2).max(1);
                self.look(due, &verdict);
            }
            if self.judged.is_decided() {
                return;
            }
        }
    }

    /// Notes how things stand at a moment.
    fn look(&mut self, now_ms: u64, verdict: &Verdict) {
        let ran_ms = now_ms.saturating_sub(self.started_ms);
        let is_over = self
            .experiment
            .end
            .time
            .is_some_and(|end| ran_ms >= referee::millis(end));
        let share = self.epochs.values().last().map_or(0.0, |epoch| epoch.share);
        let report = self.ledger.report();
        self.judged.add(Moment::new(
            self.experiment,
            now_ms,
            share,
            &report,
            verdict,
            is_over,
        ));
    }
}

/// How long each metric waits, in milliseconds.
fn windows(experiment: &Experiment) -> impl Iterator<Item = u64> {
    let windows = experiment.windows.iter();
    windows.map(|window| referee::millis(*window))
}

/// The control's share first.
fn shares(experiment: &Experiment, share: f64) -> Vec<f64> {
    let candidates = usize::from(experiment.candidates());
    let control = 1.0 - share * f64::from(experiment.candidates());
    std::iter::once(control.max(0.0))
        .chain(std::iter::repeat_n(share, candidates))
        .collect()
}

//! All evidence of one run, and the state of every test on it.
//!
//! Deltas come in; ticks close in order once nothing more may come for them, each metric's after its own
//! [`Wait`]; a closed tick is fed to the tests and only its sums by epoch are kept, so that no tick walks
//! earlier ones. Memory is bounded by open ticks (or cohorts of them), epochs and
//! [`sample_ratio::UNITS_MAX`](crate::sample_ratio::UNITS_MAX), never by observations. Written down
//! and read back, it continues to the bit.

mod arrivals;
mod firsts;
mod harm;
mod wait;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use arrivals::Arrivals;
pub(crate) use firsts::Count;
use firsts::Firsts;
pub use harm::HarmCrossing;
pub use wait::Wait;

use crate::{
    design::{Design, Kind, Metric, Unit},
    evidence::{Cell, Delta, EpochEvidence, Histogram, MovingLimit, TickEvidence, merge_ticks},
    report::Report,
    sample_ratio::{Arrival, SampleRatio},
    trial::{Closing, Trial, total, whole},
    verdict::Verdict,
    watch::{FalseAlarms, Risen, Watch, WatchReport},
};

/// All evidence of one run and the running state of every test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    design: Design,
    ratio: SampleRatio,
    measured: Vec<Measured>,
    /// By candidate: when harm was found.
    harm: Vec<Option<HarmCrossing>>,
    /// Once an arm has been promoted, if it is watched.
    watch: Option<Watch>,
    late: u64,
    unusable: u64,
}

/// The evidence of one metric, and its tests by candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    wait: Wait,
    /// Ticks that may still grow, in their order.
    open: Vec<TickEvidence>,
    /// Every tick before this one is closed.
    closed_before: u64,
    /// The units that came, where they return.
    units: Arrivals,
    /// The first requests of units, where one arm is held against a ceiling.
    firsts: Option<Firsts>,
    /// What numbers are held against, where a quantile moves it.
    limit: MovingLimit,
    pub(crate) epochs: Vec<EpochEvidence>,
    pub(crate) trials: Vec<Trial>,
}

impl Ledger {
    /// A run that begins now with these shares of traffic by arm: epoch 0.
    #[must_use]
    pub fn new(design: Design, shares: &[f64]) -> Self {
        let measured = design.metrics.iter().map(|metric| Measured {
            wait: Wait::default(),
            open: Vec::new(),
            closed_before: 0,
            units: Arrivals::new(design.arms),
            firsts: (metric.counts_firsts(design.unit)).then(|| Firsts::new(design.arms)),
            limit: MovingLimit::default(),
            epochs: Vec::new(),
            trials: (1..design.arms)
                .map(|arm| Trial::new(&design, metric, arm))
                .collect(),
        });
        let mut ledger = Self {
            ratio: SampleRatio::new(design.arms, design.unit == Unit::Sticky),
            measured: measured.collect(),
            harm: vec![None; design.candidates()],
            watch: None,
            late: 0,
            unusable: 0,
            design,
        };
        ledger.open_epoch(shares);
        ledger
    }

    /// The same run before its first observation, each metric with a patience of its own.
    #[must_use]
    pub fn waiting(mut self, waits: &[Wait]) -> Self {
        for (measured, wait) in self.measured.iter_mut().zip(waits) {
            measured.wait = *wait;
        }
        self
    }

    /// What is to be decided.
    #[must_use]
    pub fn design(&self) -> &Design {
        &self.design
    }

    /// Begins a stretch with other shares, and gives its number.
    pub fn open_epoch(&mut self, shares: &[f64]) -> u32 {
        self.ratio.open_epoch(shares);
        u32::try_from(self.ratio.epochs() - 1).unwrap_or(u32::MAX)
    }

    /// Takes in what was seen, and gives how many observations came too late: their tick is closed, or
    /// their epoch was never opened.
    pub fn absorb(&mut self, delta: Delta) -> u64 {
        for arrived in self.ratio.absorb(&delta) {
            for measured in &mut self.measured {
                measured.expect(arrived);
            }
        }
        let watched = self.watch.as_ref().map(|watch| watch.epoch);
        // Ceilings are held against first requests of the run, which is decided.
        let firsts = delta.firsts.iter().filter(|_| watched.is_none());
        for ((metric, unit, arm), outcome) in firsts {
            let measured = self.measured.get_mut(metric);
            if let Some(firsts) = measured.and_then(|measured| measured.firsts.as_mut()) {
                firsts.add(unit, arm, outcome);
            }
        }
        self.unusable += delta.unusable;
        let mut late = 0;
        for evidence in delta.ticks {
            let known = match watched {
                Some(watched) => evidence.epoch == watched,
                None => {
                    usize::try_from(evidence.epoch).is_ok_and(|epoch| epoch < self.ratio.epochs())
                }
            };
            let mut cells = evidence.cells.into_iter();
            for measured in &mut self.measured {
                let cells = cells.by_ref().take(self.design.arms).collect();
                let own = TickEvidence { cells, ..evidence };
                late += measured.await_more(own, known);
            }
        }
        self.late += late;
        late
    }

    /// Closes every tick before this one, in order, and feeds them to the tests.
    pub fn close_before(&mut self, tick: u64) {
        self.close_each_before(&vec![tick; self.measured.len()]);
    }

    /// The same, where each metric closes the ticks before its own.
    pub fn close_each_before(&mut self, ticks: &[u64]) {
        let metrics = self.measured.iter_mut().zip(ticks).enumerate();
        let mut closing: Vec<(usize, TickEvidence)> = metrics
            .flat_map(|(metric, (measured, &tick))| {
                let closing = measured.close_before(tick);
                closing.into_iter().map(move |evidence| (metric, evidence))
            })
            .collect();
        closing.sort_by_key(|(metric, evidence)| (evidence.position(), *metric));
        for moment in closing.chunk_by(|(_, a), (_, b)| a.position() == b.position()) {
            for (metric, evidence) in moment {
                self.close(*metric, evidence);
            }
            self.look_for_harm(moment);
        }
    }

    /// What deltas have to hold numbers against, by metric; none where no limit moves.
    #[must_use]
    pub fn limits(&self) -> Option<Arc<[MovingLimit]>> {
        let unit = self.design.unit;
        let moving = |metric: &Metric| metric.moving_allowance(unit).is_some();
        let limits = self.measured.iter().map(|measured| measured.limit.clone());
        (self.design.metrics.iter().any(moving)).then(|| limits.collect())
    }

    /// What follows from the evidence so far. Ask as often as you like.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        crate::verdict::reach(self)
    }

    /// The same, with what may still be true named where it waits; dearer, for people.
    #[must_use]
    pub fn explain(&self) -> Verdict {
        crate::verdict::explain(self)
    }

    /// Whether an alarm speaks against going up a step: a distribution behind some metric that is worse
    /// than its margin allows, on any candidate.
    #[must_use]
    pub fn is_alarmed(&self) -> bool {
        let mut trials = self.measured.iter().flat_map(|measured| &measured.trials);
        trials.any(Trial::is_alarmed)
    }

    /// The arm has been promoted, and is watched from now on: what is seen in this epoch is compared with
    /// what was seen of the arm before. Evidence of earlier epochs comes too late from now on. Asked again, it
    /// changes how rare false alarms have to be and nothing else.
    pub fn watch(&mut self, epoch: u32, arm: usize, allowed: FalseAlarms) {
        if let Some(watch) = &mut self.watch
            && (watch.epoch, watch.arm) == (epoch, arm)
        {
            watch.allow(allowed);
            return;
        }
        let measured = self.measured.iter();
        let seen: Vec<Cell> = measured
            .map(|measured| whole(&measured.epochs, arm))
            .collect();
        self.watch = Some(Watch::begin(&self.design, epoch, arm, &seen, allowed));
    }

    /// The metrics in which a promoted arm has become worse than it was.
    pub fn risen(&self) -> impl Iterator<Item = &Risen> {
        self.watch.iter().flat_map(Watch::risen)
    }

    /// How each metric of a promoted arm stands; none if none is watched.
    #[must_use]
    pub fn watched(&self) -> Option<Vec<WatchReport>> {
        let watch = self.watch.as_ref()?;
        Some(watch.report(&self.design))
    }

    /// Every number that people and dashboards may want.
    #[must_use]
    pub fn report(&self) -> Report {
        crate::report::of(self)
    }

    /// The closed observations of all arms: of the metric that has most, since every request counts
    /// once however many metrics it has.
    #[must_use]
    pub fn observations(&self) -> u64 {
        let arms = 0..self.design.arms;
        let of = |measured: &Measured| arms.clone().map(|arm| total(&measured.epochs, arm).n).sum();
        self.measured.iter().map(of).max().unwrap_or(0)
    }

    /// How many observations came after their tick had closed.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }

    /// How many observations could not be one of their metric's.
    #[must_use]
    pub fn unusable(&self) -> u64 {
        self.unusable
    }

    /// The assignment check.
    #[must_use]
    pub fn sample_ratio(&self) -> &SampleRatio {
        &self.ratio
    }

    pub(crate) fn measured(&self) -> &[Measured] {
        &self.measured
    }

    pub(crate) fn harm(&self) -> &[Option<HarmCrossing>] {
        &self.harm
    }

    fn close(&mut self, metric: usize, evidence: &TickEvidence) {
        let judged = self.design.metrics.get(metric);
        let (Some(measured), Some(judged)) = (self.measured.get_mut(metric), judged) else {
            return;
        };
        if let Some(watch) = &mut self.watch
            && watch.epoch == evidence.epoch
        {
            watch.close(metric, judged, evidence);
            return;
        }
        measured.settle(evidence.tick);
        measured.add(evidence.epoch, &evidence.cells);
        let closing = Closing {
            tick: evidence.tick,
            epoch: evidence.epoch,
            cells: &evidence.cells,
            epochs: &measured.epochs,
            units: (self.design.unit == Unit::Sticky).then(|| measured.units.settled()),
            firsts: measured.firsts.as_ref().map(Firsts::counts),
            shares: self.ratio.shares(evidence.epoch),
            kind: judged.kind,
        };
        measured
            .trials
            .iter_mut()
            .for_each(|trial| trial.close(&closing));
        if let (Some(allowance), Kind::Quantile { at }) =
            (judged.moving_allowance(self.design.unit), judged.kind)
        {
            measured.move_limit(evidence.tick, at, allowance);
        }
    }

    fn look_for_harm(&mut self, moment: &[(usize, TickEvidence)]) {
        let Some((_, evidence)) = moment.first() else {
            return;
        };
        for (candidate, harm) in self.harm.iter_mut().enumerate() {
            if harm.is_none() {
                *harm = harm::found(&self.design, &self.measured, candidate, evidence.tick);
            }
        }
    }
}

impl Measured {
    /// Takes in what may still grow, and gives how many observations came too late for it.
    fn await_more(&mut self, evidence: TickEvidence, known: bool) -> u64 {
        let observations = evidence.observations();
        let tick = self.wait.cohort(evidence.tick);
        if !known || tick < self.closed_before {
            return observations;
        }
        if !evidence.is_empty() {
            merge_ticks(&mut self.open, TickEvidence { tick, ..evidence });
        }
        0
    }

    /// A unit has met an arm for the first time.
    fn expect(&mut self, arrived: Arrival) {
        let tick = self.wait.cohort(arrived.tick);
        self.units.expect(tick, arrived.arm);
        if let Some(firsts) = &mut self.firsts {
            firsts.expect(arrived);
        }
    }

    /// The units of a tick that closes, and of all before it, count.
    fn settle(&mut self, tick: u64) {
        self.units.settle(tick);
        if let Some(firsts) = &mut self.firsts {
            firsts.settle(tick);
        }
    }

    /// Hands over every tick before this one, in order.
    fn close_before(&mut self, tick: u64) -> Vec<TickEvidence> {
        let closing = self.open.partition_point(|evidence| evidence.tick < tick);
        self.closed_before = self.closed_before.max(tick);
        self.open.drain(..closing).collect()
    }

    /// The control and an arm, epoch by epoch.
    pub(crate) fn pairs(&self, arm: usize) -> impl Iterator<Item = (&Cell, &Cell)> {
        self.epochs
            .iter()
            .filter_map(move |epoch| Some((epoch.arms.first()?, epoch.arms.get(arm)?)))
    }

    /// After this tick the quantile of all arms, of which the candidates' numbers may be so many bins larger,
    /// lies elsewhere.
    fn move_limit(&mut self, tick: u64, at: f64, allowance: i32) {
        let mut pooled = Histogram::default();
        for (arm, cell) in self
            .epochs
            .iter()
            .flat_map(|epoch| epoch.arms.iter().enumerate())
        {
            if let Some(seen) = &cell.histogram {
                pooled.merge_moved(seen, if arm == 0 { 0 } else { -allowance });
            }
        }
        if let Some(bin) = pooled.quantile(at) {
            self.limit.move_to(self.wait.aware_of(tick), bin);
        }
        self.limit.forget_before(self.closed_before);
    }

    fn add(&mut self, epoch: u32, cells: &[Cell]) {
        if cells.iter().all(Cell::is_empty) {
            return;
        }
        let place = match self
            .epochs
            .binary_search_by_key(&epoch, |known| known.epoch)
        {
            Ok(found) => found,
            Err(place) => {
                let arms = vec![Cell::default(); cells.len()];
                self.epochs.insert(place, EpochEvidence { epoch, arms });
                place
            }
        };
        for (ours, theirs) in self.epochs[place].arms.iter_mut().zip(cells) {
            ours.merge(theirs);
        }
    }
}

#[cfg(test)]
mod tests;

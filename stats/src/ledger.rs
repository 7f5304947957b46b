//! All evidence of one run, and the state of every test on it.
//!
//! Deltas come in; ticks close in order once nothing more may come for them; a closed tick is fed to
//! the tests and only its sums by epoch are kept. Memory is bounded by open ticks, epochs and
//! [`sample_ratio::UNITS_MAX`](crate::sample_ratio::UNITS_MAX), never by observations. Written down
//! and read back, it continues to the bit.

mod harm;

use serde::{Deserialize, Serialize};

pub use harm::HarmCrossing;

use crate::{
    design::{Design, Unit},
    evidence::{Cell, Delta, EpochEvidence, TickEvidence, merge_ticks},
    report::Report,
    sample_ratio::SampleRatio,
    trial::{Closing, Trial, total},
    verdict::Verdict,
};

/// All evidence of one run and the running state of every test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    design: Design,
    ratio: SampleRatio,
    /// Ticks that may still grow, in their order.
    open: Vec<TickEvidence>,
    /// Every tick before this one is closed.
    closed_before: u64,
    measured: Vec<Measured>,
    /// By candidate: when harm was found.
    harm: Vec<Option<HarmCrossing>>,
    late: u64,
    unusable: u64,
}

/// The closed evidence of one metric, and its tests by candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) epochs: Vec<EpochEvidence>,
    pub(crate) trials: Vec<Trial>,
}

impl Ledger {
    /// A run that begins now with these shares of traffic by arm: epoch 0.
    #[must_use]
    pub fn new(design: Design, shares: &[f64]) -> Self {
        let measured = design.metrics.iter().map(|metric| Measured {
            epochs: Vec::new(),
            trials: (1..design.arms)
                .map(|arm| Trial::new(&design, metric, arm))
                .collect(),
        });
        let mut ledger = Self {
            ratio: SampleRatio::new(design.arms, design.unit == Unit::Sticky),
            open: Vec::new(),
            closed_before: 0,
            measured: measured.collect(),
            harm: vec![None; design.candidates()],
            late: 0,
            unusable: 0,
            design,
        };
        ledger.open_epoch(shares);
        ledger
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
        self.ratio.absorb(&delta);
        self.unusable += delta.unusable;
        let mut late = 0;
        for evidence in delta.ticks {
            let known =
                usize::try_from(evidence.epoch).is_ok_and(|epoch| epoch < self.ratio.epochs());
            if known && evidence.tick >= self.closed_before {
                merge_ticks(&mut self.open, evidence);
            } else {
                late += evidence.observations();
            }
        }
        self.late += late;
        late
    }

    /// Closes every tick before this one, in order, and feeds them to the tests.
    pub fn close_before(&mut self, tick: u64) {
        let closing = self.open.partition_point(|evidence| evidence.tick < tick);
        let closing: Vec<TickEvidence> = self.open.drain(..closing).collect();
        for evidence in &closing {
            self.close(evidence);
        }
        self.closed_before = self.closed_before.max(tick);
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

    fn close(&mut self, evidence: &TickEvidence) {
        self.ratio.settle(evidence.tick);
        let units = (self.design.unit == Unit::Sticky).then(|| self.ratio.settled());
        let cells = evidence.cells.chunks(self.design.arms.max(1));
        for ((measured, metric), cells) in self
            .measured
            .iter_mut()
            .zip(&self.design.metrics)
            .zip(cells)
        {
            measured.add(evidence.epoch, cells);
            let closing = Closing {
                tick: evidence.tick,
                epoch: evidence.epoch,
                cells,
                epochs: &measured.epochs,
                units,
                shares: self.ratio.shares(evidence.epoch),
                kind: metric.kind,
            };
            measured
                .trials
                .iter_mut()
                .for_each(|trial| trial.close(&closing));
        }
        for (candidate, harm) in self.harm.iter_mut().enumerate() {
            if harm.is_none() {
                *harm = harm::found(&self.design, &self.measured, candidate, evidence.tick);
            }
        }
    }
}

impl Measured {
    /// The control and an arm, epoch by epoch.
    pub(crate) fn pairs(&self, arm: usize) -> impl Iterator<Item = (&Cell, &Cell)> {
        self.epochs
            .iter()
            .filter_map(move |epoch| Some((epoch.arms.first()?, epoch.arms.get(arm)?)))
    }

    fn add(&mut self, epoch: u32, cells: &[Cell]) {
        if cells.iter().all(|cell| cell.tally.n == 0) {
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

//! One run of an experiment: its stage, its evidence, and the feedback that was counted.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use policy::{Experiment, Stage, State};
use stats::{Delta, Ledger};

use super::millis;
use super::series::Series;
use crate::store::RunRecord;

/// The layout of a kept ledger: another Wald may write another.
const LEDGER_VERSION: u8 = 8;

/// A run as the referee holds it.
pub(super) struct Run {
    pub(super) experiment: Experiment,
    pub(super) record: RunRecord,
    pub(super) ledger: Ledger,
    /// How it came to stand where it does.
    pub(super) series: Series,
    /// Feedback counted in open ticks.
    seen: BTreeMap<u64, HashSet<u128>>,
    /// Of that, what the store does not know yet.
    unsaved: Vec<(u64, u128)>,
    /// By metric: every tick before this one is closed.
    open_from: Vec<u64>,
    /// Whether there is evidence that the store does not have.
    pub(super) is_dirty: bool,
}

/// What the store keeps of a run's evidence.
pub(super) struct Checkpoint {
    pub(super) name: String,
    pub(super) ledger: Vec<u8>,
    pub(super) unsaved: Vec<(u64, u128)>,
    pub(super) open_from: u64,
}

impl Run {
    /// A run that begins now.
    pub(super) fn begin(experiment: &Experiment, number: u32, now_ms: u64) -> Self {
        let first = Stage::first(number);
        let stage = if experiment.is_drafted {
            Stage::draft(number)
        } else {
            Stage::begin(number, experiment)
        };
        let mut record = RunRecord::begin(stage, experiment.definition, now_ms);
        record.caps = caps(experiment);
        let ledger = Ledger::new(experiment.design.clone(), &first.shares(experiment))
            .waiting(&experiment.waits());
        Self::of(experiment, record, ledger)
    }

    /// A reason as people read it.
    pub(super) fn told(&self, reason: &stats::Reason) -> String {
        told(&self.experiment, reason)
    }

    /// A run that goes on where the store left it; none if its evidence cannot be read.
    pub(super) fn resume(
        experiment: &Experiment,
        record: RunRecord,
        ledger: &[u8],
        seen: Vec<(u64, u128)>,
    ) -> Option<Self> {
        let [LEDGER_VERSION, bytes @ ..] = ledger else {
            return None;
        };
        let ledger: Ledger = postcard::from_bytes(bytes).ok()?;
        if *ledger.design() != experiment.design {
            return None;
        }
        let mut run = Self::of(experiment, record, ledger);
        for (tick, feedback) in seen {
            run.seen.entry(tick).or_default().insert(feedback);
        }
        Some(run)
    }

    fn of(experiment: &Experiment, record: RunRecord, ledger: Ledger) -> Self {
        Self {
            experiment: experiment.clone(),
            record,
            ledger,
            series: Series::default(),
            seen: BTreeMap::new(),
            unsaved: Vec::new(),
            open_from: vec![0; experiment.windows.len()],
            is_dirty: true,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.record.stage()
    }

    /// Whether evidence counts for the verdict.
    pub(super) fn is_counting(&self) -> bool {
        self.stage().state() == State::Running
    }

    /// Whether what was seen in an epoch still counts: for the verdict, or because what was promoted is watched.
    pub(super) fn counts(&self, epoch: u32) -> bool {
        let stage = self.stage();
        stage.is_counted(&self.experiment) && (self.is_counting() || epoch == stage.epoch())
    }

    /// Watches what was promoted, if the document says so, and as it says now.
    pub(super) fn keep_watch(&mut self) {
        let stage = self.stage();
        if let (State::Promoted(arm), Some(watch)) = (stage.state(), self.experiment.watch) {
            self.ledger.watch(stage.epoch(), arm.index(), watch.allowed);
        }
    }

    /// Takes in what workers saw.
    pub(super) fn absorb(&mut self, delta: Delta) {
        self.keep_watch();
        if self.stage().is_counted(&self.experiment) {
            self.ledger.absorb(delta);
            self.is_dirty = true;
        }
    }

    /// Closes each metric's ticks whose last request has had its whole window by now.
    pub(super) fn close_ticks(&mut self, now_ms: u64) {
        self.keep_watch();
        let windows = self.experiment.windows.iter();
        let over: Vec<u64> = windows
            .map(|window| self.tick(now_ms.saturating_sub(millis(*window))))
            .zip(&self.open_from)
            .map(|(over, open_from)| over.max(*open_from))
            .collect();
        if over != self.open_from {
            self.ledger.close_each_before(&over);
            self.open_from = over;
            self.seen = self.seen.split_off(&self.open_for_some());
        }
    }

    /// Every tick before this one is closed for all metrics.
    fn open_for_some(&self) -> u64 {
        self.open_from.iter().copied().min().unwrap_or_default()
    }

    /// The tick in which a moment lies.
    pub(super) fn tick(&self, unix_ms: u64) -> u64 {
        unix_ms / millis(self.experiment.tick).max(1)
    }

    /// Whether a tick still takes observations of a metric.
    pub(super) fn is_open(&self, metric: usize, tick: u64) -> bool {
        self.open_from
            .get(metric)
            .is_some_and(|&open_from| tick >= open_from)
    }

    /// Whether none of these was counted in this tick before; from now on all are.
    pub(super) fn first_time(&mut self, tick: u64, feedback: &[u128]) -> bool {
        let seen = self.seen.entry(tick).or_default();
        if feedback.iter().any(|name| seen.contains(name)) {
            return false;
        }
        seen.extend(feedback);
        self.unsaved
            .extend(feedback.iter().map(|name| (tick, *name)));
        true
    }

    /// Requests of all arms so far.
    pub(super) fn exposures(&self) -> u64 {
        let ratio = self.ledger.sample_ratio();
        (0..self.experiment.arms.len())
            .map(|arm| ratio.exposures(arm))
            .sum()
    }

    /// What the store has to keep of the evidence.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            name: self.experiment.name.to_string(),
            ledger: encode(&self.ledger),
            unsaved: self.unsaved.clone(),
            open_from: self.open_for_some(),
        }
    }

    /// The store has what [`Run::checkpoint`] gave.
    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
        self.is_dirty = false;
    }
}

/// At which values the metrics of an experiment are cut off, by name.
fn caps(experiment: &Experiment) -> BTreeMap<String, f64> {
    let metrics = experiment.design.metrics.iter().zip(&experiment.caps);
    metrics
        .filter_map(|(metric, cap)| Some((metric.name.clone(), (*cap)?)))
        .collect()
}

/// What an experiment estimates now that it did not when it was recorded, in a sentence: where values are cut
/// off is fixed before the start.
pub(super) fn other_caps(record: &RunRecord, experiment: &Experiment) -> Option<String> {
    let (before, now) = (&record.caps, caps(experiment));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let moved = names
        .into_iter()
        .filter(|name| before.get(*name) != now.get(*name));
    let told = |cap: Option<&f64>| cap.map_or_else(|| "none".to_owned(), f64::to_string);
    let moved: Vec<String> = moved
        .map(|name| {
            format!(
                "of {name} from {} to {}",
                told(before.get(name)),
                told(now.get(name))
            )
        })
        .collect();
    (!moved.is_empty()).then(|| {
        let moved = moved.join(", ");
        format!(
            "the cap {moved} has changed, and with it what is estimated: earlier evidence does not count"
        )
    })
}

/// A reason as people read it: `stats` knows arms by number, they know them by name.
pub(crate) fn told(experiment: &Experiment, reason: &stats::Reason) -> String {
    let arms = experiment.arms.iter().enumerate().rev();
    arms.fold(reason.to_string(), |told, (number, arm)| {
        told.replace(&format!("arm {number} "), &format!("arm {} ", arm.name))
    })
}

/// A ledger's bytes behind their version. Writing to memory fails for nothing but a type that postcard does
/// not know, and then the run begins anew after a restart.
pub(super) fn encode(ledger: &Ledger) -> Vec<u8> {
    postcard::to_extend(ledger, vec![LEDGER_VERSION]).unwrap_or_default()
}

//! After a promotion: does the promoted arm stay as good as the evidence of its promotion says?
//!
//! There is no control any more to compare with, so what the arm showed is frozen, and an
//! [e-detector](crate::e_detector) for each metric tells when it has become worse than that, and than its
//! margin on top. What "worse" counts is the metric's own events, or numbers beyond a quantile of the
//! frozen ones ([`Frozen`]).
//!
//! Where units return their outcomes depend on each other. They are gathered into stretches of at least
//! [`STRETCH`] outcomes, and the mean of a stretch is one outcome.
//!
//! The chance of a false alarm is split: half of it for what is frozen, whose rate is taken at the upper
//! end of its interval, and half for the detectors; each half in equal parts over the watched metrics.

mod frozen;

use serde::{Deserialize, Serialize};

pub use frozen::{Bad, Frozen};

use crate::{
    design::{Design, Metric, Unit},
    e_detector::{self, EDetector, Look},
    evidence::{Cell, TickEvidence},
};

/// How many outcomes of returning units are judged as one.
pub const STRETCH: u64 = 200;

/// How many looks are kept for whoever recomputes an alarm.
const RECENT: usize = 64;

/// How rare false alarms have to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FalseAlarms {
    /// The chance of one, ...
    pub chance: f64,
    /// ... within so many ticks.
    pub ticks: u64,
}

/// A promoted arm being watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Watch {
    /// What belongs to this epoch was seen after the promotion.
    pub(crate) epoch: u32,
    pub(crate) arm: usize,
    /// By metric; none of those that cannot be watched.
    metrics: Vec<Option<Watched>>,
    threshold: f64,
}

/// One metric being watched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    frozen: Frozen,
    detector: EDetector,
    /// The detector as it was before `recent`.
    earlier: EDetector,
    /// Whether outcomes depend on each other.
    dependent: bool,
    /// Outcomes and bad ones.
    recent: Vec<[u64; 2]>,
    /// Outcomes of returning units that are no stretch yet.
    gathered: [u64; 2],
    n: u64,
    events: u64,
    risen: Option<Risen>,
}

/// The moment when a metric of a promoted arm had become worse, with every number that went into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risen {
    /// The metric.
    pub metric: String,
    /// The tick whose evidence showed it.
    pub tick: u64,
    /// ln(1 + M).
    pub log_e: f64,
    /// What it had to reach.
    pub threshold: f64,
    /// What it was compared with.
    pub frozen: Frozen,
    /// Outcomes since the promotion, ...
    pub n: u64,
    /// ... and how many of them were bad.
    pub events: u64,
    /// ln(1 + M) of each bet before the looks that follow.
    pub from: Vec<f64>,
    /// Outcomes and bad ones of the last looks, the one that showed it at the end.
    pub looks: Vec<[u64; 2]>,
    /// Whether the mean of a look is one outcome, as they depend on each other.
    pub dependent: bool,
}

/// How a metric of a promoted arm stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchReport {
    /// The metric.
    pub metric: String,
    /// What it is compared with; none if it cannot be watched: no histogram of it is kept, or nothing was
    /// observed before the promotion.
    pub frozen: Option<Frozen>,
    /// Outcomes since the promotion, ...
    pub n: u64,
    /// ... and how many of them were bad.
    pub events: u64,
    /// ln(1 + M), ...
    pub log_e: f64,
    /// ... and what it must stay below.
    pub threshold: f64,
    /// Whether it ever did not.
    pub alarm: bool,
}

impl Watch {
    /// Begins to watch an arm, of which `seen` is everything before its promotion, by metric.
    pub(crate) fn begin(
        design: &Design,
        epoch: u32,
        arm: usize,
        seen: &[Cell],
        allowed: FalseAlarms,
    ) -> Self {
        let pairs = || design.metrics.iter().zip(seen);
        let part = |metrics: usize| allowed.chance / 2.0 / metrics.max(1) as f64;
        let frozen = |alpha: f64| -> Vec<Option<Frozen>> {
            pairs()
                .map(|(metric, cell)| Frozen::of(metric, design.unit, cell, alpha))
                .collect()
        };
        // A stricter level may leave out a metric of which nearly everything was bad: the parts are then too small.
        let watched = frozen(allowed.chance).iter().flatten().count();
        let metrics = frozen(part(watched)).into_iter();
        let mut watch = Self {
            epoch,
            arm,
            metrics: metrics
                .map(|frozen| frozen.map(|frozen| Watched::new(frozen, design.unit)))
                .collect(),
            threshold: f64::INFINITY,
        };
        watch.allow(allowed);
        watch
    }

    /// From now on false alarms have to be this rare. What is frozen stays.
    pub(crate) fn allow(&mut self, allowed: FalseAlarms) {
        let watched = self.metrics.iter().flatten().count().max(1) as f64;
        self.threshold = e_detector::threshold(allowed.chance / 2.0 / watched, allowed.ticks);
    }

    /// Takes in a closed tick of one metric.
    pub(crate) fn close(&mut self, place: usize, metric: &Metric, evidence: &TickEvidence) {
        let watched = self.metrics.get_mut(place).and_then(Option::as_mut);
        let (Some(watched), Some(cell)) = (watched, evidence.cells.get(self.arm)) else {
            return;
        };
        watched.add(cell);
        let log_e = watched.detector.log_e();
        if watched.risen.is_none() && log_e >= self.threshold {
            watched.risen = Some(Risen {
                metric: metric.name.clone(),
                tick: evidence.tick,
                log_e,
                threshold: self.threshold,
                frozen: watched.frozen,
                n: watched.n,
                events: watched.events,
                from: watched.earlier.bets().to_vec(),
                looks: watched.recent.clone(),
                dependent: watched.dependent,
            });
        }
    }

    /// The metrics that have become worse.
    pub(crate) fn risen(&self) -> impl Iterator<Item = &Risen> {
        let watched = self.metrics.iter().flatten();
        watched.filter_map(|watched| watched.risen.as_ref())
    }

    pub(crate) fn report(&self, design: &Design) -> Vec<WatchReport> {
        let pairs = design.metrics.iter().zip(&self.metrics);
        let report = |(metric, watched): (&Metric, &Option<Watched>)| WatchReport {
            metric: metric.name.clone(),
            frozen: watched.as_ref().map(|it| it.frozen),
            n: watched.as_ref().map_or(0, |it| it.n),
            events: watched.as_ref().map_or(0, |it| it.events),
            log_e: watched.as_ref().map_or(0.0, |it| it.detector.log_e()),
            threshold: self.threshold,
            alarm: watched.as_ref().is_some_and(|it| it.risen.is_some()),
        };
        pairs.map(report).collect()
    }
}

impl Watched {
    fn new(frozen: Frozen, unit: Unit) -> Self {
        let detector = EDetector::new(frozen.allowed);
        Self {
            frozen,
            earlier: detector.clone(),
            detector,
            dependent: unit == Unit::Sticky,
            recent: Vec::new(),
            gathered: [0, 0],
            n: 0,
            events: 0,
            risen: None,
        }
    }

    fn add(&mut self, cell: &Cell) {
        let [n, events] = self.frozen.bad.count(cell);
        self.n += n;
        self.events += events;
        self.gathered[0] += n;
        self.gathered[1] += events;
        let enough = if self.dependent { STRETCH } else { 1 };
        if self.gathered[0] >= enough {
            let look = std::mem::take(&mut self.gathered);
            self.detector.add(Look::of(look, self.dependent));
            self.remember(look);
        }
    }

    fn remember(&mut self, look: [u64; 2]) {
        if self.recent.len() == RECENT {
            let oldest = self.recent.remove(0);
            self.earlier.add(Look::of(oldest, self.dependent));
        }
        self.recent.push(look);
    }
}

#[cfg(test)]
mod tests;

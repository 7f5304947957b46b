//! One metric on one candidate: the three questions asked of it, each with the test that suits it.

mod block;
mod test;

use serde::{Deserialize, Serialize};

pub(crate) use test::Test;

use block::Block;

use crate::{
    conditional::Curve,
    design::{Design, Kind, Metric, Unit},
    evidence::{Cell, EpochEvidence, Tally},
    interval::{Effect, Interval},
    robbins_siegmund::{boundary, gate_holds},
};

/// What is asked of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Is the candidate better?
    Superior,
    /// Is it not worse by its margin?
    NotWorse,
    /// Is it worse: at all, for a goal or a critical guardrail; by its margin, for any other?
    Worse,
}

/// How far a test has come, and how far it must.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Score {
    /// An e-value, which may be averaged with others.
    Evidence {
        /// ln E.
        log_e: f64,
        /// ln(1/α).
        threshold: f64,
    },
    /// A walk against its boundary.
    Boundary {
        /// T/√V, positive towards the answer yes.
        z: f64,
        /// What z must reach.
        bound: f64,
    },
    /// A walk that may not be judged yet: too few units, or too few events.
    Gathering,
}

/// The moment when a test answered yes; it stays answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The tick whose evidence did it.
    pub tick: u64,
    /// The score at that moment.
    pub score: Score,
}

/// The state of every test of one metric on one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// The candidate's position among the arms.
    pub(crate) arm: usize,
    pub(crate) superior: Option<Test>,
    pub(crate) not_worse: Option<Test>,
    pub(crate) worse: Option<Test>,
    /// For intervals of odds ratios.
    curve: Option<Curve>,
    /// Ticks that are still too small for the conditional test.
    block: Block,
    /// The error rate of the interval, and its boundary where the metric walks.
    alpha: f64,
    boundary: f64,
}

/// What a tick brings to one metric.
pub(crate) struct Closing<'a> {
    pub(crate) tick: u64,
    pub(crate) epoch: u32,
    /// The tick alone, by arm.
    pub(crate) cells: &'a [Cell],
    /// The tick and all before it, by epoch.
    pub(crate) epochs: &'a [EpochEvidence],
    /// Units seen, by arm; none where each request is one.
    pub(crate) units: Option<&'a [u64]>,
    pub(crate) kind: Kind,
}

impl Score {
    /// Whether this answers yes.
    #[must_use]
    pub fn crosses(&self) -> bool {
        match *self {
            Self::Evidence { log_e, threshold } => log_e >= threshold,
            Self::Boundary { z, bound } => z >= bound,
            Self::Gathering => false,
        }
    }

    /// ln E, where the test has one.
    #[must_use]
    pub fn log_e(&self) -> Option<f64> {
        match *self {
            Self::Evidence { log_e, .. } => Some(log_e),
            Self::Boundary { .. } | Self::Gathering => None,
        }
    }

    /// The part of the way to a yes, from 0 to 1; for people.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let part = match *self {
            Self::Evidence { log_e, threshold } => log_e / threshold,
            Self::Boundary { z, bound } => z / bound,
            Self::Gathering => 0.0,
        };
        part.clamp(0.0, 1.0)
    }
}

impl Trial {
    pub(crate) fn new(design: &Design, metric: &Metric, arm: usize) -> Self {
        let test = |question| Test::new(design, metric, question);
        let odds = Effect::of(metric, design.unit) == Effect::OddsRatio;
        Self {
            arm,
            superior: test(Question::Superior),
            not_worse: test(Question::NotWorse),
            worse: test(Question::Worse),
            curve: odds.then(Curve::new),
            block: Block::default(),
            alpha: design.alpha_each(),
            boundary: boundary(design.alpha_each()),
        }
    }

    pub(crate) fn test(&self, question: Question) -> Option<&Test> {
        match question {
            Question::Superior => self.superior.as_ref(),
            Question::NotWorse => self.not_worse.as_ref(),
            Question::Worse => self.worse.as_ref(),
        }
    }

    /// Whether a question has been answered with yes, now or earlier.
    pub(crate) fn answered(&self, question: Question) -> bool {
        self.test(question)
            .is_some_and(|test| test.crossed.is_some())
    }

    /// Feeds a closed tick to every test.
    pub(crate) fn close(&mut self, closing: &Closing<'_>) {
        let (Some(control), Some(candidate)) = (closing.cells.first(), closing.cells.get(self.arm))
        else {
            return;
        };
        if control.tally.n + candidate.tally.n == 0 {
            return;
        }
        let mut tables = self
            .block
            .add(closing.epoch, &control.tally, &candidate.tally);
        if closing.kind != Kind::Proportion {
            tables.clear();
        }
        if let Some(curve) = &mut self.curve {
            tables.iter().for_each(|table| curve.add(table));
        }
        let gate = closing.gate([0, self.arm]);
        for test in [&mut self.superior, &mut self.not_worse, &mut self.worse]
            .into_iter()
            .flatten()
        {
            test.close(self.arm, closing, &tables, gate);
        }
    }

    /// Where the effect may lie; none before there is enough to say.
    pub(crate) fn interval(&self, metric: &Metric, unit: Unit) -> Option<Interval> {
        match (&self.curve, Effect::of(metric, unit)) {
            (Some(curve), _) => curve.interval(self.alpha),
            (None, Effect::Ratio) => self.walk_interval()?.map(f64::exp),
            (None, _) => self.walk_interval(),
        }
    }

    fn walk_interval(&self) -> Option<Interval> {
        self.superior.as_ref()?.walk()?.interval(self.boundary)
    }
}

impl Closing<'_> {
    /// Everything so far of one arm.
    pub(crate) fn total(&self, arm: usize) -> Tally {
        total(self.epochs, arm)
    }

    /// The control and an arm, epoch by epoch.
    pub(crate) fn pairs(&self, arm: usize) -> impl Iterator<Item = (&Cell, &Cell)> {
        self.epochs
            .iter()
            .filter_map(move |epoch| Some((epoch.arms.first()?, epoch.arms.get(arm)?)))
    }

    fn gate(&self, arms: [usize; 2]) -> bool {
        let [control, candidate] = arms.map(|arm| whole(self.epochs, arm));
        let requests = [control.tally.n, candidate.tally.n];
        let units = self.units.map_or(requests, |units| {
            arms.map(|arm| units.get(arm).copied().unwrap_or(0))
        });
        gate_holds(self.kind, [&control, &candidate], units)
    }
}

/// All epochs of one arm together, by buckets too: to gauge it, never to compare it.
fn whole(epochs: &[EpochEvidence], arm: usize) -> Cell {
    let mut whole = Cell::default();
    epochs
        .iter()
        .filter_map(|epoch| epoch.arms.get(arm))
        .for_each(|cell| whole.merge(cell));
    whole
}

/// All epochs of one arm together: to count it, never to compare it.
pub(crate) fn total(epochs: &[EpochEvidence], arm: usize) -> Tally {
    let mut total = Tally::default();
    epochs
        .iter()
        .filter_map(|epoch| epoch.arms.get(arm))
        .for_each(|cell| total.merge(&cell.tally));
    total
}

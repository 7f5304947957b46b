//! One metric on one candidate: the three questions asked of it, each with the test that suits it.

mod block;
mod exceedance;
mod labels;
mod numbers;
mod test;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use numbers::{ArmSums, Numbers, Stretch};
pub(crate) use test::Test;

use block::Block;

use crate::{
    conditional::Curve,
    design::{Better, Design, Kind, Metric, Unit},
    evidence::{BIN_MIN, Cell, EpochEvidence, GAMMA, Tally},
    interval::{Effect, Interval},
    ledger::Count,
    quantile_ab::{self, Place, QuantileAb},
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The tick whose evidence did it.
    pub tick: u64,
    /// The score at that moment.
    pub score: Score,
    /// What it was made of.
    pub numbers: Numbers,
}

/// The state of every test of one metric on one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// The candidate's position among the arms.
    pub(crate) arm: usize,
    pub(crate) superior: Option<Test>,
    pub(crate) not_worse: Option<Test>,
    pub(crate) worse: Option<Test>,
    /// What raises an alarm without deciding anything.
    pub(crate) alarm: Option<Test>,
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
    /// First requests of returning units, by arm; none where those are not told apart.
    pub(crate) firsts: Option<&'a [Count]>,
    /// The shares of traffic in this epoch, by arm.
    pub(crate) shares: &'a [f64],
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
            alarm: Test::alarm(design, metric),
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

    /// Whether the alarm behind the metric has gone off.
    pub(crate) fn is_alarmed(&self) -> bool {
        let alarm = self.alarm.as_ref();
        alarm.is_some_and(|alarm| alarm.crossed.is_some())
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
        if !matches!(closing.kind, Kind::Proportion | Kind::Exceedance { .. }) {
            tables.clear();
        }
        if let Some(curve) = &mut self.curve {
            tables.iter().for_each(|table| curve.add(table));
        }
        let gate = self.walks() && closing.gate([0, self.arm]);
        let tests = [
            &mut self.superior,
            &mut self.not_worse,
            &mut self.worse,
            &mut self.alarm,
        ];
        for test in tests.into_iter().flatten() {
            test.close(self.arm, closing, &tables, gate);
        }
    }

    /// Whether any of its tests waits for a gate.
    fn walks(&self) -> bool {
        let tests = [&self.superior, &self.not_worse, &self.worse];
        tests
            .into_iter()
            .flatten()
            .any(|test| test.walk().is_some())
    }

    /// Where the effect may lie; none before there is enough to say.
    pub(crate) fn interval(
        &self,
        metric: &Metric,
        unit: Unit,
        epochs: &[EpochEvidence],
    ) -> Option<Interval> {
        match Effect::of(metric, unit) {
            Effect::OddsRatio => self.curve.as_ref()?.interval(self.alpha),
            Effect::Ratio => self.walk_interval()?.map(f64::exp),
            Effect::Difference | Effect::ExceedanceDifference => self.walk_interval(),
            Effect::RateRatio => self.superior.as_ref()?.split()?.interval(self.alpha),
            Effect::QuantileRatio => self.quantile_interval(metric, epochs),
            Effect::None => None,
        }
    }

    /// Of the newest epoch that has both arms: over epochs the traffic changes, and with it the quantile
    /// that both arms would have.
    fn quantile_interval(&self, metric: &Metric, epochs: &[EpochEvidence]) -> Option<Interval> {
        let Kind::Quantile { at } = metric.kind else {
            return None;
        };
        let both = |epoch: &EpochEvidence| {
            let control = epoch.arms.first()?.histogram.clone()?;
            Some([control, epoch.arms.get(self.arm)?.histogram.clone()?])
        };
        let [control, candidate] = epochs.iter().rev().find_map(both)?;
        let mut places: BTreeMap<i32, [u64; 2]> = BTreeMap::new();
        for (arm, histogram) in [control, candidate].iter().enumerate() {
            if histogram.none() > 0 {
                places.entry(BIN_MIN - 1).or_default()[arm] += histogram.none();
            }
            for (bin, count) in histogram.bins() {
                places.entry(bin).or_default()[arm] += count;
            }
        }
        let places: Vec<Place> = places
            .into_iter()
            .map(|(at, [a, b])| Place { at, a, b })
            .collect();
        let test = QuantileAb::new(at, self.alpha, quantile_ab::OPTIMUM);
        test.interval(&places, self.alpha, GAMMA.ln())
    }

    fn walk_interval(&self) -> Option<Interval> {
        let equality = self.superior.as_ref().or(self.not_worse.as_ref());
        equality?.walk()?.interval(self.boundary)
    }
}

impl Closing<'_> {
    /// Everything so far of one arm.
    pub(crate) fn total(&self, arm: usize) -> Tally {
        total(self.epochs, arm)
    }

    /// Independent outcomes of an arm so far: requests, or the first one of each unit that returns.
    pub(crate) fn independent(&self, arm: usize, better: Better) -> Count {
        if let Some(firsts) = self.firsts {
            return firsts.get(arm).copied().unwrap_or_default();
        }
        let total = self.total(arm);
        let successes = match better {
            Better::Higher => total.ones(),
            Better::Lower => total.n - total.ones(),
        };
        let n = total.n;
        Count { n, successes }
    }

    /// The control and an arm, epoch by epoch.
    pub(crate) fn pairs(&self, arm: usize) -> impl Iterator<Item = (&Cell, &Cell)> {
        self.epochs
            .iter()
            .filter_map(move |epoch| Some((epoch.arms.first()?, epoch.arms.get(arm)?)))
    }

    /// B's share of the traffic by A's, in this epoch.
    pub(crate) fn odds(&self, arm: usize) -> f64 {
        let share = |arm: usize| self.shares.get(arm).copied().unwrap_or(0.0);
        share(arm) / share(0)
    }

    /// How many events this tick brought to an arm.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a sum of whole numbers, and saturating"
    )]
    pub(crate) fn events(&self, arm: usize) -> u64 {
        let sum = self.cells.get(arm).map_or(0.0, |cell| cell.tally.sum);
        sum.round() as u64
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
pub(crate) fn whole(epochs: &[EpochEvidence], arm: usize) -> Cell {
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

#[cfg(test)]
mod kinds;

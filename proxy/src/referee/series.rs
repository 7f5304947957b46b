//! How a run came to stand where it does: a bounded history of its estimates, intervals and evidence.
//!
//! For people alone; no verdict reads it. The newest point is always the present. Once there are more points
//! than may be kept, every other one goes and those that follow are twice as far apart, so that a minute and a
//! month both fit. What is kept is written down once a minute and at the end: a crash loses that much of it.

mod shown;

use serde::{Deserialize, Serialize};
use stats::Score;

pub(crate) use shown::Shown;

use super::book::{self, Entry};
use super::keeper::{Keeper, blocking};
use super::run::Run;
use super::{millis, unix_ms};
use std::time::Duration;

/// How many points are kept, ...
const POINTS_MAX: usize = 480;
/// ... how far apart they are at first, ...
const SPACING_MS: u64 = 500;
/// ... and how often they are written down.
const WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// The layout of what is written down: another Wald may write another.
const VERSION: u8 = 1;

/// The history of one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    /// How many times the spacing has doubled.
    doublings: u32,
    /// Whether the last point is that of the decision.
    is_over: bool,
    points: Vec<Point>,
    #[serde(skip)]
    written_ms: u64,
}

/// One moment. Numbers that are drawn need no more than these digits; none is `NaN`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    at_ms: u64,
    observations: u64,
    shares: Vec<f32>,
    exposures: Vec<u64>,
    sample_ratio: f32,
    metrics: Vec<Mark>,
}

/// One metric on one candidate at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    estimate: [f32; 2],
    interval: [f32; 2],
    /// "Better", "not worse" and "worse", each with what it must reach.
    tests: [[f32; 2]; 3],
}

impl Series {
    /// What was written down of a run; nothing, if it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let [VERSION, bytes @ ..] = bytes else {
            return Self::default();
        };
        postcard::from_bytes(bytes).unwrap_or_default()
    }

    /// Writing to memory fails for nothing but a type that postcard does not know.
    fn written(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }

    /// How far apart points are that stay.
    fn spacing_ms(&self) -> u64 {
        SPACING_MS.saturating_mul(1_u64.checked_shl(self.doublings).unwrap_or(u64::MAX))
    }

    /// Adds how the run stands. After a decision its history is complete.
    fn note(&mut self, entry: &Entry, now_ms: u64) {
        let is_over = book::is_decided(entry);
        if self.is_over && is_over {
            return;
        }
        self.is_over = is_over;
        self.push(Point::of(entry, now_ms));
    }

    fn push(&mut self, point: Point) {
        let before_last = self.points.iter().rev().nth(1);
        let spacing_ms = self.spacing_ms();
        if before_last.is_some_and(|kept| point.at_ms.saturating_sub(kept.at_ms) < spacing_ms) {
            self.points.pop();
        }
        self.points.push(point);
        if self.points.len() > POINTS_MAX {
            self.thin();
        }
    }

    fn thin(&mut self) {
        let last = self.points.pop();
        let mut place = 0;
        self.points.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        self.points.extend(last);
        self.doublings += 1;
    }
}

impl Point {
    fn of(entry: &Entry, at_ms: u64) -> Self {
        let arms = entry.arms.iter();
        Self {
            at_ms,
            observations: entry.observations,
            shares: arms.clone().map(|arm| short(arm.share)).collect(),
            exposures: arms.map(|arm| arm.exposures).collect(),
            sample_ratio: short(entry.sample_ratio.log_e),
            metrics: entry.metrics.iter().map(Mark::of).collect(),
        }
    }
}

impl Mark {
    fn of(metric: &book::Metric) -> Self {
        let estimate = [metric.estimate.control, metric.estimate.candidate];
        let interval = metric
            .interval
            .map(|interval| [interval.low, interval.high]);
        Self {
            estimate: estimate.map(|value| value.map_or(f32::NAN, short)),
            interval: interval.map_or([f32::NAN; 2], |ends| ends.map(short)),
            tests: [metric.superior, metric.not_worse, metric.worse].map(reached),
        }
    }
}

/// What a test has reached, and what it must.
fn reached(score: Option<Score>) -> [f32; 2] {
    match score {
        Some(Score::Evidence { log_e, threshold }) => [log_e, threshold].map(short),
        Some(Score::Boundary { z, bound }) => [z, bound].map(short),
        Some(Score::Gathering) | None => [f32::NAN; 2],
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are more than a chart shows"
)]
fn short(value: f64) -> f32 {
    value as f32
}

impl Keeper {
    /// Adds how every run stands to its history, and now and then writes the histories down.
    pub(super) async fn note_series(&mut self, now_ms: u64) {
        let book = self.book();
        for (run, entry) in self.runs.iter_mut().zip(&book.experiments) {
            run.series.note(entry, now_ms);
        }
        self.write_series(now_ms, millis(WRITTEN_EVERY)).await;
    }

    /// Writes every history down as it is.
    pub(super) async fn keep_series(&mut self) {
        self.write_series(unix_ms(), 0).await;
    }

    async fn write_series(&mut self, now_ms: u64, age_ms: u64) {
        let is_due = |series: &Series| now_ms.saturating_sub(series.written_ms) >= age_ms;
        let mut due = Vec::new();
        for run in self.runs.iter_mut().filter(|run| is_due(&run.series)) {
            run.series.written_ms = now_ms;
            due.push((run.experiment.name.to_string(), run.series.written()));
        }
        if due.is_empty() {
            return;
        }
        let written = blocking(&self.store, move |tx| {
            due.iter()
                .try_for_each(|(name, series)| tx.put_series(name, series))
        });
        if let Err(error) = written.await {
            self.store_failed(&error);
        }
    }

    /// The history of an experiment's newest run after a moment, in milliseconds since 1970.
    pub(super) fn series(&self, experiment: &str, after_ms: u64) -> Option<Shown> {
        let run = self
            .runs
            .iter()
            .find(|run| *run.experiment.name == *experiment)?;
        Some(Shown::of(run, after_ms))
    }

    /// Every test of an experiment's newest run, with what it is made of.
    pub(super) fn evidence(&self, experiment: &str) -> Option<Vec<stats::Asked>> {
        let its = |run: &&Run| *run.experiment.name == *experiment;
        Some(self.runs.iter().find(its)?.ledger.asked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_ms: u64) -> Point {
        Point {
            at_ms,
            observations: at_ms,
            shares: Vec::new(),
            exposures: Vec::new(),
            sample_ratio: 0.0,
            metrics: Vec::new(),
        }
    }

    #[test]
    fn a_day_of_beats_fits_and_keeps_its_first_and_its_newest_moment() {
        let mut series = Series::default();
        let day_ms = 24 * 3600 * 1000;
        (0..=day_ms)
            .step_by(500)
            .for_each(|now| series.push(at(now)));
        let times: Vec<u64> = series.points.iter().map(|point| point.at_ms).collect();
        assert!(
            (POINTS_MAX / 2..=POINTS_MAX).contains(&times.len()),
            "{}",
            times.len()
        );
        assert_eq!((times.first(), times.last()), (Some(&0), Some(&day_ms)));
        let apart = times.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(apart.max() <= Some(2 * series.spacing_ms()), "{times:?}");
    }

    #[test]
    fn a_few_beats_are_all_kept() {
        let mut series = Series::default();
        (0..100).for_each(|beat| series.push(at(beat * 500)));
        assert_eq!(series.points.len(), 100);
    }

    #[test]
    fn what_is_written_is_read_again_and_another_layout_is_nothing() {
        let mut series = Series::default();
        series.push(at(7));
        let mut bytes = series.written();
        assert_eq!(Series::read(&bytes), series);
        bytes[0] = VERSION + 1;
        assert_eq!(Series::read(&bytes), Series::default());
    }
}

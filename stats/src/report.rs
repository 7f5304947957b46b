//! Every number of a run, for APIs, dashboards and people.

use serde::{Deserialize, Serialize};

use crate::{
    design::{Kind, Method, Metric, Role, Scale},
    e_bh,
    evidence::{Cell, EpochEvidence, Histogram},
    interval::{Effect, Interval},
    ledger::{Ledger, Measured},
    sample_ratio,
    trial::{Numbers, Question, Score, Trial, total},
};

/// The state of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// By arm, the control first.
    pub arms: Vec<ArmReport>,
    /// By metric and candidate.
    pub metrics: Vec<MetricReport>,
    /// The check of the assignment.
    pub sample_ratio: SampleRatioReport,
    /// Closed observations of all arms.
    pub observations: u64,
    /// Observations that came after their tick had closed.
    pub late: u64,
    /// Observations that could not be one of their metric's.
    pub unusable: u64,
}

/// Who was exposed to an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmReport {
    /// Requests.
    pub exposures: u64,
    /// Units told apart; requests, where each is its own.
    pub units: u64,
}

/// One metric on one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReport {
    /// The metric.
    pub name: String,
    /// The candidate's position among the arms.
    pub arm: usize,
    /// What the metric has to show.
    pub role: Role,
    /// What the interval is about.
    pub scale: Effect,
    /// Means or rates, weighted alike over epochs; geometric means on the log scale.
    pub estimate: Estimate,
    /// Where the effect may lie, valid at every moment; none before there is enough to say.
    pub interval: Option<Interval>,
    /// ln E by question, where the test has one.
    pub log_e: LogE,
    /// Whether a list of better candidates would hold this one: by e-BH over all candidates' e-values as
    /// they stand now, so that at most α of a list is expected to be wrong. No proof of any one of them.
    pub listed: bool,
    /// Whether the alarm behind the metric has gone off.
    pub alarm: bool,
    /// Which test answers each question.
    pub methods: Methods,
    /// The score of "B is better".
    pub superior: Option<Score>,
    /// The score of "B is not worse by its margin".
    pub not_worse: Option<Score>,
    /// The score of "B is worse".
    pub worse: Option<Score>,
    /// Closed observations of the control and the candidate.
    pub n: [u64; 2],
}

/// The tests of a metric by question; none where it is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Methods {
    /// Of "B is better".
    pub superior: Option<Method>,
    /// Of "B is not worse by its margin".
    pub not_worse: Option<Method>,
    /// Of "B is worse".
    pub worse: Option<Method>,
}

/// What both arms are estimated at; none of an arm that was never observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The control.
    pub control: Option<f64>,
    /// The candidate.
    pub candidate: Option<f64>,
}

/// ln E by question; none where the test is no e-value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogE {
    /// "B is better".
    pub superior: Option<f64>,
    /// "B is not worse by its margin".
    pub not_worse: Option<f64>,
    /// "B is worse".
    pub worse: Option<f64>,
}

/// The check of the assignment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRatioReport {
    /// ln E now.
    pub log_e: f64,
    /// What it must stay below.
    pub threshold: f64,
    /// Whether it ever did not.
    pub alarm: bool,
    /// One unit of so many is counted: one, until there are too many to tell apart.
    pub sampling: u64,
}

/// One test as it stands, with what its score is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The metric.
    pub metric: String,
    /// The candidate's position among the arms.
    pub arm: usize,
    /// What is asked.
    pub question: Question,
    /// Which test answers.
    pub method: Option<Method>,
    /// How far it has come.
    pub score: Score,
    /// Every number of the score.
    pub numbers: Numbers,
}

impl Ledger {
    /// Every test that a verdict may rest on.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let pairs = self.measured().iter().zip(&self.design().metrics);
        let trials = pairs.flat_map(|(measured, metric)| {
            measured
                .trials
                .iter()
                .map(move |trial| (measured, metric, trial))
        });
        let tests = trials.flat_map(|(measured, metric, trial)| {
            let questions = [Question::Superior, Question::NotWorse, Question::Worse].into_iter();
            questions.filter_map(move |question| {
                let test = trial.test(question)?;
                Some(Asked {
                    metric: metric.name.clone(),
                    arm: trial.arm,
                    question,
                    method: metric.method(self.design().unit, question),
                    score: test.score(),
                    numbers: test.numbers(measured.pairs(trial.arm)),
                })
            })
        });
        tests.collect()
    }
}

pub(crate) fn of(ledger: &Ledger) -> Report {
    let ratio = ledger.sample_ratio();
    let arm = |arm| ArmReport {
        exposures: ratio.exposures(arm),
        units: ratio.units(arm),
    };
    let pairs = ledger.measured().iter().zip(&ledger.design().metrics);
    let metrics = pairs.flat_map(|(measured, metric)| {
        measured
            .trials
            .iter()
            .map(move |trial| metric_report(ledger, metric, measured, trial))
    });
    Report {
        arms: (0..ledger.design().arms).map(arm).collect(),
        metrics: metrics.collect(),
        sample_ratio: SampleRatioReport {
            log_e: ratio.log_e(),
            threshold: -sample_ratio::ALPHA.ln(),
            alarm: ratio.alarm(),
            sampling: ratio.sampling(),
        },
        observations: ledger.observations(),
        late: ledger.late(),
        unusable: ledger.unusable(),
    }
}

fn metric_report(
    ledger: &Ledger,
    metric: &Metric,
    measured: &Measured,
    trial: &Trial,
) -> MetricReport {
    let unit = ledger.design().unit;
    let score = |question| trial.test(question).map(crate::trial::Test::score);
    let [superior, not_worse, worse] =
        [Question::Superior, Question::NotWorse, Question::Worse].map(score);
    let log_e = |score: Option<Score>| score.and_then(|score| score.log_e());
    MetricReport {
        name: metric.name.clone(),
        arm: trial.arm,
        role: metric.role,
        scale: Effect::of(metric, unit),
        estimate: Estimate::of(metric, &measured.epochs, trial.arm),
        interval: trial.interval(metric, unit, &measured.epochs),
        log_e: LogE {
            superior: log_e(superior),
            not_worse: log_e(not_worse),
            worse: log_e(worse),
        },
        listed: listed(ledger, measured, trial.arm),
        alarm: trial.is_alarmed(),
        methods: Methods {
            superior: metric.method(unit, Question::Superior),
            not_worse: metric.method(unit, Question::NotWorse),
            worse: metric.method(unit, Question::Worse),
        },
        superior,
        not_worse,
        worse,
        n: [0, trial.arm].map(|arm| total(&measured.epochs, arm).n),
    }
}

fn listed(ledger: &Ledger, measured: &Measured, arm: usize) -> bool {
    let superior = |trial: &Trial| trial.superior.as_ref()?.score().log_e();
    // A test without an e-value has nothing to list by.
    let log_e: Vec<f64> = measured
        .trials
        .iter()
        .map(|trial| superior(trial).unwrap_or(f64::NAN))
        .collect();
    e_bh::rejected(&log_e, ledger.design().alpha).contains(&(arm - 1))
}

impl Estimate {
    /// Both arms' means, each epoch weighted by h = n_a n_b / n for both alike, as the tests do: their
    /// difference is then an effect and no drift. An arm that was never seen together with the other
    /// has its plain mean.
    pub(crate) fn of(metric: &Metric, epochs: &[EpochEvidence], arm: usize) -> Self {
        match metric.kind {
            Kind::Quantile { at } => Self::quantile(at, epochs, arm),
            // The middle stands for the whole.
            Kind::Distribution => Self::quantile(0.5, epochs, arm),
            Kind::Ratio => Self::ratio(epochs, arm),
            _ => Self::mean(metric, epochs, arm),
        }
    }

    /// Of the newest epoch that has both arms, as its interval.
    fn quantile(at: f64, epochs: &[EpochEvidence], arm: usize) -> Self {
        let of = |epoch: &EpochEvidence, arm: usize| {
            let bin = epoch.arms.get(arm)?.histogram.as_ref()?.quantile(at)?;
            Some(Histogram::middle(bin))
        };
        let both = |epoch: &EpochEvidence| Some([of(epoch, 0)?, of(epoch, arm)?]);
        let found = epochs.iter().rev().find_map(both);
        Self {
            control: found.map(|[control, _]| control),
            candidate: found.map(|[_, candidate]| candidate),
        }
    }

    /// Both arms' ratios of sums, each epoch weighted as its test does, by h·x̄ of the candidate.
    fn ratio(epochs: &[EpochEvidence], arm: usize) -> Self {
        let (mut weight, mut control, mut candidate) = (0.0, 0.0, 0.0);
        for epoch in epochs {
            let (Some(a), Some(b)) = (epoch.arms.first(), epoch.arms.get(arm)) else {
                continue;
            };
            let second = |cell: &Cell| cell.pair.as_ref().map(|pair| pair.x);
            let (Some(x_a), Some(x_b)) = (second(a), second(b)) else {
                continue;
            };
            if x_a.sum > 0.0 && x_b.sum > 0.0 {
                let h = a.tally.count() * x_b.sum / (a.tally.count() + b.tally.count());
                weight += h;
                control += h * a.tally.sum / x_a.sum;
                candidate += h * b.tally.sum / x_b.sum;
            }
        }
        let shown = |sum: f64| (weight > 0.0).then(|| sum / weight);
        Self {
            control: shown(control),
            candidate: shown(candidate),
        }
    }

    fn mean(metric: &Metric, epochs: &[EpochEvidence], arm: usize) -> Self {
        let (mut weight, mut control, mut candidate) = (0.0, 0.0, 0.0);
        for epoch in epochs {
            let (Some(a), Some(b)) = (epoch.arms.first(), epoch.arms.get(arm)) else {
                continue;
            };
            let (Some(mean_a), Some(mean_b)) = (a.tally.mean(), b.tally.mean()) else {
                continue;
            };
            let h = a.tally.count() * b.tally.count() / (a.tally.count() + b.tally.count());
            weight += h;
            control += h * mean_a;
            candidate += h * mean_b;
        }
        let is_log = matches!(
            metric.kind,
            Kind::Mean { scale: Scale::Log } | Kind::Adjusted { scale: Scale::Log }
        );
        let show = |mean: f64| if is_log { mean.exp() } else { mean };
        if weight > 0.0 {
            let shown = |sum: f64| Some(show(sum / weight));
            return Self {
                control: shown(control),
                candidate: shown(candidate),
            };
        }
        let plain = |arm| total(epochs, arm).mean().map(show);
        Self {
            control: plain(0),
            candidate: plain(arm),
        }
    }
}

//! One question, one method.

use serde::{Deserialize, Serialize};

use crate::{
    agreement::Agreement,
    conditional::{Conditional, Table},
    design::{Better, Design, Kind, Margin, Method, Metric, Scale, Side},
    event_split::{self, EventSplit},
    ledger::Count,
    robbins_siegmund::{Null, RobbinsSiegmund, Second, Walk, explained},
};

use super::{
    Closing, Crossing, Numbers, Question, Score, exceedance::Exceedance, labels::Labels, numbers,
};

/// The state of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Test {
    state: State,
    /// ln(1/α).
    threshold: f64,
    better: Better,
    pub(crate) crossed: Option<Crossing>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum State {
    Conditional(Conditional),
    Exceedance(Exceedance),
    Agreement(Ceiling),
    /// With the ratio of rates that is tested.
    EventSplit(EventSplit, f64),
    Labels(Labels),
    Walk(RobbinsSiegmund, Second),
}

/// One arm's successes against a fixed rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Ceiling {
    test: Agreement,
    null: f64,
    side: Side,
    successes: u64,
    n: u64,
}

impl Test {
    /// The test that suits the metric; none where nothing would be sound, which
    /// [`Design::problems`] explains.
    pub(crate) fn new(design: &Design, metric: &Metric, question: Question) -> Option<Self> {
        let (side, level) = match question {
            Question::Superior => (metric.better.side(), design.alpha_goal()),
            Question::NotWorse => (metric.better.side(), design.alpha_each()),
            Question::Worse => (metric.better.side().opposite(), design.alpha_harm()),
        };
        // The e-values of harm are averaged, and their average is held against α undivided.
        let alpha = match question {
            Question::Superior => design.alpha_goal(),
            Question::NotWorse | Question::Worse => design.alpha_each(),
        };
        let method = metric.method(design.unit, question)?;
        let margin = metric.null(question)?;
        Some(Self {
            state: State::new(method, metric, margin, side, level)?,
            threshold: -alpha.ln(),
            better: metric.better,
            crossed: None,
        })
    }

    /// The alarm behind a guardrail of a mean: it says nothing about means, so it proves nothing and
    /// rolls nothing back; it only stops the ramp. All alarms of a candidate share its error rate.
    pub(crate) fn alarm(design: &Design, metric: &Metric) -> Option<Self> {
        let allowed = metric.alarm_allowance(design.unit)?;
        let side = metric.better.side().opposite();
        Some(Self {
            state: State::Labels(Labels::new(metric.kind, side, allowed)),
            threshold: -design.alpha_harm().ln(),
            better: metric.better,
            crossed: None,
        })
    }

    pub(crate) fn close(
        &mut self,
        arm: usize,
        closing: &Closing<'_>,
        tables: &[Table],
        gate: bool,
    ) {
        match &mut self.state {
            State::Conditional(test) => tables.iter().for_each(|table| test.add(table)),
            State::Exceedance(test) => test.close(arm, closing),
            State::Labels(test) => test.close(arm, closing),
            State::EventSplit(test, ratio) => {
                let odds = *ratio * closing.odds(arm);
                let events = [0, arm].map(|arm| closing.events(arm));
                test.add(closing.epoch, odds / (1.0 + odds), events);
            }
            State::Walk(test, second) => {
                let walk = Walk::with(*second, test.null(), closing.pairs(arm));
                test.move_to(walk, gate);
                if let Second::Covariate(theta) = second {
                    *theta = explained(closing.pairs(arm).flat_map(|(a, b)| [a, b]));
                }
            }
            State::Agreement(ceiling) => {
                let Count { n, successes } = closing.independent(arm, self.better);
                (ceiling.successes, ceiling.n) = (successes, n);
                ceiling.test.move_to(successes, n);
            }
        }
        let score = self.score();
        if self.crossed.is_none() && score.crosses() {
            self.crossed = Some(Crossing {
                tick: closing.tick,
                score,
                numbers: self.numbers(closing.pairs(arm)),
            });
        }
    }

    pub(crate) fn score(&self) -> Score {
        let log_e = match &self.state {
            State::Conditional(test) => test.log_e(),
            State::Exceedance(test) => test.log_e(),
            State::Agreement(ceiling) => ceiling.test.log_e(),
            State::EventSplit(test, _) => test.log_e(),
            State::Labels(test) => test.log_e(),
            State::Walk(test, _) => {
                return test
                    .position()
                    .map_or(Score::Gathering, |position| Score::Boundary {
                        z: position.z,
                        bound: position.bound,
                    });
            }
        };
        Score::Evidence {
            log_e,
            threshold: self.threshold,
        }
    }

    /// Every number that the score is made of; `pairs` are the sums of control and candidate by epoch.
    pub(crate) fn numbers<'a>(
        &self,
        pairs: impl Iterator<Item = (&'a crate::Cell, &'a crate::Cell)>,
    ) -> Numbers {
        match &self.state {
            State::Conditional(test) => Numbers::of_conditional(test),
            State::Exceedance(test) => test.numbers(),
            State::Labels(test) => test.numbers(),
            State::EventSplit(test, ratio) => Numbers::EventSplit {
                ratio: *ratio,
                prior: event_split::PRIOR,
                tail: test.tail(),
                splits: test.splits().to_vec(),
            },
            State::Agreement(ceiling) => Numbers::Agreement {
                null: ceiling.null,
                tail: ceiling.side.into(),
                prior: crate::agreement::PRIOR,
                successes: ceiling.successes,
                n: ceiling.n,
            },
            State::Walk(test, second) => Numbers::RobbinsSiegmund {
                null: test.null(),
                side: test.side(),
                second: *second,
                a: test.a(),
                start: test.start(),
                sum: test.walk().sum,
                variance: test.walk().variance,
                weight: test.walk().weight,
                epochs: pairs.map(numbers::Stretch::of).collect(),
            },
        }
    }

    pub(crate) fn walk(&self) -> Option<&RobbinsSiegmund> {
        match &self.state {
            State::Walk(test, _) => Some(test),
            _ => None,
        }
    }

    pub(crate) fn split(&self) -> Option<&EventSplit> {
        match &self.state {
            State::EventSplit(test, _) => Some(test),
            _ => None,
        }
    }
}

impl State {
    fn new(
        method: Method,
        metric: &Metric,
        margin: Option<Margin>,
        side: Side,
        level: f64,
    ) -> Option<Self> {
        let worse = -metric.better.side().sign();
        Some(match method {
            Method::Conditional => {
                let odds = odds(margin)?;
                Self::Conditional(Conditional::new(worse * odds.ln(), side))
            }
            Method::QuantileExceedance => {
                let Kind::Quantile { at } = metric.kind else {
                    return None;
                };
                let null = worse * odds(margin).unwrap_or(1.0).ln();
                Self::Exceedance(Exceedance::new(at, metric.allowance(margin), null, side))
            }
            Method::Agreement => {
                let Some(Margin::AtMost(limit)) = margin else {
                    return None;
                };
                // Of B's successes, whichever of 1 and 0 that is: proving is greater, harm is less.
                let side = if side == metric.better.side() {
                    Side::Greater
                } else {
                    Side::Less
                };
                Self::Agreement(Ceiling {
                    test: Agreement::new(1.0 - limit, side),
                    null: 1.0 - limit,
                    side,
                    successes: 0,
                    n: 0,
                })
            }
            Method::EventSplit => Self::EventSplit(
                EventSplit::new(event_split::PRIOR, side),
                metric.worst(margin),
            ),
            Method::Label => Self::Labels(Labels::new(metric.kind, side, metric.allowance(margin))),
            Method::RobbinsSiegmund => {
                let second = match metric.kind {
                    Kind::Ratio => Second::Denominator,
                    Kind::Adjusted { .. } => Second::Covariate(0.0),
                    _ => Second::Nothing,
                };
                Self::Walk(
                    RobbinsSiegmund::new(null(metric, margin)?, side, level),
                    second,
                )
            }
        })
    }
}

/// The odds that a margin allows; equal ones without.
fn odds(margin: Option<Margin>) -> Option<f64> {
    match margin {
        None => Some(1.0),
        Some(Margin::Odds(odds)) => Some(odds),
        Some(Margin::Relative(_) | Margin::Absolute(_) | Margin::AtMost(_)) => None,
    }
}

/// The worst mean, or rate, that a margin allows, as a function of the control's.
fn null(metric: &Metric, margin: Option<Margin>) -> Option<Null> {
    let worse = -metric.better.side().sign();
    let is_quantile = matches!(metric.kind, Kind::Quantile { .. });
    let is_rate = is_quantile || matches!(metric.kind, Kind::Proportion | Kind::Exceedance { .. });
    let is_log = matches!(
        metric.kind,
        Kind::Mean { scale: Scale::Log } | Kind::Adjusted { scale: Scale::Log }
    );
    match margin {
        None => Some(Null::Equal),
        // What is allowed was taken off as the limit was applied.
        Some(Margin::Relative(_)) if is_quantile => Some(Null::Equal),
        Some(Margin::Absolute(difference)) => Some(Null::Shift(worse * difference)),
        Some(Margin::Relative(_)) if is_log => Some(Null::Shift(metric.worst(margin).ln())),
        Some(Margin::Relative(_)) => Some(Null::Scale(metric.worst(margin))),
        Some(Margin::Odds(odds)) if is_rate => Some(Null::Odds((worse * odds.ln()).exp())),
        Some(Margin::Odds(_) | Margin::AtMost(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, EpochEvidence, Role, Unit};

    fn metric(kind: Kind, better: Better, margin: Margin) -> Metric {
        let margin = Some(margin);
        let name = "m".to_owned();
        Metric {
            name,
            kind,
            better,
            role: Role::Guardrail,
            margin,
            critical: false,
            worth: None,
        }
    }

    fn rate(n: u64, ones: u64) -> Cell {
        let mut cell = Cell::default();
        (0..n).for_each(|i| cell.add(f64::from(u8::from(i < ones))));
        cell
    }

    fn around(n: u64, mean: f64) -> Cell {
        let mut cell = Cell::default();
        (0..n).for_each(|i| cell.add(mean + if i % 2 == 0 { 0.3 } else { -0.3 }));
        cell
    }

    /// What each question answers after one large tick: superior, not worse, worse.
    fn answers(metric: &Metric, control: Cell, candidate: Cell) -> [bool; 3] {
        let kind = metric.kind;
        let design = Design {
            arms: 2,
            unit: Unit::Request,
            metrics: vec![metric.clone()],
            alpha: 0.05,
            end: None,
            goals: crate::Goals::All,
        };
        let arms = vec![control, candidate];
        let mut trial = super::super::Trial::new(&design, metric, 1);
        let epochs = [EpochEvidence {
            epoch: 0,
            arms: arms.clone(),
        }];
        trial.close(&Closing {
            tick: 0,
            epoch: 0,
            cells: &arms,
            epochs: &epochs,
            units: None,
            firsts: None,
            shares: &[0.5, 0.5],
            kind,
        });
        [Question::Superior, Question::NotWorse, Question::Worse]
            .map(|question| trial.answered(question))
    }

    const BETTER: [bool; 3] = [true, true, false];
    const SLIGHTLY_WORSE: [bool; 3] = [false, true, false];
    const WORSE: [bool; 3] = [false, false, true];
    const LOG: Kind = Kind::Mean { scale: Scale::Log };
    const LINEAR: Kind = Kind::Mean {
        scale: Scale::Linear,
    };

    #[track_caller]
    fn check_rate(better: Better, margin: Margin, of_1000: [u64; 2], expected: [bool; 3]) {
        let [control, candidate] = of_1000.map(|ones| rate(20_000, 20 * ones));
        let found = answers(
            &metric(Kind::Proportion, better, margin),
            control,
            candidate,
        );
        assert_eq!(found, expected, "{better:?} {margin:?} {of_1000:?}");
    }

    #[test]
    fn a_rate_of_failures_is_judged_by_its_odds() {
        check_rate(Better::Lower, Margin::Odds(1.5), [100, 70], BETTER);
        check_rate(Better::Lower, Margin::Odds(1.5), [100, 105], SLIGHTLY_WORSE);
        check_rate(Better::Lower, Margin::Odds(1.5), [100, 190], WORSE);
    }

    #[test]
    fn a_rate_of_successes_is_judged_by_its_odds() {
        check_rate(Better::Higher, Margin::Odds(1.5), [900, 930], BETTER);
        check_rate(
            Better::Higher,
            Margin::Odds(1.5),
            [900, 895],
            SLIGHTLY_WORSE,
        );
        check_rate(Better::Higher, Margin::Odds(1.5), [900, 810], WORSE);
    }

    #[test]
    fn a_rate_is_judged_by_a_ceiling() {
        check_rate(Better::Lower, Margin::AtMost(0.1), [100, 70], BETTER);
        check_rate(Better::Lower, Margin::AtMost(0.1), [50, 80], SLIGHTLY_WORSE);
        check_rate(Better::Lower, Margin::AtMost(0.1), [100, 130], WORSE);
        check_rate(Better::Higher, Margin::AtMost(0.1), [900, 930], BETTER);
        check_rate(Better::Higher, Margin::AtMost(0.1), [900, 870], WORSE);
    }

    #[test]
    fn a_rate_is_judged_by_a_difference() {
        check_rate(Better::Lower, Margin::Absolute(0.02), [100, 70], BETTER);
        check_rate(
            Better::Lower,
            Margin::Absolute(0.02),
            [100, 105],
            SLIGHTLY_WORSE,
        );
        check_rate(Better::Lower, Margin::Absolute(0.02), [100, 140], WORSE);
        check_rate(Better::Higher, Margin::Absolute(0.02), [900, 930], BETTER);
        check_rate(Better::Higher, Margin::Absolute(0.02), [900, 860], WORSE);
    }

    #[track_caller]
    fn check_mean(
        kind: Kind,
        better: Better,
        margin: Margin,
        means: [f64; 2],
        expected: [bool; 3],
    ) {
        let [control, candidate] = means.map(|mean| around(2000, mean));
        let found = answers(&metric(kind, better, margin), control, candidate);
        assert_eq!(found, expected, "{better:?} {margin:?} {means:?}");
    }

    #[test]
    fn a_mean_of_logarithms_is_judged_by_its_ratio() {
        let ten = Margin::Relative(0.1);
        check_mean(LOG, Better::Lower, ten, [0.0, -0.2], BETTER);
        check_mean(LOG, Better::Lower, ten, [0.0, 0.02], SLIGHTLY_WORSE);
        check_mean(LOG, Better::Lower, ten, [0.0, 0.2], WORSE);
        check_mean(LOG, Better::Higher, ten, [0.0, 0.2], BETTER);
        check_mean(LOG, Better::Higher, ten, [0.0, -0.02], SLIGHTLY_WORSE);
        check_mean(LOG, Better::Higher, ten, [0.0, -0.2], WORSE);
    }

    #[test]
    fn a_mean_is_judged_by_its_ratio_or_its_difference() {
        for margin in [Margin::Relative(0.1), Margin::Absolute(0.5)] {
            check_mean(LINEAR, Better::Lower, margin, [5.0, 4.5], BETTER);
            check_mean(LINEAR, Better::Lower, margin, [5.0, 5.02], SLIGHTLY_WORSE);
            check_mean(LINEAR, Better::Lower, margin, [5.0, 6.0], WORSE);
            check_mean(LINEAR, Better::Higher, margin, [5.0, 5.5], BETTER);
            check_mean(LINEAR, Better::Higher, margin, [5.0, 4.98], SLIGHTLY_WORSE);
            check_mean(LINEAR, Better::Higher, margin, [5.0, 4.0], WORSE);
        }
    }

    #[test]
    fn a_critical_guardrail_answers_for_any_harm() {
        let mut metric = metric(LINEAR, Better::Lower, Margin::Relative(0.1));
        metric.critical = true;
        assert_eq!(
            answers(&metric, around(2000, 5.0), around(2000, 5.1)),
            [false, true, true]
        );
    }
}

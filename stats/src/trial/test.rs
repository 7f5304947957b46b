//! One question, one method.

use serde::{Deserialize, Serialize};

use crate::{
    agreement::Agreement,
    conditional::{Conditional, Table},
    design::{Better, Design, Kind, Margin, Metric, Role, Scale, Side, Unit},
    robbins_siegmund::{Null, RobbinsSiegmund, Walk},
};

use super::{Closing, Crossing, Question, Score};

/// The state of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Test {
    method: Method,
    /// ln(1/α).
    threshold: f64,
    better: Better,
    pub(crate) crossed: Option<Crossing>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Method {
    Conditional(Conditional),
    Walk(RobbinsSiegmund),
    Agreement(Agreement),
}

impl Test {
    /// The test that suits the metric; none where nothing would be sound, which
    /// [`Design::problems`] explains.
    pub(crate) fn new(design: &Design, metric: &Metric, question: Question) -> Option<Self> {
        let (side, level) = match question {
            Question::Superior | Question::NotWorse => (metric.better.side(), design.alpha_each()),
            Question::Worse => (metric.better.side().opposite(), design.alpha_harm()),
        };
        let margin = match question {
            Question::Superior => None,
            Question::Worse if metric.role == Role::Goal || metric.critical => None,
            Question::NotWorse | Question::Worse => Some(metric.margin?),
        };
        let method = Method::new(metric, design.unit, margin, side, level)?;
        Some(Self {
            method,
            threshold: -design.alpha_each().ln(),
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
        match &mut self.method {
            Method::Conditional(test) => tables.iter().for_each(|table| test.add(table)),
            Method::Walk(test) => {
                test.move_to(Walk::of(test.null(), closing.pairs(arm)), gate);
            }
            Method::Agreement(test) => {
                let total = closing.total(arm);
                let successes = match self.better {
                    Better::Higher => total.ones(),
                    Better::Lower => total.n - total.ones(),
                };
                test.move_to(successes, total.n);
            }
        }
        let score = self.score();
        if self.crossed.is_none() && score.crosses() {
            self.crossed = Some(Crossing {
                tick: closing.tick,
                score,
            });
        }
    }

    pub(crate) fn score(&self) -> Score {
        let evidence = |log_e| Score::Evidence {
            log_e,
            threshold: self.threshold,
        };
        match &self.method {
            Method::Conditional(test) => evidence(test.log_e()),
            Method::Agreement(test) => evidence(test.log_e()),
            Method::Walk(test) => {
                test.position()
                    .map_or(Score::Gathering, |position| Score::Boundary {
                        z: position.z,
                        bound: position.bound,
                    })
            }
        }
    }

    pub(crate) fn walk(&self) -> Option<&RobbinsSiegmund> {
        match &self.method {
            Method::Walk(test) => Some(test),
            Method::Conditional(_) | Method::Agreement(_) => None,
        }
    }
}

impl Method {
    fn new(
        metric: &Metric,
        unit: Unit,
        margin: Option<Margin>,
        side: Side,
        level: f64,
    ) -> Option<Self> {
        let rate_of_requests = metric.kind == Kind::Proportion && unit == Unit::Request;
        match margin {
            None if rate_of_requests => Some(Self::Conditional(Conditional::new(0.0, side))),
            Some(Margin::Odds(odds)) if rate_of_requests => {
                let worst = -metric.better.side().sign() * odds.ln();
                Some(Self::Conditional(Conditional::new(worst, side)))
            }
            Some(Margin::AtMost(limit)) if rate_of_requests => {
                // Of B's successes, whichever of 1 and 0 that is: proving is greater, harm is less.
                let side = if side == metric.better.side() {
                    Side::Greater
                } else {
                    Side::Less
                };
                Some(Self::Agreement(Agreement::new(1.0 - limit, side)))
            }
            _ => Some(Self::Walk(RobbinsSiegmund::new(
                null(metric, margin)?,
                side,
                level,
            ))),
        }
    }
}

/// The worst mean, or rate, that a margin allows, as a function of the control's.
fn null(metric: &Metric, margin: Option<Margin>) -> Option<Null> {
    let worse = -metric.better.side().sign();
    let rate = metric.kind == Kind::Proportion;
    match margin {
        None => Some(Null::Equal),
        Some(Margin::Absolute(difference)) => Some(Null::Shift(worse * difference)),
        Some(Margin::Relative(part)) => {
            let ratio = 1.0 + worse * part;
            let log = metric.kind == Kind::Mean { scale: Scale::Log };
            Some(if log {
                Null::Shift(ratio.ln())
            } else {
                Null::Scale(ratio)
            })
        }
        Some(Margin::Odds(odds)) if rate => Some(Null::Odds((worse * odds.ln()).exp())),
        Some(Margin::Odds(_) | Margin::AtMost(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, EpochEvidence};

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

//! Which test answers which question: the right one, never the convenient one.
//!
//! By kind of number, by unit, by question, and by margin where a margin is what is proven. Requests of
//! a unit that returns are no independent observations, so a sticky experiment never gets a test that
//! counts requests. Where nothing would be sound there is no method, and [`Design::problems`] says so.
//!
//! [`Design::problems`]: super::Design::problems

use serde::{Deserialize, Serialize};

use super::{Kind, Margin, Metric, Role, Unit};
use crate::{evidence::GAMMA, trial::Question};

/// A test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The conditional 2×2 test of a rate.
    #[serde(rename = "conditional_2x2")]
    Conditional,
    /// The same on how often a quantile of earlier ticks is exceeded.
    QuantileExceedance,
    /// One arm's rate against a fixed one.
    Agreement,
    /// How events split between the arms.
    EventSplit,
    /// Whether the arm can be guessed from the observation.
    Label,
    /// A sum against a boundary; by buckets where units return.
    RobbinsSiegmund,
}

impl Method {
    /// The test for a question, when `margin` is what has to be proven or is exceeded (none: equality).
    pub(crate) fn of(
        kind: Kind,
        unit: Unit,
        question: Question,
        margin: Option<Margin>,
    ) -> Option<Self> {
        match (kind, unit) {
            (Kind::Proportion | Kind::Exceedance { .. }, Unit::Request) => Some(of_a_rate(margin)),
            (Kind::Quantile { .. }, Unit::Sticky) => match margin {
                None | Some(Margin::Relative(_) | Margin::Odds(_)) => Some(Self::RobbinsSiegmund),
                Some(Margin::Absolute(_) | Margin::AtMost(_)) => None,
            },
            (Kind::Proportion | Kind::Exceedance { .. }, Unit::Sticky) => match margin {
                // Of units' first requests, which are independent.
                Some(Margin::AtMost(_)) => Some(Self::Agreement),
                None | Some(Margin::Odds(_) | Margin::Relative(_) | Margin::Absolute(_)) => {
                    Some(Self::RobbinsSiegmund)
                }
            },
            (
                Kind::Mean { .. } | Kind::Adjusted { .. } | Kind::Ratio,
                Unit::Request | Unit::Sticky,
            )
            | (Kind::Count, Unit::Sticky) => match margin {
                None | Some(Margin::Relative(_) | Margin::Absolute(_)) => {
                    Some(Self::RobbinsSiegmund)
                }
                Some(Margin::Odds(_) | Margin::AtMost(_)) => None,
            },
            (Kind::Count, Unit::Request) => match margin {
                None | Some(Margin::Relative(_)) => Some(Self::EventSplit),
                Some(Margin::Odds(_) | Margin::Absolute(_) | Margin::AtMost(_)) => None,
            },
            (Kind::Quantile { .. }, Unit::Request) => match margin {
                None | Some(Margin::Relative(_) | Margin::Odds(_)) => {
                    Some(Self::QuantileExceedance)
                }
                Some(Margin::Absolute(_) | Margin::AtMost(_)) => None,
            },
            (Kind::Distribution, Unit::Request) => match (question, margin) {
                (Question::Worse, None | Some(Margin::Relative(_))) => Some(Self::Label),
                (Question::Worse, Some(_)) | (Question::Superior | Question::NotWorse, _) => None,
            },
            (Kind::Distribution, Unit::Sticky) => None,
        }
    }
}

/// Rates of requests: odds are compared exactly; differences and relative margins have no exact test
/// that a drifting base rate leaves alone.
fn of_a_rate(margin: Option<Margin>) -> Method {
    match margin {
        None | Some(Margin::Odds(_)) => Method::Conditional,
        Some(Margin::AtMost(_)) => Method::Agreement,
        Some(Margin::Relative(_) | Margin::Absolute(_)) => Method::RobbinsSiegmund,
    }
}

impl Metric {
    /// The worst ratio to the control's value that a margin allows: 1.1 for 10% where less is better, 0.9
    /// where more is.
    pub(crate) fn worst(&self, margin: Option<Margin>) -> f64 {
        match margin {
            Some(Margin::Relative(part)) => 1.0 - self.better.side().sign() * part,
            _ => 1.0,
        }
    }

    /// The same as a number of bins of a histogram, by which B's observations may be larger.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounded, and clamped by `as`"
    )]
    pub(crate) fn allowance(&self, margin: Option<Margin>) -> i32 {
        (self.worst(margin).ln() / GAMMA.ln()).round() as i32
    }

    /// The allowance of the alarm behind a guardrail of a mean; none where there is no such alarm: for
    /// units that return, and where a margin is a difference, which no histogram of logarithms can be
    /// moved by.
    pub(crate) fn alarm_allowance(&self, unit: Unit) -> Option<i32> {
        let is_mean = matches!(self.kind, Kind::Mean { .. } | Kind::Adjusted { .. });
        let is_guardrail = self.role == Role::Guardrail && unit == Unit::Request;
        match self.null(Question::Worse)? {
            margin @ (None | Some(Margin::Relative(_))) if is_mean && is_guardrail => {
                Some(self.allowance(margin))
            }
            _ => None,
        }
    }

    /// Whether an arm is held against a ceiling by the first request of each unit that returns.
    pub(crate) fn counts_firsts(&self, unit: Unit) -> bool {
        unit == Unit::Sticky && matches!(self.margin, Some(Margin::AtMost(_)))
    }

    /// By how many bins a candidate's numbers may lie above a limit that moves with earlier ticks and is
    /// applied as numbers come in; none for metrics without such a limit.
    pub(crate) fn moving_allowance(&self, unit: Unit) -> Option<i32> {
        match (self.kind, unit) {
            (Kind::Quantile { .. }, Unit::Sticky) => Some(self.allowance(self.margin)),
            _ => None,
        }
    }

    /// The test that answers a question about this metric; none where it is not asked.
    #[must_use]
    pub fn method(&self, unit: Unit, question: Question) -> Option<Method> {
        let is_moved = self.moving_allowance(unit).is_some_and(|moved| moved != 0);
        if is_moved && question == Question::Superior {
            // The margin is in the sums already.
            return None;
        }
        Method::of(self.kind, unit, question, self.null(question)?)
    }

    /// What is proven or exceeded: a margin, or (none inside) equality; none outside where the question
    /// cannot be asked for want of a margin.
    #[expect(
        clippy::option_option,
        reason = "not asked, and asked without a margin, are two things"
    )]
    pub(crate) fn null(&self, question: Question) -> Option<Option<Margin>> {
        match question {
            Question::Superior => Some(None),
            Question::Worse if self.role == Role::Goal || self.critical => Some(None),
            Question::NotWorse | Question::Worse => self.margin.map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Better, Scale};

    const LOG: Kind = Kind::Mean { scale: Scale::Log };
    const LINEAR: Kind = Kind::Mean {
        scale: Scale::Linear,
    };
    const ADJUSTED: Kind = Kind::Adjusted {
        scale: Scale::Linear,
    };
    const P99: Kind = Kind::Quantile { at: 0.99 };
    const SLO: Kind = Kind::Exceedance { limit: 0.25 };

    const QUESTIONS: [Question; 3] = [Question::Superior, Question::NotWorse, Question::Worse];

    #[track_caller]
    fn check(kind: Kind, unit: Unit, margin: Margin, expected: [Option<Method>; 3]) {
        let metric = Metric {
            name: "m".to_owned(),
            kind,
            better: Better::Lower,
            role: Role::Guardrail,
            margin: Some(margin),
            critical: false,
            worth: None,
        };
        let found = QUESTIONS.map(|question| metric.method(unit, question));
        assert_eq!(found, expected, "{kind:?} {unit:?} {margin:?}");
    }

    const ODDS: Margin = Margin::Odds(1.5);
    const RELATIVE: Margin = Margin::Relative(0.1);
    const ABSOLUTE: Margin = Margin::Absolute(0.1);
    const CEILING: Margin = Margin::AtMost(0.01);

    /// Every kind of number × unit × question.
    #[test]
    fn each_kind_of_number_has_its_test_for_each_unit_and_question() {
        use Method::{
            Agreement, Conditional, EventSplit, Label, QuantileExceedance, RobbinsSiegmund,
        };
        let all = |method| [Some(method); 3];
        for rate in [Kind::Proportion, SLO] {
            check(rate, Unit::Request, ODDS, all(Conditional));
            check(rate, Unit::Sticky, ODDS, all(RobbinsSiegmund));
        }
        for mean in [LOG, LINEAR, ADJUSTED, Kind::Ratio] {
            check(mean, Unit::Request, RELATIVE, all(RobbinsSiegmund));
            check(mean, Unit::Sticky, RELATIVE, all(RobbinsSiegmund));
        }
        check(P99, Unit::Request, RELATIVE, all(QuantileExceedance));
        let walk = Some(RobbinsSiegmund);
        check(P99, Unit::Sticky, RELATIVE, [None, walk, walk]);
        check(P99, Unit::Sticky, ODDS, [walk; 3]);
        let alarm = [None, None, Some(Label)];
        check(Kind::Distribution, Unit::Request, RELATIVE, alarm);
        check(Kind::Distribution, Unit::Sticky, RELATIVE, [None; 3]);
        check(Kind::Count, Unit::Request, RELATIVE, all(EventSplit));
        check(Kind::Count, Unit::Sticky, RELATIVE, all(RobbinsSiegmund));
        let ceiling = [Some(Conditional), Some(Agreement), Some(Agreement)];
        check(Kind::Proportion, Unit::Request, CEILING, ceiling);
        let ceiling = [walk, Some(Agreement), Some(Agreement)];
        check(Kind::Proportion, Unit::Sticky, CEILING, ceiling);
    }

    #[test]
    fn a_margin_that_the_exact_test_does_not_know_gets_the_walk() {
        let walk = Some(Method::RobbinsSiegmund);
        for margin in [RELATIVE, ABSOLUTE] {
            let expected = [Some(Method::Conditional), walk, walk];
            check(Kind::Proportion, Unit::Request, margin, expected);
        }
    }

    #[test]
    fn a_returning_unit_never_gets_a_test_that_counts_requests() {
        for kind in [
            Kind::Proportion,
            SLO,
            LOG,
            LINEAR,
            ADJUSTED,
            P99,
            Kind::Distribution,
            Kind::Ratio,
            Kind::Count,
        ] {
            for margin in [
                None,
                Some(ODDS),
                Some(RELATIVE),
                Some(ABSOLUTE),
                Some(CEILING),
            ] {
                for question in QUESTIONS {
                    let method = Method::of(kind, Unit::Sticky, question, margin);
                    // A ceiling is held against units' first requests.
                    let first = margin == Some(CEILING) && method == Some(Method::Agreement);
                    assert!(
                        first || matches!(method, None | Some(Method::RobbinsSiegmund)),
                        "{kind:?} {question:?}"
                    );
                }
            }
        }
    }
}

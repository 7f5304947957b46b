//! Designs that could not be judged soundly, or not at all.

use super::{Better, Design, Kind, Margin, Metric, Role, Unit};

/// A unit remembers the arms that it was seen on as the bits of one word.
const ARMS_MAX: usize = 64;

/// Why a design cannot be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// There is nothing to compare, or too much.
    #[error("a comparison wants 2 to 64 arms, not {arms}")]
    Arms {
        /// How many there are.
        arms: usize,
    },
    /// There is nothing to decide by.
    #[error("no metric, so nothing to decide by")]
    NoMetric,
    /// One-sided boundaries exist below one half only.
    #[error("alpha is {alpha}, want more than 0 and less than 0.5")]
    Alpha {
        /// What was asked for.
        alpha: f64,
    },
    /// A guardrail that nothing could prove.
    #[error("a guardrail needs a margin: equality itself can never be proven")]
    NoMargin {
        /// Its position.
        metric: usize,
    },
    /// Odds and ceilings are about rates.
    #[error(
        "margins `odds` and `at_most` are for proportions; a mean takes `relative` or `absolute`"
    )]
    MarginOfMean {
        /// Its position.
        metric: usize,
    },
    /// A mean of logarithms has no difference in the unit of the metric.
    #[error("a mean on the log scale takes a `relative` margin, not an absolute one")]
    AbsoluteOnLog {
        /// Its position.
        metric: usize,
    },
    /// The number makes no sense.
    #[error(
        "the margin {margin:?} is out of range: odds above 1, relative and absolute above 0, a relative loss and a ceiling below 1"
    )]
    MarginRange {
        /// Its position.
        metric: usize,
        /// What was asked for.
        margin: Margin,
    },
    /// The number makes no sense.
    #[error("worth is {worth}, want more than 0")]
    Worth {
        /// Its position.
        metric: usize,
        /// What was asked for.
        worth: f64,
    },
    /// A ceiling counts independent successes; of a sticky unit that is its first request only, which
    /// evidence does not tell apart yet.
    #[error(
        "margin `at_most` is not built yet for units that return; use `odds`, or `unit: request`"
    )]
    CeilingOfSticky {
        /// Its position.
        metric: usize,
    },
}

impl Problem {
    /// The position of the metric concerned.
    #[must_use]
    pub fn metric(&self) -> Option<usize> {
        match *self {
            Self::Arms { .. } | Self::NoMetric | Self::Alpha { .. } => None,
            Self::NoMargin { metric }
            | Self::MarginOfMean { metric }
            | Self::AbsoluteOnLog { metric }
            | Self::MarginRange { metric, .. }
            | Self::Worth { metric, .. }
            | Self::CeilingOfSticky { metric } => Some(metric),
        }
    }
}

impl Design {
    /// Everything that stands against judging by this design; a ledger of such a design waits forever
    /// rather than decide unsoundly.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(2..=ARMS_MAX).contains(&self.arms) {
            problems.push(Problem::Arms { arms: self.arms });
        }
        if self.metrics.is_empty() {
            problems.push(Problem::NoMetric);
        }
        if !(self.alpha > 0.0 && self.alpha < 0.5) {
            problems.push(Problem::Alpha { alpha: self.alpha });
        }
        for (position, metric) in self.metrics.iter().enumerate() {
            metric.add_problems(position, self.unit, &mut problems);
        }
        problems
    }
}

impl Metric {
    fn add_problems(&self, metric: usize, unit: Unit, problems: &mut Vec<Problem>) {
        if let Some(worth) = self.worth.filter(|&worth| worth.is_nan() || worth <= 0.0) {
            problems.push(Problem::Worth { metric, worth });
        }
        let Some(margin) = self.margin else {
            if self.role == Role::Guardrail {
                problems.push(Problem::NoMargin { metric });
            }
            return;
        };
        if !self.allows(margin) {
            problems.push(Problem::MarginRange { metric, margin });
        }
        match (self.kind, margin) {
            (Kind::Mean { .. }, Margin::Odds(_) | Margin::AtMost(_)) => {
                problems.push(Problem::MarginOfMean { metric });
            }
            (
                Kind::Mean {
                    scale: super::Scale::Log,
                },
                Margin::Absolute(_),
            ) => {
                problems.push(Problem::AbsoluteOnLog { metric });
            }
            (Kind::Proportion, Margin::AtMost(_)) if unit == Unit::Sticky => {
                problems.push(Problem::CeilingOfSticky { metric });
            }
            _ => {}
        }
    }

    fn allows(&self, margin: Margin) -> bool {
        match margin {
            Margin::Odds(odds) => odds > 1.0 && odds.is_finite(),
            Margin::Relative(ratio) => {
                let most = if self.better == Better::Higher {
                    1.0
                } else {
                    f64::MAX
                };
                ratio > 0.0 && ratio < most
            }
            Margin::Absolute(difference) => difference > 0.0 && difference.is_finite(),
            Margin::AtMost(limit) => limit > 0.0 && limit < 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guardrail(kind: Kind, margin: Option<Margin>) -> Metric {
        Metric {
            name: "m".to_owned(),
            kind,
            better: Better::Lower,
            role: Role::Guardrail,
            margin,
            critical: false,
            worth: None,
        }
    }

    fn design(unit: Unit, metric: Metric) -> Design {
        Design {
            arms: 2,
            unit,
            metrics: vec![metric],
            alpha: 0.05,
            end: None,
        }
    }

    #[test]
    fn a_ceiling_for_returning_units_is_refused() {
        let metric = guardrail(Kind::Proportion, Some(Margin::AtMost(0.01)));
        assert_eq!(design(Unit::Request, metric.clone()).problems(), []);
        assert_eq!(
            design(Unit::Sticky, metric).problems(),
            [Problem::CeilingOfSticky { metric: 0 }]
        );
    }

    #[test]
    fn a_guardrail_without_a_margin_is_refused() {
        let metric = guardrail(Kind::Proportion, None);
        assert_eq!(
            design(Unit::Request, metric).problems(),
            [Problem::NoMargin { metric: 0 }]
        );
    }

    #[test]
    fn odds_of_a_mean_are_refused() {
        let mean = Kind::Mean {
            scale: crate::Scale::Log,
        };
        let metric = guardrail(mean, Some(Margin::Odds(1.5)));
        assert_eq!(
            design(Unit::Request, metric).problems(),
            [Problem::MarginOfMean { metric: 0 }]
        );
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let bad = Design {
            arms: 1,
            unit: Unit::Request,
            metrics: vec![],
            alpha: 0.5,
            end: None,
        };
        let expected = [
            Problem::Arms { arms: 1 },
            Problem::NoMetric,
            Problem::Alpha { alpha: 0.5 },
        ];
        assert_eq!(bad.problems(), expected);
    }
}

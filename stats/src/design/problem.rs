//! Designs that could not be judged soundly, or not at all.

use super::{Better, Design, Kind, Margin, Metric, Role, Scale, Unit};

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
    /// A quantile is compared by ratios, or by how often it is exceeded.
    #[error("a quantile takes the margin `relative`, or `odds` of exceeding it")]
    MarginOfQuantile {
        /// Its position.
        metric: usize,
    },
    /// Distributions and rates of events are compared by ratios.
    #[error("this kind takes the margin `relative`")]
    MarginOfRatio {
        /// Its position.
        metric: usize,
    },
    /// There is no such quantile.
    #[error("the quantile is {at}, want more than 0 and less than 1")]
    QuantileRange {
        /// Its position.
        metric: usize,
        /// What was asked for.
        at: f64,
    },
    /// Nothing exceeds it, or everything does.
    #[error("the limit is {limit}, want more than 0")]
    Limit {
        /// Its position.
        metric: usize,
        /// What was asked for.
        limit: f64,
    },
    /// One limit moves with earlier ticks, and it holds the margin.
    #[error(
        "a quantile of units that return is held against one limit, which holds the margin: it cannot be `critical` as well"
    )]
    CriticalQuantile {
        /// Its position.
        metric: usize,
    },
    /// Requests of one unit are no independent labels.
    #[error(
        "the distribution of requests says nothing about units that return; compare a mean, or use `unit: request`"
    )]
    DistributionOfSticky {
        /// Its position.
        metric: usize,
    },
    /// A heavier tail can hide a lighter bulk.
    #[error("a distribution only raises alarms: it can prove no improvement, so it is no goal")]
    DistributionAsGoal {
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
}

impl Problem {
    /// The position of the metric concerned.
    #[must_use]
    pub fn metric(&self) -> Option<usize> {
        match *self {
            Self::Arms { .. } | Self::NoMetric | Self::Alpha { .. } => None,
            Self::NoMargin { metric }
            | Self::MarginOfMean { metric }
            | Self::MarginOfQuantile { metric }
            | Self::MarginOfRatio { metric }
            | Self::QuantileRange { metric, .. }
            | Self::Limit { metric, .. }
            | Self::CriticalQuantile { metric }
            | Self::DistributionOfSticky { metric }
            | Self::DistributionAsGoal { metric }
            | Self::AbsoluteOnLog { metric }
            | Self::MarginRange { metric, .. }
            | Self::Worth { metric, .. } => Some(metric),
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
        problems.extend(self.problem_of_kind(metric, unit));
        let Some(margin) = self.margin else {
            // An alarm proves nothing, so it may do without where any harm is too much.
            let is_alarm = self.kind == Kind::Distribution && self.critical;
            if self.role == Role::Guardrail && !is_alarm {
                problems.push(Problem::NoMargin { metric });
            }
            return;
        };
        if !self.allows(margin) {
            problems.push(Problem::MarginRange { metric, margin });
        }
        problems.extend(self.problem_of_margin(margin, metric, unit));
    }

    fn problem_of_kind(&self, metric: usize, unit: Unit) -> Option<Problem> {
        match (self.kind, unit) {
            (Kind::Quantile { at }, _) if !(at > 0.0 && at < 1.0) => {
                Some(Problem::QuantileRange { metric, at })
            }
            (Kind::Exceedance { limit }, _) if !(limit > 0.0 && limit.is_finite()) => {
                Some(Problem::Limit { metric, limit })
            }
            (Kind::Distribution, _) if self.role == Role::Goal => {
                Some(Problem::DistributionAsGoal { metric })
            }
            (Kind::Quantile { .. }, Unit::Sticky) if self.critical && self.is_moved() => {
                Some(Problem::CriticalQuantile { metric })
            }
            (Kind::Distribution, Unit::Sticky) => Some(Problem::DistributionOfSticky { metric }),
            _ => None,
        }
    }

    fn is_moved(&self) -> bool {
        matches!(self.margin, Some(Margin::Relative(_)))
    }

    fn problem_of_margin(&self, margin: Margin, metric: usize, unit: Unit) -> Option<Problem> {
        let log = Kind::Mean { scale: Scale::Log };
        let adjusted = Kind::Adjusted { scale: Scale::Log };
        match (self.kind, margin) {
            (
                Kind::Mean { .. } | Kind::Adjusted { .. } | Kind::Ratio,
                Margin::Odds(_) | Margin::AtMost(_),
            ) => Some(Problem::MarginOfMean { metric }),
            (kind, Margin::Absolute(_)) if kind == log || kind == adjusted => {
                Some(Problem::AbsoluteOnLog { metric })
            }
            (Kind::Quantile { .. }, Margin::Absolute(_) | Margin::AtMost(_)) => {
                Some(Problem::MarginOfQuantile { metric })
            }
            (
                Kind::Distribution | Kind::Count,
                Margin::Odds(_) | Margin::AtMost(_) | Margin::Absolute(_),
            ) if self.kind == Kind::Distribution || unit == Unit::Request => {
                Some(Problem::MarginOfRatio { metric })
            }
            (Kind::Count, Margin::Odds(_) | Margin::AtMost(_)) => {
                Some(Problem::MarginOfMean { metric })
            }
            _ => None,
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
            goals: crate::Goals::All,
        }
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
        let mean = Kind::Mean { scale: Scale::Log };
        let metric = guardrail(mean, Some(Margin::Odds(1.5)));
        assert_eq!(
            design(Unit::Request, metric).problems(),
            [Problem::MarginOfMean { metric: 0 }]
        );
    }

    #[track_caller]
    fn check(unit: Unit, kind: Kind, margin: Margin, expected: &[Problem]) {
        let found = design(unit, guardrail(kind, Some(margin))).problems();
        assert_eq!(found, expected, "{kind:?} {margin:?}");
    }

    #[test]
    fn a_margin_that_its_kind_does_not_know_is_refused() {
        let (odds, relative, absolute) = (
            Margin::Odds(1.5),
            Margin::Relative(0.2),
            Margin::Absolute(0.2),
        );
        let p99 = Kind::Quantile { at: 0.99 };
        let of_ratio = [Problem::MarginOfRatio { metric: 0 }];
        check(Unit::Request, p99, relative, &[]);
        check(Unit::Request, p99, odds, &[]);
        check(
            Unit::Request,
            p99,
            absolute,
            &[Problem::MarginOfQuantile { metric: 0 }],
        );
        check(Unit::Request, Kind::Distribution, absolute, &of_ratio);
        check(Unit::Request, Kind::Count, absolute, &of_ratio);
        check(Unit::Sticky, Kind::Count, absolute, &[]);
        check(
            Unit::Request,
            Kind::Ratio,
            odds,
            &[Problem::MarginOfMean { metric: 0 }],
        );
        check(Unit::Request, Kind::Ratio, absolute, &[]);
    }

    #[test]
    fn quantiles_and_limits_that_do_not_exist_are_refused() {
        let relative = Margin::Relative(0.2);
        for at in [0.0, 1.0, -0.5, 99.0] {
            let refused = [Problem::QuantileRange { metric: 0, at }];
            check(Unit::Request, Kind::Quantile { at }, relative, &refused);
        }
        let kind = Kind::Exceedance { limit: 0.0 };
        let refused = [Problem::Limit {
            metric: 0,
            limit: 0.0,
        }];
        check(Unit::Request, kind, Margin::Odds(2.0), &refused);
    }

    #[test]
    fn requests_of_returning_units_have_no_distribution_of_their_own() {
        let relative = Margin::Relative(0.2);
        let sticky = [Problem::DistributionOfSticky { metric: 0 }];
        check(Unit::Sticky, Kind::Distribution, relative, &sticky);
    }

    #[test]
    fn a_quantile_of_returning_units_has_one_limit() {
        let p90 = Kind::Quantile { at: 0.9 };
        check(Unit::Sticky, p90, Margin::Relative(0.2), &[]);
        let mut metric = guardrail(p90, Some(Margin::Relative(0.2)));
        metric.critical = true;
        let refused = [Problem::CriticalQuantile { metric: 0 }];
        assert_eq!(design(Unit::Sticky, metric.clone()).problems(), refused);
        assert_eq!(design(Unit::Request, metric.clone()).problems(), []);
        metric.margin = Some(Margin::Odds(1.5));
        assert_eq!(design(Unit::Sticky, metric).problems(), []);
    }

    #[test]
    fn a_distribution_is_no_goal() {
        let mut metric = guardrail(Kind::Distribution, None);
        metric.role = Role::Goal;
        let found = design(Unit::Request, metric).problems();
        assert_eq!(found, [Problem::DistributionAsGoal { metric: 0 }]);
    }

    #[test]
    fn an_alarm_on_any_harm_needs_no_margin() {
        let mut metric = guardrail(Kind::Distribution, None);
        metric.critical = true;
        assert_eq!(design(Unit::Request, metric).problems(), []);
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let bad = Design {
            arms: 1,
            unit: Unit::Request,
            metrics: vec![],
            alpha: 0.5,
            end: None,
            goals: crate::Goals::All,
        };
        let expected = [
            Problem::Arms { arms: 1 },
            Problem::NoMetric,
            Problem::Alpha { alpha: 0.5 },
        ];
        assert_eq!(bad.problems(), expected);
    }
}

//! How much it takes to prove a margin when both arms are alike: whoever asks for less never promotes.

use super::{Kind, Margin, Method, Metric, Scale, Unit};
use crate::{
    agreement::{self, PRIOR},
    conditional::distances,
    design::Tail,
    robbins_siegmund::boundary,
    special::ln_mean_exp,
    trial::Question,
};

/// What a service is like, as far as a proof depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Typical {
    /// How often the event happens.
    pub rate: f64,
    /// The standard deviation of the logarithm.
    pub spread: f64,
    /// The candidate's share of the traffic of both arms.
    pub share: f64,
}

/// When the walk's gate opens on the smaller arm.
const GATE: f64 = 500.0;

/// More than any experiment has.
const FOREVER: f64 = 1e15;

impl Metric {
    /// How many observations of both arms a proof of the margin at `alpha` takes, when both arms are
    /// alike and nothing is lucky; none where that depends on more than is known.
    #[must_use]
    pub fn observations_to_prove(&self, unit: Unit, alpha: f64, typical: Typical) -> Option<u64> {
        let margin = self.margin?;
        let needed = match (self.method(unit, Question::NotWorse)?, margin) {
            (Method::Conditional, Margin::Odds(odds)) => of_odds(odds, alpha, typical),
            (Method::Agreement, Margin::AtMost(limit)) => {
                of_a_ceiling(limit, alpha) / typical.share
            }
            (Method::RobbinsSiegmund, Margin::Relative(_))
                if unit == Unit::Request && self.kind == (Kind::Mean { scale: Scale::Log }) =>
            {
                of_a_walk(
                    self.worst(Some(margin)).ln() / typical.spread,
                    alpha,
                    typical.share,
                )
            }
            _ => return None,
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and below 10¹⁵"
        )]
        Some(needed.ceil() as u64)
    }
}

/// The conditional test, where ln E of n observations is ln mean_g exp n(D(w₀) − D(w_g)) for the usual
/// run of chance. D(w) is what an observation tells against the log odds ratio w when the truth is
/// none: the least Kullback–Leibler divergence of both arms' rates from rates with that ratio and the
/// same number of events, since that number is what the test conditions on.
fn of_odds(odds: f64, alpha: f64, typical: Typical) -> f64 {
    let null = odds.ln();
    let against = divergence(null, typical);
    let gains: Vec<f64> = distances()
        .map(|distance| against - divergence(null - distance, typical))
        .collect();
    let enough = |n: f64| {
        let gains: Vec<f64> = gains.iter().map(|gain| gain * n).collect();
        ln_mean_exp(&gains) >= -alpha.ln()
    };
    least(enough)
}

fn divergence(log_odds: f64, typical: Typical) -> f64 {
    let Typical { rate, share, .. } = typical;
    let candidate = |control: f64| {
        let odds = control / (1.0 - control) * log_odds.exp();
        odds / (1.0 + odds)
    };
    // Events rise with the control's rate, so halving finds the one that gives as many as there are.
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..80 {
        let control = f64::midpoint(low, high);
        let events = (1.0 - share) * control + share * candidate(control);
        if events > rate {
            high = control;
        } else {
            low = control;
        }
    }
    let bernoulli = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
    (1.0 - share) * bernoulli(rate, high) + share * bernoulli(rate, candidate(high))
}

/// Successes of a flawless candidate: no other needs fewer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count below 10¹⁵"
)]
fn of_a_ceiling(limit: f64, alpha: f64) -> f64 {
    least(|n| {
        let n = n.ceil() as u64;
        agreement::log_e(1.0 - limit, Tail::Greater, PRIOR, n, n) >= -alpha.ln()
    })
}

/// The walk, whose z is √(nρ(1−ρ)) times the effect in standard deviations.
fn of_a_walk(effect: f64, alpha: f64, share: f64) -> f64 {
    let gate = GATE / share.min(1.0 - share);
    let a = boundary(2.0 * alpha);
    let enough = |n: f64| {
        n >= gate && n * share * (1.0 - share) * effect * effect >= a * a + (n / gate).ln()
    };
    least(enough)
}

/// The least number that is enough, if all greater ones are.
fn least(enough: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (1.0_f64, FOREVER);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Better, Role};

    fn metric(kind: Kind, margin: Margin) -> Metric {
        Metric {
            name: "m".to_owned(),
            kind,
            better: Better::Lower,
            role: Role::Guardrail,
            margin: Some(margin),
            critical: false,
            worth: None,
        }
    }

    fn needed(kind: Kind, margin: Margin, rate: f64, share: f64) -> f64 {
        let typical = Typical {
            rate,
            spread: 0.5,
            share,
        };
        let needed = metric(kind, margin).observations_to_prove(Unit::Request, 0.05, typical);
        needed.expect("known") as f64
    }

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!(
            (found / expected - 1.0).abs() < 0.1,
            "{found}, want {expected} within a tenth"
        );
    }

    /// The figures of STATISTICS, which are means of simulated runs.
    #[test]
    fn odds_of_three_halves_take_what_simulations_took() {
        let odds = Margin::Odds(1.5);
        check(needed(Kind::Proportion, odds, 0.01, 0.5), 22_000.0);
        check(needed(Kind::Proportion, odds, 0.001, 0.5), 184_000.0);
        let slo = Kind::Exceedance { limit: 0.25 };
        check(needed(slo, odds, 0.01, 0.5), 22_000.0);
    }

    #[test]
    fn a_flawless_candidate_proves_half_a_percent_with_six_hundred_and_thirty() {
        check(
            needed(Kind::Proportion, Margin::AtMost(0.005), 0.0, 0.5),
            2.0 * 630.0,
        );
    }

    #[test]
    fn a_smaller_share_and_a_tighter_margin_take_more() {
        let of = |odds, share| needed(Kind::Proportion, Margin::Odds(odds), 0.01, share);
        assert!(of(1.5, 0.05) > 4.0 * of(1.5, 0.5));
        assert!(of(1.2, 0.5) > 3.0 * of(1.5, 0.5));
    }

    /// At the found n the walk of two equal arms reaches its boundary, and at a tenth less it does not.
    #[test]
    fn a_mean_of_logarithms_takes_what_its_boundary_says() {
        let n = needed(
            Kind::Mean { scale: Scale::Log },
            Margin::Relative(0.02),
            0.0,
            0.5,
        );
        let reached = |n: f64| {
            let z = (n / 4.0).sqrt() * 1.02_f64.ln() / 0.5;
            z >= (boundary(0.1).powi(2) + (n / 1000.0).ln()).sqrt()
        };
        assert!(reached(n) && !reached(0.9 * n), "{n}");
    }

    #[test]
    fn what_depends_on_more_than_is_known_is_not_guessed() {
        let typical = Typical {
            rate: 0.01,
            spread: 0.5,
            share: 0.5,
        };
        let metric = metric(Kind::Ratio, Margin::Relative(0.1));
        assert_eq!(
            metric.observations_to_prove(Unit::Request, 0.05, typical),
            None
        );
    }
}

//! What traffic is assumed to be like: the control's values, the candidates', users who come back.

use policy::{Experiment, Observe};
use rand_distr::{Binomial, Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use stats::{Cell, Kind, Scale, Tally, Unit};

use super::Args;
use super::scenario::{Baseline, Change, Effect, Wrong};

/// Everything that a simulated request depends on.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) metrics: Vec<Signal>,
    pub(super) per_second: f64,
    /// Who comes back; nobody, where each request is its own unit.
    pub(super) users: Option<Users>,
}

/// Users, and how alike the outcomes of one are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Users {
    pub(super) count: u32,
    pub(super) icc: f64,
}

/// One metric on the control and on the candidates.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) arms: [f64; 2],
    pub(super) spread: f64,
    pub(super) source: Known,
}

/// How a value of the control is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Known {
    /// By a flag.
    Stated,
    /// From a recording.
    Observed,
    /// Not at all.
    Assumed,
}

/// How a metric's numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// 0 or 1.
    Rate,
    /// Log-normal around a median, `spread` being the deviation of the logarithm.
    Duration,
    /// The same, of which the share above a limit is counted.
    Above { limit: f64 },
    /// Normal around a mean.
    Number,
}

impl Shape {
    /// What is assumed of a kind where nothing is known: one request in a hundred fails, nine answers in
    /// ten are right, a duration has a median of 100 ms and a spread of its logarithm of one half. None
    /// for a kind that is not simulated.
    pub(super) fn assumed(kind: Kind, observe: Observe) -> Option<(Self, f64, f64)> {
        match kind {
            Kind::Proportion if observe == Observe::Failed => Some((Self::Rate, 0.01, 0.0)),
            Kind::Proportion => Some((Self::Rate, 0.9, 0.0)),
            Kind::Mean { scale: Scale::Log } | Kind::Quantile { .. } | Kind::Distribution => {
                Some((Self::Duration, 0.1, 0.5))
            }
            Kind::Mean {
                scale: Scale::Linear,
            } => Some((Self::Number, 1.0, 1.0)),
            Kind::Exceedance { limit } => Some((Self::Above { limit }, 0.1, 0.5)),
            Kind::Adjusted { .. } | Kind::Ratio | Kind::Count => None,
        }
    }
}

impl World {
    pub(super) fn of(
        experiment: &Experiment,
        args: &Args,
        observed: &[Baseline],
    ) -> Result<Self, Wrong> {
        let known = || experiment.design.metrics.iter().map(|metric| &*metric.name);
        for asked in args
            .baselines
            .iter()
            .map(|it| &it.metric)
            .chain(args.effects.iter().map(|it| &it.metric))
        {
            if !known().any(|name| name == asked) {
                let known = known().collect::<Vec<_>>().join(", ");
                let asked = asked.clone();
                return Err(Wrong::Metric { asked, known });
            }
        }
        let sticky = experiment.design.unit == Unit::Sticky;
        let users = sticky.then_some(Users {
            count: args.users,
            icc: args.icc,
        });
        check(
            "--icc",
            args.icc,
            (0.0..1.0).contains(&args.icc),
            "at least 0 and less than 1",
        )?;
        check(
            "--users",
            f64::from(args.users),
            args.users > 0,
            "at least 1",
        )?;
        let per_second = args.rate.events / args.rate.per.as_secs_f64();
        check("--rate", per_second, per_second > 0.0, "more than 0")?;
        let metrics = experiment
            .design
            .metrics
            .iter()
            .zip(&experiment.observations);
        let metrics = metrics.map(|(metric, &observe)| Signal::of(metric, observe, args, observed));
        Ok(Self {
            metrics: metrics.collect::<Result<_, _>>()?,
            per_second,
            users,
        })
    }

    /// The same, but for this effect on the candidates.
    pub(super) fn changed(&self, effect: &Effect) -> Result<Self, Wrong> {
        let mut world = self.clone();
        if let Some(signal) = world.metrics.iter_mut().find(|it| it.name == effect.metric) {
            let changed = signal.change(effect.change);
            let what = format!("{} on the candidates", signal.name);
            signal.check(&what, changed)?;
            signal.arms[1] = changed;
        }
        Ok(world)
    }

    /// The same with a difference, or where none is given a factor, kept within what is possible.
    pub(super) fn nudged(mut self, metric: &str, difference: Option<f64>, factor: f64) -> Self {
        if let Some(signal) = self.metrics.iter_mut().find(|it| it.name == metric) {
            let now = signal.arms[0];
            signal.arms[1] = match (difference, signal.shape) {
                (Some(difference), Shape::Rate) => (now + difference).clamp(1e-6, 1.0 - 1e-6),
                // `worth` is a ratio less one on the log scale.
                (Some(difference), Shape::Duration | Shape::Above { .. }) => {
                    now * (1.0 + difference).max(0.01)
                }
                (Some(difference), Shape::Number) => now + difference,
                // Of a rate, its nearer end is what an improvement works on.
                (None, Shape::Rate) if now > 0.5 => 1.0 - (1.0 - now) * (2.0 - factor).max(0.01),
                (None, Shape::Rate) => now * factor.max(0.01),
                (None, _) => now * factor.max(0.01),
            };
        }
        self
    }

    pub(super) fn value(&self, metric: &str) -> f64 {
        let signal = self.metrics.iter().find(|it| it.name == metric);
        signal.map_or(0.0, |signal| signal.arms[0])
    }

    /// A factor on a metric's own scale.
    pub(super) fn relative(&self, metric: &str, factor: f64) -> Change {
        let signal = self.metrics.iter().find(|it| it.name == metric);
        match signal.map(|signal| signal.shape) {
            Some(Shape::Duration | Shape::Above { .. }) => Change::Times(factor),
            _ => Change::Plus(self.value(metric) * (factor - 1.0)),
        }
    }
}

fn check(what: &str, found: f64, holds: bool, wanted: &'static str) -> Result<(), Wrong> {
    let what = what.to_owned();
    if holds {
        Ok(())
    } else {
        Err(Wrong::Number {
            what,
            found,
            wanted,
        })
    }
}

impl Signal {
    fn of(
        metric: &stats::Metric,
        observe: Observe,
        args: &Args,
        observed: &[Baseline],
    ) -> Result<Self, Wrong> {
        let (shape, value, spread) =
            Shape::assumed(metric.kind, observe).ok_or_else(|| Wrong::Kind {
                metric: metric.name.clone(),
                kind: match metric.kind {
                    Kind::Adjusted { .. } => "a mean with a covariate",
                    Kind::Ratio => "a ratio",
                    _ => "a count",
                },
            })?;
        let its = |baseline: &&Baseline| baseline.metric == metric.name;
        let stated = args.baselines.iter().find(its);
        let known = stated.or_else(|| observed.iter().find(its));
        let value = known.map_or(value, |it| it.value);
        let signal = Self {
            name: metric.name.clone(),
            shape,
            arms: [value; 2],
            spread: known.and_then(|it| it.spread).unwrap_or(spread),
            source: match (stated, known) {
                (Some(_), _) => Known::Stated,
                (None, Some(_)) => Known::Observed,
                (None, None) => Known::Assumed,
            },
        };
        signal.check(&format!("--baseline {}", metric.name), value)?;
        Ok(signal)
    }

    fn check(&self, what: &str, value: f64) -> Result<(), Wrong> {
        match self.shape {
            Shape::Rate => check(
                what,
                value,
                value > 0.0 && value < 1.0,
                "a rate between 0 and 1",
            ),
            Shape::Duration | Shape::Above { .. } => check(what, value, value > 0.0, "more than 0"),
            Shape::Number => check(what, value, value.is_finite(), "a number"),
        }
    }

    fn change(&self, change: Change) -> f64 {
        let now = self.arms[0];
        match (change, self.shape) {
            (Change::Times(factor), Shape::Rate) => factor * now / (1.0 - now + factor * now),
            (Change::Times(factor), _) => now * factor,
            (Change::Plus(difference), _) => now + difference,
        }
    }

    /// The sums of n independent requests on an arm, drawn at once where that is exact; none where every
    /// number is needed.
    pub(super) fn sums(
        &self,
        arm: usize,
        n: u64,
        kind: Kind,
        chance: &mut Pcg64Mcg,
    ) -> Option<Cell> {
        let tally = match kind {
            Kind::Proportion => ones(n, self.arms[arm.min(1)], chance),
            Kind::Exceedance { .. } => ones(n, self.above(arm), chance),
            _ => return None,
        };
        let tally = tally?;
        Some(Cell {
            tally,
            ..Cell::default()
        })
    }

    /// One request's number; `lean` is its user's inclination, of the same unit variance as chance.
    pub(super) fn one(&self, arm: usize, lean: f64, icc: f64, chance: &mut Pcg64Mcg) -> f64 {
        let own: f64 = StandardNormal.sample(chance);
        let z = icc.sqrt() * lean + (1.0 - icc).sqrt() * own;
        match self.shape {
            Shape::Rate => f64::from(u8::from(normal_below(z) < self.arms[arm.min(1)])),
            Shape::Duration | Shape::Above { .. } => (self.center(arm) + self.spread * z).exp(),
            Shape::Number => self.center(arm) + self.spread * z,
        }
    }

    /// The mean on the scale on which numbers are normal.
    fn center(&self, arm: usize) -> f64 {
        let value = self.arms[arm.min(1)];
        if self.shape == Shape::Number {
            value
        } else {
            value.ln()
        }
    }

    fn above(&self, arm: usize) -> f64 {
        match self.shape {
            Shape::Above { limit } => {
                1.0 - normal_below((limit.ln() - self.center(arm)) / self.spread)
            }
            _ => 0.0,
        }
    }
}

/// Φ(x), from the error function.
fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

fn ones(n: u64, rate: f64, chance: &mut Pcg64Mcg) -> Option<Tally> {
    let ones = Binomial::new(n, rate).ok()?.sample(chance) as f64;
    Some(Tally {
        n,
        sum: ones,
        square: ones,
    })
}

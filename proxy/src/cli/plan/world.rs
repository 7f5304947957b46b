//! What traffic is assumed to be like: the control's values, the candidates', users who come back.

use policy::{Experiment, Observe};
use rand_distr::{Binomial, Distribution, StandardNormal};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use stats::{Cell, Kind, Scale, Tally, Unit};

use super::Args;
use super::normal;
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

/// A simulated number, and the one beside it if its metric asks for one.
pub(super) struct Drawn {
    pub(super) y: f64,
    pub(super) x: Option<f64>,
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
    /// The same, with a covariate beside it that is so much correlated with it; both of logarithms, if
    /// `is_log`.
    Adjusted { correlation: f64, is_log: bool },
    /// A number of events, Poisson around a mean.
    Events,
    /// A sum by another: log-normal factors around their ratio, of which `spread` is the deviation of the
    /// logarithm. Requests are all of one size.
    Ratio { of_requests: bool },
}

impl Shape {
    /// What is assumed of a kind where nothing is known: one request in a hundred fails, nine answers in
    /// ten are right, half of the feedback stays away, a duration has a median of 100 ms and a spread of its
    /// logarithm of one half, one request in ten brings an event. What stands beside a number follows from
    /// flags and from the document.
    pub(super) fn assumed(kind: Kind, observe: Observe) -> (Self, f64, f64) {
        match kind {
            Kind::Proportion | Kind::Count if observe == Observe::Failed => (Self::Rate, 0.01, 0.0),
            Kind::Proportion if matches!(observe, Observe::Escalated | Observe::Missing { .. }) => {
                (Self::Rate, 0.5, 0.0)
            }
            Kind::Proportion => (Self::Rate, 0.9, 0.0),
            Kind::Mean { scale: Scale::Log } | Kind::Quantile { .. } | Kind::Distribution => {
                (Self::Duration, 0.1, 0.5)
            }
            Kind::Mean {
                scale: Scale::Linear,
            } => (Self::Number, 1.0, 1.0),
            Kind::Exceedance { limit } => (Self::Above { limit }, 0.1, 0.5),
            Kind::Adjusted { scale } => {
                let correlation = 0.0;
                let is_log = scale == Scale::Log;
                let shape = Self::Adjusted {
                    correlation,
                    is_log,
                };
                if is_log {
                    (shape, 0.1, 0.5)
                } else {
                    (shape, 1.0, 1.0)
                }
            }
            Kind::Count => (Self::Events, 0.1, 0.0),
            Kind::Ratio => (Self::Ratio { of_requests: false }, 1.0, 0.5),
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
            "--correlation",
            args.correlation,
            args.correlation > -1.0 && args.correlation < 1.0,
            "more than -1 and less than 1",
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
        let metrics = metrics.zip(&experiment.beside);
        let metrics = metrics.map(|((metric, &observe), beside)| {
            let signal = Signal::of(metric, observe, args, observed)?;
            Ok::<_, Wrong>(signal.beside(beside.is_some(), args.correlation))
        });
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
                (Some(difference), Shape::Adjusted { is_log: true, .. }) => {
                    now * (1.0 + difference).max(0.01)
                }
                // Of requests a ratio less one, of users a difference.
                (Some(difference), Shape::Events) if self.users.is_none() => {
                    now * (1.0 + difference).max(0.01)
                }
                (Some(difference), Shape::Events | Shape::Ratio { .. }) => {
                    (now + difference).max(0.01 * now)
                }
                (Some(difference), Shape::Number | Shape::Adjusted { .. }) => now + difference,
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
            Some(
                Shape::Duration
                | Shape::Above { .. }
                | Shape::Adjusted { is_log: true, .. }
                | Shape::Events
                | Shape::Ratio { .. },
            ) => Change::Times(factor),
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
        let (shape, value, spread) = Shape::assumed(metric.kind, observe);
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

    /// The same where the document says whether there is a number beside it, and a flag how much a covariate
    /// explains.
    fn beside(mut self, is_there: bool, asked: f64) -> Self {
        match &mut self.shape {
            Shape::Ratio { of_requests } => *of_requests = !is_there,
            Shape::Adjusted { correlation, .. } => *correlation = asked,
            _ => {}
        }
        self
    }

    fn check(&self, what: &str, value: f64) -> Result<(), Wrong> {
        match self.shape {
            Shape::Rate => check(
                what,
                value,
                value > 0.0 && value < 1.0,
                "a rate between 0 and 1",
            ),
            Shape::Duration
            | Shape::Above { .. }
            | Shape::Adjusted { is_log: true, .. }
            | Shape::Events
            | Shape::Ratio { .. } => check(what, value, value > 0.0, "more than 0"),
            Shape::Number | Shape::Adjusted { is_log: false, .. } => {
                check(what, value, value.is_finite(), "a number")
            }
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

    /// One request's number, and the one beside it; `lean` is its user's inclination, of the same unit
    /// variance as chance.
    pub(super) fn one(&self, arm: usize, lean: f64, icc: f64, chance: &mut Pcg64Mcg) -> Drawn {
        let own: f64 = StandardNormal.sample(chance);
        let z = icc.sqrt() * lean + (1.0 - icc).sqrt() * own;
        let y = match self.shape {
            Shape::Rate => f64::from(u8::from(normal::below(z) < self.arms[arm.min(1)])),
            Shape::Duration | Shape::Above { .. } | Shape::Adjusted { is_log: true, .. } => {
                (self.center(arm) + self.spread * z).exp()
            }
            Shape::Number | Shape::Adjusted { is_log: false, .. } => {
                self.center(arm) + self.spread * z
            }
            Shape::Events => normal::poisson_quantile(normal::below(z), self.arms[arm.min(1)]),
            // Of mean 1, times what it is divided by.
            Shape::Ratio { .. } => {
                self.arms[arm.min(1)] * (self.spread * z - self.spread.powi(2) / 2.0).exp()
            }
        };
        match self.shape {
            Shape::Adjusted {
                correlation,
                is_log,
            } => {
                let rest: f64 = StandardNormal.sample(chance);
                let x = correlation * z + (1.0 - correlation * correlation).sqrt() * rest;
                // Bytes: of the logarithm of one more where means are of logarithms.
                let x = if is_log { (7.0 + x).exp_m1() } else { x };
                Drawn { y, x: Some(x) }
            }
            Shape::Ratio { of_requests: false } => {
                let size: f64 = StandardNormal.sample(chance);
                let x = (0.5 * size).exp();
                Drawn {
                    y: y * x,
                    x: Some(x),
                }
            }
            _ => Drawn { y, x: None },
        }
    }

    /// The mean on the scale on which numbers are normal.
    fn center(&self, arm: usize) -> f64 {
        let value = self.arms[arm.min(1)];
        if matches!(
            self.shape,
            Shape::Number | Shape::Adjusted { is_log: false, .. }
        ) {
            value
        } else {
            value.ln()
        }
    }

    fn above(&self, arm: usize) -> f64 {
        match self.shape {
            Shape::Above { limit } => {
                1.0 - normal::below((limit.ln() - self.center(arm)) / self.spread)
            }
            _ => 0.0,
        }
    }
}

fn ones(n: u64, rate: f64, chance: &mut Pcg64Mcg) -> Option<Tally> {
    let ones = Binomial::new(n, rate).ok()?.sample(chance) as f64;
    Some(Tally {
        n,
        sum: ones,
        square: ones,
    })
}

//! What might be true of the candidates, and what the judge makes of each.

use std::path::PathBuf;
use std::str::FromStr;

use indicatif::ProgressBar;
use policy::Experiment;
use stats::{Better, Margin, Role};

use super::Args;
use super::page::Told;
use super::simulate::{self, Runs};
use super::world::World;
use crate::cli::client::ClientError;
use crate::cli::judge;

/// How many effects are tried in search of the smallest that can be found, and how often each.
pub(super) const SEARCH_STEPS: u64 = 8;
pub(super) const SEARCH_RUNS: u32 = 40;

/// The part of the runs that must promote for an effect to count as findable.
const POWER: f64 = 0.8;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("the document has no experiment {asked:?}; it has: {known}")]
    Experiment { asked: String, known: String },
    #[error("the experiment has no metric {asked:?}; it has: {known}")]
    Metric { asked: String, known: String },
    #[error("{what} is {found}, want {wanted}")]
    Number {
        what: String,
        found: f64,
        wanted: &'static str,
    },
    #[error("cannot ask the wald at {admin}: {source}")]
    Admin { admin: String, source: ClientError },
    #[error("cannot make an event loop")]
    Runtime(std::io::Error),
    #[error(transparent)]
    Observations(#[from] judge::Wrong),
    #[error("{} has no observation of the control", path.display())]
    NothingObserved { path: PathBuf },
}

/// What the control is like in one metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Baseline {
    pub(super) metric: String,
    pub(super) value: f64,
    pub(super) spread: Option<f64>,
}

/// What the candidates change in one metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effect {
    pub(super) metric: String,
    pub(super) change: Change,
}

/// A change of a rate, a mean or a median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// By this factor: of the odds, where it is a rate.
    Times(f64),
    /// By this much.
    Plus(f64),
}

impl FromStr for Baseline {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(metric, number)| {
            let (value, spread) = match number.split_once(':') {
                Some((value, spread)) => (value, Some(spread.parse().ok()?)),
                None => (number, None),
            };
            let (metric, value) = (metric.to_owned(), value.parse().ok()?);
            Some(Self {
                metric,
                value,
                spread,
            })
        });
        parsed.ok_or_else(|| {
            "want METRIC=VALUE or METRIC=VALUE:SPREAD, such as errors=0.01".to_owned()
        })
    }
}

impl FromStr for Effect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('=').and_then(|(metric, change)| {
            let change = match change.strip_prefix('x') {
                Some(factor) => Change::Times(factor.parse().ok().filter(|&it: &f64| it > 0.0)?),
                None => Change::Plus(change.parse().ok().filter(|it: &f64| it.is_finite())?),
            };
            let metric = metric.to_owned();
            Some(Self { metric, change })
        });
        parsed.ok_or_else(|| {
            "want METRIC=xFACTOR, METRIC=+D or METRIC=-D, such as latency=x1.1".to_owned()
        })
    }
}

/// One assumption about the candidates.
pub(super) struct Scenario {
    name: String,
    world: World,
}

impl Scenario {
    /// Simulates it as often as asked.
    pub(super) fn play(self, experiment: &Experiment, args: &Args, bar: &ProgressBar) -> Told {
        let runs = simulate::all(experiment, &self.world, args.seed, args.runs.get(), bar);
        Told::new(self.name, &runs)
    }
}

/// No effect, each guardrail at its margin, and what was stated; improvements of the goals if nothing was.
pub(super) fn all(
    experiment: &Experiment,
    world: &World,
    stated: &[Effect],
) -> Result<Vec<Scenario>, Wrong> {
    let mut scenarios = vec![Scenario {
        name: "no effect".to_owned(),
        world: world.clone(),
    }];
    for metric in &experiment.design.metrics {
        if let (Role::Guardrail, Some(margin)) = (metric.role, metric.margin) {
            scenarios.push(Scenario {
                name: format!("{} at its margin", metric.name),
                world: world.changed(&at_margin(&metric.name, metric.better, margin, world))?,
            });
        }
    }
    if stated.is_empty() {
        for (name, strength) in [("a small improvement", 1.0), ("a large improvement", 4.0)] {
            let world = improved(experiment, world, strength);
            scenarios.push(Scenario {
                name: name.to_owned(),
                world,
            });
        }
    } else {
        let mut changed = world.clone();
        for effect in stated {
            changed = changed.changed(effect)?;
        }
        let name = "as stated".to_owned();
        scenarios.push(Scenario {
            name,
            world: changed,
        });
    }
    Ok(scenarios)
}

/// Every goal better by its worth times the strength, or by 5% where none is stated.
fn improved(experiment: &Experiment, world: &World, strength: f64) -> World {
    let goals = experiment.design.metrics.iter();
    let goals = goals.filter(|metric| metric.role == Role::Goal);
    goals.fold(world.clone(), |world, metric| {
        let better = if metric.better == Better::Higher {
            1.0
        } else {
            -1.0
        };
        let step = better * strength;
        world.nudged(
            &metric.name,
            metric.worth.map(|worth| step * worth),
            1.0 + 0.05 * step,
        )
    })
}

fn at_margin(metric: &str, better: Better, margin: Margin, world: &World) -> Effect {
    let worse = if better == Better::Higher { -1.0 } else { 1.0 };
    let change = match margin {
        Margin::Odds(odds) => Change::Times(odds.powf(worse)),
        Margin::Relative(part) => world.relative(metric, 1.0 + worse * part),
        Margin::Absolute(difference) => Change::Plus(worse * difference),
        Margin::AtMost(limit) => {
            let rate = if better == Better::Higher {
                1.0 - limit
            } else {
                limit
            };
            Change::Plus(rate - world.value(metric))
        }
    };
    let metric = metric.to_owned();
    Effect { metric, change }
}

/// The smallest improvement of all goals, as a multiple of a small one, that is promoted in 80% of runs;
/// none within the reach of the search.
pub(super) fn smallest_findable(
    experiment: &Experiment,
    world: &World,
    args: &Args,
    bar: &ProgressBar,
) -> Option<World> {
    let found = |strength: f64| {
        let world = improved(experiment, world, strength);
        let runs: Runs = simulate::all(experiment, &world, args.seed, SEARCH_RUNS, bar);
        runs.share_promoted() >= POWER
    };
    let (mut low, mut high) = (0.0, 16.0);
    if !found(high) {
        return None;
    }
    for _ in 1..SEARCH_STEPS {
        // Small effects are told apart by their ratio, so the middle is taken there.
        let middle = if low > 0.0 {
            f64::sqrt(low * high)
        } else {
            high / 4.0
        };
        if found(middle) {
            high = middle
        } else {
            low = middle
        }
    }
    Some(improved(experiment, world, high))
}

//! A plan as people and programs read it.

use std::fmt::Write;
use std::time::Duration;

use config::value::Period;
use policy::Experiment;
use serde::Serialize;

use super::Args;
use super::simulate::{End, HORIZON, Runs, Verdict};
use super::world::{Known, World};

/// What `-o json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    experiment: String,
    seed: u64,
    runs: u32,
    alpha: f64,
    requests_per_second: f64,
    /// Where an experiment without a verdict is left.
    end_observations: u64,
    returning_users: Option<u32>,
    intraclass_correlation: Option<f64>,
    assumptions: Vec<Assumption>,
    pub(super) scenarios: Vec<Told>,
    /// The goals' values on the candidates at the smallest improvement that 80% of runs promote.
    smallest_findable: Option<Vec<Improvement>>,
}

#[derive(Debug, Serialize)]
struct Assumption {
    metric: String,
    value: f64,
    spread: f64,
    source: Known,
}

#[derive(Debug, Serialize)]
struct Improvement {
    metric: String,
    control: f64,
    candidate: f64,
}

/// What the judge makes of one scenario.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    name: String,
    pub(super) promoted: Chance,
    pub(super) rolled_back: Chance,
    pub(super) futile: Chance,
    pub(super) undecided: Chance,
    /// At the 10%, 50% and 90% quantile of the runs that came to a verdict.
    observations: Option<[u64; 3]>,
    seconds: Option<[f64; 3]>,
}

/// A share of the runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Chance {
    pub(super) probability: f64,
    pub(super) standard_error: f64,
}

impl Chance {
    /// With its standard error, in percent.
    fn shown(self) -> String {
        let [chance, error] = [self.probability, self.standard_error].map(|part| 100.0 * part);
        if error > 0.0 {
            format!("{chance:.0} ± {error:.0}%")
        } else {
            format!("{chance:.0}%")
        }
    }
}

impl Told {
    pub(super) fn new(name: String, runs: &Runs) -> Self {
        let all = runs.0.len().max(1) as f64;
        let chance = |verdict| {
            let probability = runs.count(verdict) / all;
            let standard_error = (probability * (1.0 - probability) / all).sqrt();
            Chance {
                probability,
                standard_error,
            }
        };
        let decided = runs
            .0
            .iter()
            .filter(|end| end.verdict != Verdict::Undecided);
        let mut decided: Vec<End> = decided.copied().collect();
        decided.sort_by_key(|end| end.observations);
        let at = |part: usize| {
            decided
                .get((decided.len().saturating_sub(1) * part + 50) / 100)
                .copied()
        };
        let quantiles = at(10)
            .zip(at(50))
            .zip(at(90))
            .map(|((low, middle), high)| [low, middle, high]);
        Self {
            name,
            promoted: chance(Verdict::Promoted),
            rolled_back: chance(Verdict::RolledBack),
            futile: chance(Verdict::Futile),
            undecided: chance(Verdict::Undecided),
            observations: quantiles.map(|ends| ends.map(|end| end.observations)),
            seconds: quantiles.map(|ends| ends.map(|end| end.seconds)),
        }
    }
}

impl Plan {
    pub(super) fn new(
        experiment: &Experiment,
        args: &Args,
        world: &World,
        scenarios: Vec<Told>,
        smallest: Option<World>,
    ) -> Self {
        let assumption = |signal: &super::world::Signal| Assumption {
            metric: signal.name.clone(),
            value: signal.arms[0],
            spread: signal.spread,
            source: signal.source,
        };
        let improvements = |world: World| {
            let changed = world
                .metrics
                .into_iter()
                .filter(|it| it.arms[0].total_cmp(&it.arms[1]).is_ne());
            let told = changed.map(|signal| Improvement {
                metric: signal.name,
                control: signal.arms[0],
                candidate: signal.arms[1],
            });
            told.collect()
        };
        Self {
            experiment: experiment.name.to_string(),
            seed: args.seed,
            runs: args.runs.get(),
            alpha: experiment.design.alpha,
            requests_per_second: world.per_second,
            end_observations: experiment.end.observations.unwrap_or(HORIZON),
            returning_users: world.users.map(|users| users.count),
            intraclass_correlation: world.users.map(|users| users.icc),
            assumptions: world.metrics.iter().map(assumption).collect(),
            scenarios,
            smallest_findable: smallest.map(improvements),
        }
    }
}

/// For people.
pub(super) fn page(plan: &Plan) -> String {
    let mut page = String::new();
    let mut line = |text: String| writeln!(page, "{text}").unwrap_or_default();
    line(format!(
        "{}: {} simulated experiments a scenario, {} requests a second, at most {} observations",
        plan.experiment, plan.runs, plan.requests_per_second, plan.end_observations
    ));
    if let (Some(users), Some(icc)) = (plan.returning_users, plan.intraclass_correlation) {
        line(format!(
            "{users} users come back, each alike with an intraclass correlation of {icc}"
        ));
    }
    for assumption in &plan.assumptions {
        let source = match assumption.source {
            Known::Stated => "stated",
            Known::Observed => "observed",
            Known::Assumed => "assumed; state it with --baseline",
        };
        line(format!(
            "control {}: {} ({source})",
            assumption.metric,
            short(assumption.value)
        ));
    }
    line(format!(
        "\n{:<28} {:>10} {:>12} {:>10} {:>10}   {}",
        "", "promoted", "rolled back", "futile", "undecided", "observations (10, 50, 90%), time"
    ));
    for told in &plan.scenarios {
        line(format!(
            "{:<28} {:>10} {:>12} {:>10} {:>10}   {}",
            told.name,
            told.promoted.shown(),
            told.rolled_back.shown(),
            told.futile.shown(),
            told.undecided.shown(),
            when(told)
        ));
    }
    line(smallest(plan));
    line(format!(
        "Without a true improvement a promotion comes in at most {}% of experiments, and so does a roll-back \
         without true harm, however often anyone looks.",
        100.0 * plan.alpha
    ));
    page
}

/// Four digits: a recording says no more of its control.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn when(told: &Told) -> String {
    let (Some(observations), Some([_, seconds, _])) = (told.observations, told.seconds) else {
        return "never".to_owned();
    };
    let [low, middle, high] = observations;
    let time = Period(Duration::from_secs_f64(seconds.ceil()));
    format!("{low}, {middle}, {high}; half of them within {time}")
}

fn smallest(plan: &Plan) -> String {
    let Some(improvements) = &plan.smallest_findable else {
        return "\nNo improvement within reach would be promoted in 80% of experiments before the end.".to_owned();
    };
    let told: Vec<String> = improvements
        .iter()
        .map(|it| format!("{} {:.4} → {:.4}", it.metric, it.control, it.candidate))
        .collect();
    format!(
        "\nSmallest improvement that 80% of experiments promote before the end: {}",
        told.join(", ")
    )
}

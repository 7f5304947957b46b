//! `wald plan`: what an experiment will come to, before it starts, by simulation with the code that judges.
//!
//! The traffic is assumed; ledger, verdict and ramp are the real ones. Everything that is assumed is printed.

mod normal;
mod observed;
mod page;
mod running;
mod scenario;
mod simulate;
mod world;

use std::num::NonZeroU32;
use std::path::PathBuf;

use config::value::Rate;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use policy::Experiment;

use super::admin::Credentials;
use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};
use page::Plan;
use scenario::{Baseline, Effect};
use world::World;

pub(crate) use scenario::Wrong;

/// Say how likely each verdict is and how long it takes, before an experiment starts
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald plan -c wald.yaml --experiment tomorrow --rate 100/s
  wald plan -c wald.yaml --experiment tomorrow --baseline accuracy=0.9 --effect accuracy=+0.02
  wald plan -c wald.yaml --experiment tomorrow --baseline latency=0.08:0.5 --effect latency=x1.1
  wald plan -c wald.yaml --experiment tomorrow --observations seen.csv
  wald plan -c wald.yaml --experiment tomorrow --admin 127.0.0.1:9901

A baseline is the control's rate, mean or (for durations) median in seconds, with its spread behind a
colon. An effect is xF, a factor (of the odds, for rates), or +D and -D, a difference of the mean or the
rate. The same seed gives the same plan on any machine. Exits with 2 when something is refused.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    /// The experiment of the document
    #[arg(long, value_name = "NAME")]
    experiment: String,
    /// Requests of all arms, such as 100/s
    #[arg(long, default_value = "100/s")]
    rate: Rate,
    /// What the control is like: METRIC=VALUE[:SPREAD]; may be repeated
    #[arg(long = "baseline", value_name = "METRIC=VALUE")]
    baselines: Vec<Baseline>,
    /// A recording that says what the control is like, where no --baseline does
    #[arg(long, value_name = "FILE")]
    observations: Option<PathBuf>,
    /// A running wald that says so for the experiment of this name, where neither does
    #[arg(long, value_name = "[https://]HOST:PORT")]
    admin: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// What the candidates change: METRIC=xF, +D or -D; may be repeated
    #[arg(
        long = "effect",
        value_name = "METRIC=EFFECT",
        allow_hyphen_values = true
    )]
    effects: Vec<Effect>,
    /// How many users come back, for an experiment that keeps them on their arm
    #[arg(long, default_value_t = 2000)]
    users: u32,
    /// How alike one user's outcomes are: the intraclass correlation
    #[arg(long, default_value_t = 0.1)]
    icc: f64,
    /// How much a covariate is correlated with what it stands beside
    #[arg(long, default_value_t = 0.5, allow_hyphen_values = true)]
    correlation: f64,
    /// Simulated experiments a scenario
    #[arg(long, default_value = "100")]
    runs: NonZeroU32,
    /// Drives everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn plan(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    let compiled = match source.compile() {
        Ok(compiled) => compiled,
        Err(refused) => {
            problems::complain(&refused, &source);
            return Ok(Exit::BadDocument);
        }
    };
    let experiment = wanted(compiled.policy.experiments(), &args.experiment)?;
    let mut observed = match &args.observations {
        Some(path) => observed::baselines(path, experiment)?,
        None => Vec::new(),
    };
    if let Some(admin) = &args.admin {
        observed.extend(running::baselines(admin, &args.credentials, experiment)?);
    }
    let world = World::of(experiment, args, &observed)?;
    let scenarios = scenario::all(experiment, &world, &args.effects)?;
    let searches = u64::from(scenario::SEARCH_RUNS) * scenario::SEARCH_STEPS;
    let bar = bar(u64::from(args.runs.get()) * scenarios.len() as u64 + searches);
    let told = scenarios
        .into_iter()
        .map(|scenario| scenario.play(experiment, args, &bar))
        .collect();
    let smallest = scenario::smallest_findable(experiment, &world, args, &bar);
    bar.finish_and_clear();
    let plan = Plan::new(experiment, args, &world, told, smallest);
    args.output.write(&plan, page::page)?;
    Ok(Exit::Done)
}

fn wanted<'a>(experiments: &'a [Experiment], asked: &str) -> Result<&'a Experiment, Wrong> {
    let known = || {
        let names: Vec<&str> = experiments.iter().map(|it| &*it.name).collect();
        names.join(", ")
    };
    experiments
        .iter()
        .find(|it| *it.name == *asked)
        .ok_or_else(|| Wrong::Experiment {
            asked: asked.to_owned(),
            known: known(),
        })
}

fn bar(steps: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    let style =
        ProgressStyle::with_template("{bar:40} {pos}/{len} simulated experiments, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[cfg(test)]
mod tests;

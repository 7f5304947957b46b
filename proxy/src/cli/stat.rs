//! `wald stat`: recomputes a statistic from its arguments, with the very code that judges.
//!
//! Standard input may hold any number of JSON objects, one after another; each gets its line of output
//! as soon as it is read. `docs/reference/stat.md` lists methods and arguments.

mod argument;
mod counts;
mod scores;

use std::io;

use serde_json::{Value, json};

use super::{Exit, Failure, output};
use argument::Wrong;

/// Recompute a statistic: arguments as JSON on standard input, the result as JSON on standard output
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The method
    #[arg(value_enum)]
    method: Method,
}

/// One a method, and each runs as it stands: a journey does it.
const EXAMPLES: &str = r#"Examples:
  echo '{"ticks": [[500, 500, 5, 15]], "side": "greater"}' | wald stat conditional_2x2
  echo '{"s_a": 40, "s_b": 80, "rho_b": 0.5}' | wald stat event_split
  echo '{"p": 0.5, "ticks": [{"u": [0, 1], "count_a": [50, 50], "count_b": [50, 50]},
                      {"u": [0, 1], "count_a": [90, 10], "count_b": [10, 90]}]}' | wald stat label
  echo '{"ticks": [[600, 6000, 61000, 600, 6600, 74000]]}' | wald stat robbins_siegmund
  echo '{"a": [1, 2, 3, 4], "b": [5, 6, 7, 8], "p": 0.5, "t_opt": 8}' | wald stat quantile_ab
  echo '{"n01": 30, "n10": 60}' | wald stat paired_binary
  echo '{"successes": 630, "n": 630, "p0": 0.995}' | wald stat agreement
  echo '{"counts": [5000, 5300], "rho": [0.5, 0.5]}' | wald stat sample_ratio
  echo '{"e_values": [1, 41, 42, 1], "alpha": 0.05}' | wald stat e_bh
  echo '{"looks": [[100, 1], [100, 4], [100, 5]], "p0": 0.015}' | wald stat e_detector

Standard input may hold many objects; each is answered by one line as soon as it is read.
Logarithms are natural, and only logarithms of e-values are printed: JSON has no infinity.
Where it is not given, side is two_sided (agreement: greater), alpha 0.05, w0 0, t_opt 2000,
and k 20 (sample_ratio: 1000).
Bad arguments are told on standard error as {"error": …}, with exit status 2."#;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum Method {
    /// Two rates, tick by tick: {ticks: [[n_a, n_b, s_a, s_b], …], side, w0}
    #[value(name = "conditional_2x2")]
    Conditional,
    /// Events by share of traffic: {s_a, s_b, rho_b, k, side}
    EventSplit,
    /// Scores by arm, tick by tick: {ticks: [{u: […], count_a: […], count_b: […]}, …], p, side}
    Label,
    /// Two means: {ticks: [[n_a, sum_a, sumsq_a, n_b, sum_b, sumsq_b], …], epochs, v0, alpha, side}
    RobbinsSiegmund,
    /// A quantile of two samples: {a: [sorted], b: [sorted], p, alpha, t_opt}
    QuantileAb,
    /// Pairs that differ: {n01, n10}
    PairedBinary,
    /// One rate against a number: {successes, n, p0, k, side}
    Agreement,
    /// Counts against shares: {counts, rho, k} or {epochs: [{counts, rho}, …], k}
    SampleRatio,
    /// Which of several to reject: {e_values or log_e_values, alpha}
    EBh,
    /// Whether a rate has risen, look by look: {looks: [[n, events], …], p0, dependent, from}
    EDetector,
}

pub(crate) fn stat(args: &Args) -> Result<Exit, Failure> {
    let inputs = serde_json::Deserializer::from_reader(io::stdin().lock()).into_iter::<Value>();
    let mut asked = false;
    for input in inputs {
        asked = true;
        match input
            .map_err(Wrong::from)
            .and_then(|input| args.method.compute(input))
        {
            Ok(result) => output::json(&result)?,
            Err(wrong) => return Ok(refuse(&wrong)),
        }
    }
    Ok(if asked {
        Exit::Done
    } else {
        refuse(&Wrong::Nothing)
    })
}

fn refuse(wrong: &Wrong) -> Exit {
    eprintln!("{}", json!({ "error": wrong.to_string() }));
    Exit::BadDocument
}

impl Method {
    fn compute(self, input: Value) -> Result<Value, Wrong> {
        match self {
            Self::Conditional => {
                argument::read(input).and_then(|given| counts::conditional(&given))
            }
            Self::EventSplit => argument::read(input).and_then(|given| counts::event_split(&given)),
            Self::PairedBinary => argument::read(input).map(|given| counts::paired_binary(&given)),
            Self::Agreement => argument::read(input).and_then(|given| counts::agreement(&given)),
            Self::SampleRatio => argument::read(input).and_then(counts::sample_ratio),
            Self::Label => argument::read(input).and_then(|given| scores::label(&given)),
            Self::RobbinsSiegmund => {
                argument::read(input).and_then(|given| scores::robbins_siegmund(&given))
            }
            Self::QuantileAb => argument::read(input).and_then(|given| scores::quantile_ab(&given)),
            Self::EBh => argument::read(input).and_then(scores::e_bh),
            Self::EDetector => argument::read(input).and_then(|given| counts::e_detector(&given)),
        }
    }
}

#[cfg(test)]
mod tests;

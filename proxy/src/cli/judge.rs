//! `wald judge`: recorded observations, judged again by the code that judges live traffic.
//!
//! For audits, and for trying Wald on past data. The file is read once and never held: what is kept is
//! what the referee keeps.

mod replay;
mod row;
mod timeline;

use std::fs::File;
use std::path::PathBuf;

use policy::Experiment;

use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};
use replay::Replay;

pub(crate) use row::{Rows, What, Wrong};

/// Judge recorded observations again, and print how the verdict came about
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald demo --once --fast --record seen.csv
  wald judge -c .wald-demo/9901/wald.yaml --experiment digits-better --observations seen.csv
  wald judge -c wald.yaml --experiment fraud-v2 --observations seen.csv --run 3 -o json

The file is CSV with the header time,run,epoch,share,unit,arm,metric,value: when the request started
(RFC 3339 or seconds since 1970), the attempt and its stretch of constant shares, each candidate's share
in it, who asked, and what was observed. A row whose metric is `exposure` says that an arm was given a
request. Exits with 0 when the file was judged, with 2 when it or the document is refused.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    /// The experiment of the document
    #[arg(long, value_name = "NAME")]
    experiment: String,
    /// The recorded observations
    #[arg(long, value_name = "FILE")]
    observations: PathBuf,
    /// Which of the runs in the file; the last if absent
    #[arg(long)]
    run: Option<u32>,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn judge(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    let compiled = match source.compile() {
        Ok(compiled) => compiled,
        Err(refused) => {
            problems::complain(&refused, &source);
            return Ok(Exit::BadDocument);
        }
    };
    let experiments = compiled.policy.experiments();
    let wanted = experiments.iter().find(|it| *it.name == *args.experiment);
    let experiment = wanted.ok_or_else(|| Wrong::Experiment {
        asked: args.experiment.clone(),
        known: names(experiments.iter().map(|it| &*it.name)),
    })?;
    let judged = replay(args, experiment)?;
    args.output.write(&judged, timeline::page)?;
    Ok(Exit::Done)
}

fn replay(args: &Args, experiment: &Experiment) -> Result<timeline::Judged, Wrong> {
    let path = &args.observations;
    let file = File::open(path).map_err(|source| Wrong::Open {
        path: path.clone(),
        source,
    })?;
    let mut replay: Option<Replay<'_>> = None;
    for row in Rows::new(file, experiment)? {
        let row = row?;
        if args.run.is_some_and(|run| run != row.run) {
            continue;
        }
        match &mut replay {
            Some(replay) if replay.run() == row.run => replay.take(&row),
            // A later attempt supersedes what came before; rows of an earlier one come late.
            Some(replay) if replay.run() > row.run => replay.skip(),
            _ => replay = Some(Replay::begin(experiment, &row)),
        }
    }
    let replay = replay.ok_or(Wrong::NoRun { asked: args.run })?;
    Ok(replay.end())
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;

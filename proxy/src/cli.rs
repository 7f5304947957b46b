//! The command line: one verb a file, results on standard output, everything else on standard error.
//!
//! A verb returns an [`Exit`] when it has said what there is to say, and a [`Failure`] when it could
//! not do its work at all; `main` prints the latter and turns both into an exit status.

mod admin;
mod audit;
mod check;
pub(crate) mod client;
mod completions;
mod document;
mod exit;
pub(crate) mod experiment;
pub(crate) mod explain;
mod judge;
pub(crate) mod logging;
mod man;
pub(crate) mod output;
mod plan;
pub(crate) mod problems;
mod run;
mod schema;
mod stat;
mod validate;

use clap::{Parser, Subcommand};

use crate::{demo, probe};

pub(crate) use exit::{Exit, Failure, UNLOADABLE};

/// Wald serves models behind sequential experiments: it splits traffic between two of them, watches
/// what happens, and promotes the better one or rolls back as soon as the evidence allows it.
#[derive(Debug, Parser)]
#[command(name = "wald", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  wald demo                          two experiments on real models and data, decided live
  wald validate -c wald.yaml         every problem in a document, with its line and its remedy
  wald run -c wald.yaml              serve until stopped
  wald experiment show digits        how an experiment stands";

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Demo(demo::Args),
    Validate(validate::Args),
    Schema(schema::Args),
    Explain(explain::Args),
    Check(check::Args),
    Experiment(experiment::Args),
    Audit(audit::Args),
    Plan(plan::Args),
    Judge(judge::Args),
    Stat(stat::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    ProbeModel(ProbeModel),
}

/// Load the model that standard input holds, within limits; what `run` and `check` do before they load it
#[derive(Debug, clap::Args)]
struct ProbeModel {
    /// The length of the file in bytes
    length: u64,
}

impl Cli {
    /// Does what the command line asks for.
    pub(crate) fn obey(&self) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Run(args) => run::run(args),
            Verb::Demo(args) => demo::demo(args),
            Verb::Validate(args) => validate::validate(args),
            Verb::Schema(_) => schema::schema(),
            Verb::Explain(args) => explain::explain(args),
            Verb::Check(args) => check::check(args),
            Verb::Experiment(args) => experiment::experiment(args),
            Verb::Audit(args) => audit::audit(args),
            Verb::Plan(args) => plan::plan(args),
            Verb::Judge(args) => judge::judge(args),
            Verb::Stat(args) => stat::stat(args),
            Verb::Completions(args) => completions::completions(args),
            Verb::Man(args) => man::man(args),
            Verb::ProbeModel(ProbeModel { length }) => Ok(probe::stand(*length)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_the_verbs_that_are_built_and_no_other() {
        let help = Cli::command().term_width(100).render_help().to_string();
        insta::assert_snapshot!(help);
    }

    #[test]
    fn every_verb_shows_examples() {
        let command = Cli::command();
        let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
        for verb in shown {
            let help = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.starts_with("Examples:"),
                "{} has no examples",
                verb.get_name()
            );
        }
    }
}

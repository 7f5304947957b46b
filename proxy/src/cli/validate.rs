//! `wald validate`: every problem in a document at once.

use std::io;

use config::Problems;

use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};

/// List every problem in a document, with its line, its code and its remedy
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald validate -c wald.yaml
  wald validate -c wald.yaml -o json | jq '.problems[].code'

Exits with 0 when the document can be served (warnings do not count), with 2 when it cannot.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn validate(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    match source.compile() {
        Ok(compiled) => report(args, &source, compiled.policy.warnings(), Exit::Done),
        Err(problems) => report(args, &source, &problems, Exit::BadDocument),
    }
}

fn report(args: &Args, source: &Source, found: &Problems, exit: Exit) -> Result<Exit, Failure> {
    let theme = problems::theme(&io::stdout());
    let human = |_: &_| problems::render(found, source, theme.clone());
    args.output.write(&problems::listing(found), human)?;
    Ok(exit)
}

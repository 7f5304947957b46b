//! `wald run`: serves a document until it is told to stop.

use std::ffi::OsString;
use std::path::PathBuf;

use super::document::{DocumentArgs, Source};
use super::{Exit, Failure, logging, problems};
use crate::server;

/// Serve a document until stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald run -c wald.yaml
  WALD_LOG=debug wald run -c wald.yaml
  wald run -c wald.yaml --upgrade       # with a newer binary, or after a change that needs a restart

SIGHUP or a changed file reloads the document; SIGTERM or Ctrl-C finishes the requests in flight and
stops, a second one stops at once; SIGUSR2 starts the program anew, with --upgrade. Exits with 1 when it cannot start, with 2 when the document is
refused.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    /// Write every exposure and observation into this CSV file, for `wald judge`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Take over sockets and store from the wald that serves this document now, which then finishes its
    /// requests and ends
    #[arg(long)]
    upgrade: bool,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    let compiled = match source.compile() {
        Ok(compiled) => compiled,
        Err(refused) => {
            problems::complain(&refused, &source);
            return Ok(Exit::BadDocument);
        }
    };
    if compiled.policy.warnings().iter().next().is_some() {
        problems::complain(compiled.policy.warnings(), &source);
    }
    let log = compiled
        .document
        .telemetry
        .as_ref()
        .and_then(|telemetry| telemetry.log.as_ref());
    logging::start(log, logging::Sink::Stderr);
    let start = server::Start::new(source.path)
        .recording(args.record.clone())
        .upgrading(args.upgrade)
        .succeeded_by(heir(args));
    server::run(start)?;
    Ok(Exit::Done)
}

/// This command line again, for the one that is to take over.
fn heir(args: &Args) -> Vec<OsString> {
    let option = (!args.upgrade).then(|| OsString::from("--upgrade"));
    std::env::args_os().chain(option).collect()
}

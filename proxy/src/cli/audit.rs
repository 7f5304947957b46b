//! `wald audit`: the chain of recorded decisions, checked or exported, also while another wald writes it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::document::{DocumentArgs, Source};
use super::output::{self, Output};
use super::{Exit, Failure, problems};
use crate::store::Store;

/// Check or export the record of everything that was decided
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald audit verify -c wald.yaml
  wald audit export -c wald.yaml | jq '{time, kind, experiment}'

The store is the one that the document names. It may be in use. Exits with 1 when the chain is broken.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that no record was changed, removed or added
    Verify {
        #[command(flatten)]
        document: DocumentArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Print every record as a line of JSON
    Export {
        #[command(flatten)]
        document: DocumentArgs,
    },
}

/// The outcome of a verification.
#[derive(Serialize)]
struct Outcome {
    store: PathBuf,
    holds: bool,
    records: usize,
    /// The first record that does not hold, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Break>,
}

#[derive(Serialize)]
struct Break {
    record: u64,
    why: String,
}

pub(crate) fn audit(args: &Args) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::Verify { document, output } => match store(document)? {
            Some(store) => verify(&store, *output),
            None => Ok(Exit::BadDocument),
        },
        Verb::Export { document } => match store(document)? {
            Some(store) => export(&store),
            None => Ok(Exit::BadDocument),
        },
    }
}

fn verify(store: &Path, output: Output) -> Result<Exit, Failure> {
    let audit = Store::read(store)?.audit()?;
    let broken = audit.verify().err().map(|broken| Break {
        record: broken.seq,
        why: broken.flaw.to_string(),
    });
    let outcome = Outcome {
        store: store.to_owned(),
        holds: broken.is_none(),
        records: audit.lines().count(),
        broken,
    };
    output.write(&outcome, Outcome::sentence)?;
    Ok(if outcome.holds {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn export(store: &Path) -> Result<Exit, Failure> {
    let audit = Store::read(store)?.audit()?;
    output::text(
        &audit
            .lines()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )?;
    Ok(Exit::Done)
}

/// The store of a document; none if the document is refused, which has then been said.
fn store(args: &DocumentArgs) -> Result<Option<PathBuf>, Failure> {
    let source = Source::open(&args.config)?;
    match source.compile() {
        Ok(compiled) => compiled
            .policy
            .store()
            .map(|path| Some(path.to_owned()))
            .ok_or(Failure::NoStore),
        Err(refused) => {
            problems::complain(&refused, &source);
            Ok(None)
        }
    }
}

impl Outcome {
    fn sentence(&self) -> String {
        let store = self.store.display();
        match &self.broken {
            None => format!("{store}: {} records, the chain holds\n", self.records),
            Some(Break { record, why }) => {
                format!("{store}: the chain is broken at record {record}: {why}\n")
            }
        }
    }
}

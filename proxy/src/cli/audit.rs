//! `wald audit`: the chain of recorded decisions, checked or exported, also while another wald writes it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use policy::Policy;
use serde::Serialize;

use super::document::{DocumentArgs, Source};
use super::output::{self, Output};
use super::{Exit, Failure, problems};
use crate::audit::checkpoint::{self, PublicKey};
use crate::store::Store;

/// Check or export the record of everything that was decided
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald audit verify -c wald.yaml
  wald audit verify -c wald.yaml --key audit.pub --checkpoints /mnt/archive/wald.checkpoints
  wald audit export -c wald.yaml | jq '{time, kind, experiment}'

The store is the one that the document names. It may be in use. Exits with 1 when the chain is broken.")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that no record was changed, removed or added, and with signed checkpoints that none was cut off
    Verify {
        #[command(flatten)]
        document: DocumentArgs,
        /// The key that signed the checkpoints, public or private; the document's, if none
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The checkpoints, wherever a copy of them is kept; the document's, if none
        #[arg(long, value_name = "FILE")]
        checkpoints: Option<PathBuf>,
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
    /// How many signed checkpoints it was held against.
    checkpoints: usize,
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
        Verb::Verify {
            document,
            key,
            checkpoints,
            output,
        } => match policy(document)? {
            Some(policy) => verify(&policy, key.as_deref(), checkpoints.as_deref(), *output),
            None => Ok(Exit::BadDocument),
        },
        Verb::Export { document } => match policy(document)? {
            Some(policy) => export(policy.store().ok_or(Failure::NoStore)?),
            None => Ok(Exit::BadDocument),
        },
    }
}

fn verify(
    policy: &Policy,
    key: Option<&Path>,
    checkpoints: Option<&Path>,
    output: Output,
) -> Result<Exit, Failure> {
    let store = policy.store().ok_or(Failure::NoStore)?;
    let signed = policy.audit();
    let key = key.or(signed.map(|audit| &*audit.key));
    let checkpoints = checkpoints.or(signed.map(|audit| &*audit.checkpoints));
    // Before the chain: what is signed meanwhile names a record that is there by then.
    let checkpoints = match (key, checkpoints) {
        (Some(key), Some(file)) => Some((checkpoint::read(file)?, PublicKey::read(key)?)),
        (None, Some(_)) => return Err(Failure::NoAuditKey),
        _ => None,
    };
    let audit = Store::read(store)?.audit()?;
    let mut checked = audit.verify();
    if let (Ok(()), Some((checkpoints, key))) = (&checked, &checkpoints) {
        checked = audit.holds_at(checkpoints, key);
    }
    let broken = checked.err().map(|broken| Break {
        record: broken.seq,
        why: broken.flaw.to_string(),
    });
    let outcome = Outcome {
        store: store.to_owned(),
        holds: broken.is_none(),
        records: audit.lines().count(),
        checkpoints: checkpoints.map_or(0, |(checkpoints, _)| checkpoints.len()),
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

/// The policy of a document; none if the document is refused, which has then been said.
fn policy(args: &DocumentArgs) -> Result<Option<Policy>, Failure> {
    let source = Source::open(&args.config)?;
    match source.compile() {
        Ok(compiled) => Ok(Some(compiled.policy)),
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
            None if self.checkpoints == 0 => format!(
                "{store}: {} records, the chain holds (no signed checkpoint says that its end is there)\n",
                self.records
            ),
            None => format!(
                "{store}: {} records, the chain holds, and so do {} signed checkpoints\n",
                self.records, self.checkpoints
            ),
            Some(Break { record, why }) => {
                format!("{store}: the chain is broken at record {record}: {why}\n")
            }
        }
    }
}

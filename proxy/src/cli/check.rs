//! `wald check`: looks at everything that `wald run` will need, before it needs it.

mod certificates;
mod files;
mod finding;
mod keys;
mod network;
mod webhooks;

use policy::Policy;
use serde::Serialize;

use super::document::{DocumentArgs, Source};
use super::output::Output;
use super::{Exit, Failure, problems};
use finding::{Finding, Mark};

/// Look at everything that serving a document will need: files, models, keys, store, ports, upstreams,
/// webhooks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald check -c wald.yaml
  wald check -c wald.yaml -o json | jq '.checks[] | select(.mark == \"failed\")'

Every line has a mark: \u{2713} fine, \u{203c} works but look at it, \u{d7} will not work. Exits with 1 when there is
a \u{d7}.")]
pub(crate) struct Args {
    #[command(flatten)]
    document: DocumentArgs,
    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct Report {
    checks: Vec<Finding>,
}

pub(crate) fn check(args: &Args) -> Result<Exit, Failure> {
    let source = Source::open(&args.document.config)?;
    let report = match source.compile() {
        Ok(compiled) => Report {
            checks: all(&source, &compiled.policy)?,
        },
        Err(refused) => {
            problems::complain(&refused, &source);
            let remedy = "mend what `wald validate` lists";
            let count = format!("{} problems", refused.len());
            Report {
                checks: vec![Finding::failed(source.subject(), count, remedy)],
            }
        }
    };
    args.output.write(&report, Report::page)?;
    Ok(
        if report
            .checks
            .iter()
            .any(|finding| finding.mark == Mark::Failed)
        {
            Exit::Failed
        } else {
            Exit::Done
        },
    )
}

fn all(source: &Source, policy: &Policy) -> Result<Vec<Finding>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut checks = vec![document(source, policy)];
    let models = policy.models().iter();
    checks.extend(models.map(|model| files::model(policy, model)));
    checks.extend(
        policy
            .issuers()
            .iter()
            .map(|issuer| runtime.block_on(keys::look(issuer))),
    );
    checks.extend(certificates::look(policy));
    checks.push(files::store(policy.store()));
    checks.extend(runtime.block_on(network::look(policy)));
    let webhooks = policy.webhooks().iter();
    checks.extend(webhooks.map(|webhook| runtime.block_on(webhooks::look(webhook))));
    Ok(checks)
}

fn document(source: &Source, policy: &Policy) -> Finding {
    match policy.warnings().len() {
        0 => Finding::fine(source.subject(), "no problems"),
        count => Finding::doubtful(
            source.subject(),
            format!("{count} warnings"),
            "read what `wald validate` lists",
        ),
    }
}

impl Source {
    fn subject(&self) -> String {
        format!("document {}", self.path.display())
    }
}

impl Report {
    fn page(&self) -> String {
        self.checks.iter().map(Finding::line).collect()
    }
}

//! `wald experiment`: how the experiments of a running Wald stand.

mod page;
mod report;

use clap::Subcommand;
use serde_json::Value;

use super::admin::Credentials;
use super::client::ClientError;
use super::output::Output;
use super::{Exit, Failure};

pub(crate) use page::percent;
pub(crate) use report::{Experiment, Experiments};

/// Show how the experiments of a running wald stand
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald experiment list
  wald experiment show digits-better
  WALD_ADMIN=https://10.0.0.7:9901 wald experiment list --admin-ca ca.pem --admin-cert me.pem --admin-key me.key")]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the experiments, one a line
    List {
        #[command(flatten)]
        asked: Asked,
    },
    /// Show the arms, the metrics and the history of one
    Show {
        /// The experiment's name
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
}

#[derive(Debug, clap::Args)]
struct Asked {
    /// Admin address of the running wald
    #[arg(
        long,
        env = "WALD_ADMIN",
        value_name = "[https://]HOST:PORT",
        default_value = "127.0.0.1:9901"
    )]
    admin: String,
    #[command(flatten)]
    credentials: Credentials,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn experiment(args: &Args) -> Result<Exit, Failure> {
    match &args.verb {
        Verb::List { asked } => {
            let answer = asked.get("/api/v1/experiments")?;
            asked.write(&answer, Experiments::table)
        }
        Verb::Show { name, asked } => {
            let answer = asked.get(&format!("/api/v1/experiments/{name}"))?;
            asked.write(&answer, Experiment::page)
        }
    }
}

impl Asked {
    fn get(&self, path: &str) -> Result<Value, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer =
            runtime.block_on(async { self.credentials.open(&self.admin).await?.get(path).await });
        answer.map_err(|source| self.failure(source))
    }

    /// Programs get the answer as the API gave it, people get what they read it for.
    fn write<T: serde::de::DeserializeOwned>(
        &self,
        answer: &Value,
        human: fn(&T) -> String,
    ) -> Result<Exit, Failure> {
        let parsed =
            T::deserialize(answer).map_err(|unexpected| self.failure(unexpected.into()))?;
        self.output.write(answer, |_| human(&parsed))?;
        Ok(Exit::Done)
    }

    fn failure(&self, source: ClientError) -> Failure {
        match source {
            ClientError::Refused { .. } => Failure::Refused(source),
            _ => Failure::Admin {
                admin: self.admin.clone(),
                source,
            },
        }
    }
}

//! `wald experiment`: how the experiments of a running Wald stand, and what people say about them.

mod page;
mod report;

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::admin::Credentials;
use super::client::{ClientError, Connection};
use super::output::Output;
use super::{Exit, Failure};

pub(crate) use page::percent;
pub(crate) use report::{Experiment, Experiments};

/// Show how the experiments of a running wald stand, and start, pause or decide them
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald experiment list
  wald experiment show digits-better
  wald experiment watch digits-better
  wald experiment rollback digits-better --reason \"complaints from the branches\"
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
    /// Show one again whenever it changes, until it is decided
    Watch {
        /// The experiment's name
        name: String,
        #[command(flatten)]
        asked: Asked,
    },
    /// Begin one that waits for it (start: manual)
    Start(Order),
    /// Send everyone to the control until it is resumed
    Pause(Order),
    /// Go on after a pause
    Resume(Order),
    /// End one without a verdict; everyone stays with the control
    Stop(Order),
    /// Agree to a promotion that is proven and waits for people
    Approve(Order),
    /// Give all traffic to a candidate, whatever the evidence says
    Promote {
        #[command(flatten)]
        order: Order,
        /// The candidate, where there are several
        #[arg(long, value_name = "NAME")]
        arm: Option<String>,
        /// In spite of an alarm, or without the approvals that are asked for; this is recorded
        #[arg(long)]
        force: bool,
    },
    /// Give all traffic back to the control, also after a promotion
    Rollback(Order),
}

#[derive(Debug, clap::Args)]
struct Order {
    /// The experiment's name
    name: String,
    /// Why, for the history and the audit trail
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asked: Asked,
}

/// How often a watched experiment is looked at.
const LOOK: Duration = Duration::from_secs(1);

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
        Verb::Watch { name, asked } => asked.watch(name),
        Verb::Start(order) => order.give("start", &json!({})),
        Verb::Pause(order) => order.give("pause", &json!({})),
        Verb::Resume(order) => order.give("resume", &json!({})),
        Verb::Stop(order) => order.give("stop", &json!({})),
        Verb::Approve(order) => order.give("approve", &json!({})),
        Verb::Rollback(order) => order.give("rollback", &json!({})),
        Verb::Promote { order, arm, force } => {
            order.give("promote", &json!({ "arm": arm, "force": force }))
        }
    }
}

impl Order {
    /// Gives the order, and shows how the experiment stands afterwards.
    fn give(&self, verb: &str, more: &Value) -> Result<Exit, Failure> {
        let Self {
            name,
            reason,
            asked,
        } = self;
        let mut body = more.clone();
        if let Some(body) = body.as_object_mut() {
            body.insert("reason".to_owned(), json!(reason));
        }
        let path = format!("/api/v1/experiments/{name}/{verb}");
        let answer = asked.ask(async |admin| {
            let answer = admin.post(&path, &[], body.to_string().into()).await?;
            answer.json::<Value>()
        })?;
        asked.write(&answer, Experiment::page)
    }
}

impl Asked {
    fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(async |admin| admin.get(path).await)
    }

    fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&mut Connection) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let answer = runtime.block_on(async {
            let mut admin = self.credentials.open(&self.admin).await?;
            question(&mut admin).await
        });
        answer.map_err(|source| self.failure(source))
    }

    /// Shows an experiment whenever it has changed, until it is over.
    fn watch(&self, name: &str) -> Result<Exit, Failure> {
        let path = format!("/api/v1/experiments/{name}");
        let mut shown = Value::Null;
        loop {
            let answer = self.get(&path)?;
            if answer != shown {
                self.write(&answer, Experiment::page)?;
                shown = answer;
            }
            if shown.get("decision") != Some(&json!("undecided")) {
                return Ok(Exit::Done);
            }
            std::thread::sleep(LOOK);
        }
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

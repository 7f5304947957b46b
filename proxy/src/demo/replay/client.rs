//! One client: a connection, the requests it sends on it, and the feedback it owes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{self, Instant, MissedTickBehavior};

use super::Counts;
use crate::cli::client::{Answer, ClientError, Connection};
use crate::demo::chance::Chance;
use crate::demo::traffic::Image;

/// Of so many requests one goes to the proxied route and the rest to the two experiments.
const ONE_PROXIED_IN: usize = 9;
/// How many users there are, over all clients.
const USERS: usize = 5_000;
/// Feedback is sent when so much of it waits, ...
const FEEDBACK_ITEMS: usize = 64;
/// ... or when it has waited so long: well within the window of the metric.
const FEEDBACK_WAIT: Duration = Duration::from_millis(250);
/// How long a client leaves a server alone that did not answer.
const RECOVERY: Duration = Duration::from_millis(100);

const USER: HeaderName = HeaderName::from_static("x-user");

pub(super) struct Client {
    edge: String,
    images: Arc<Vec<Image>>,
    seed: u64,
    chance: Chance,
    counts: Arc<Counts>,
    owed: Vec<Feedback>,
    owed_since: Instant,
}

/// What the true label says about one answer.
#[derive(Serialize)]
struct Feedback {
    assignment: String,
    metric: &'static str,
    value: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// What the feedback endpoint made of a batch.
#[derive(Deserialize)]
struct Receipt {
    accepted: usize,
    #[serde(default)]
    refused: Vec<serde::de::IgnoredAny>,
}

impl Client {
    pub(super) fn new(
        edge: SocketAddr,
        images: Arc<Vec<Image>>,
        seed: u64,
        number: u32,
        counts: Arc<Counts>,
    ) -> Self {
        let chance = Chance::new(seed, number.into());
        let owed_since = Instant::now();
        Self {
            edge: edge.to_string(),
            images,
            seed,
            chance,
            counts,
            owed: Vec::new(),
            owed_since,
        }
    }

    /// Sends requests until told to stop, and then the feedback that is still owed.
    pub(super) async fn run(mut self, pause: Option<Duration>, mut stopped: watch::Receiver<bool>) {
        let mut connection = None;
        let mut pace = pause.map(time::interval);
        if let Some(pace) = &mut pace {
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        while !*stopped.borrow() {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            if self.turn(&mut connection).await.is_err() {
                Counts::add(&self.counts.failed, 1);
                connection = None;
                // Whoever stops the replay has gone, or it is over: both end the wait.
                drop(time::timeout(RECOVERY, stopped.wait_for(|stopped| *stopped)).await);
            }
        }
        if let Some(connection) = &mut connection {
            self.report(connection).await.ok();
        }
    }

    /// One request, and feedback if enough of it waits. An error means that the connection is of no more use.
    async fn turn(&mut self, connection: &mut Option<Connection>) -> Result<(), ClientError> {
        let connection = match connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.edge).await?),
        };
        self.ask(connection).await?;
        if self.owed.len() >= FEEDBACK_ITEMS || self.owed_since.elapsed() >= FEEDBACK_WAIT {
            self.report(connection).await?;
        }
        Ok(())
    }

    async fn ask(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        let images = Arc::clone(&self.images);
        let Some(image) = images.get(self.chance.below(images.len())) else {
            return Ok(());
        };
        let route = match self.chance.below(ONE_PROXIED_IN) {
            0 => "digits-proxied",
            odd if odd % 2 == 1 => "digits-better",
            _ => "digits-worse",
        };
        let user = format!("user-{}-{}", self.seed, self.chance.below(USERS));
        let headers = [(
            USER,
            HeaderValue::try_from(user).map_err(http::Error::from)?,
        )];
        let path = format!("/v2/models/{route}/infer");
        let answer = connection
            .post(&path, &headers, image.request.clone())
            .await?;
        self.judge(image, &answer);
        Ok(())
    }

    fn judge(&mut self, image: &Image, answer: &Answer) {
        let right = if answer.status.is_success() {
            image.judge(&answer.body)
        } else {
            None
        };
        let Some(right) = right else {
            return Counts::add(&self.counts.failed, 1);
        };
        Counts::add(&self.counts.answered, 1);
        if let Some(assignment) = text(&answer.headers, "x-wald-assignment") {
            if self.owed.is_empty() {
                self.owed_since = Instant::now();
            }
            let id = text(&answer.headers, "x-request-id");
            self.owed.push(Feedback {
                assignment,
                metric: "accuracy",
                value: right.into(),
                id,
            });
        }
    }

    async fn report(&mut self, connection: &mut Connection) -> Result<(), ClientError> {
        if self.owed.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.owed);
        let body = Bytes::from(serde_json::to_vec(&batch)?);
        let answer = connection.post("/.wald/feedback", &[], body).await?;
        match answer.json::<Receipt>() {
            Ok(receipt) => {
                Counts::add(&self.counts.feedback, receipt.accepted);
                Counts::add(&self.counts.refused, receipt.refused.len());
            }
            Err(_) => Counts::add(&self.counts.refused, batch.len()),
        }
        Ok(())
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

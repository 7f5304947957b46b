//! The one task that decides: it gathers evidence, asks for verdicts, writes them down and only then
//! publishes the snapshot that follows from them.
//!
//! Nobody else publishes a snapshot or changes a run, so there is nothing to lock. Others reach the
//! referee through a bounded mailbox and read what it knows from the [`Book`].

mod book;
mod desk;
mod hearing;
mod in_force;
mod keeper;
mod lending;
mod order;
mod rehearsal;
mod ruling;
mod run;
mod series;
mod settling;
mod signing;
mod task;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use policy::{KeySource, Policy};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use book::{Book, Entry};
pub(crate) use order::{Actor, Order, OrderError};
pub(crate) use run::told;
pub(crate) use series::Shown as Series;

use crate::audit::checkpoint::Notary;
use crate::audit::{Event, Record};
use crate::credentials::Credentials;
use crate::feedback::{Item, Receipt};
use crate::identify::{KeySet, KeySets};
use crate::live::Live;
use crate::members::Rosters;
use crate::observe::Observed;
use crate::rates::Rates;
use crate::recording::Recording;
use crate::shadow;
use crate::store::{Store, StoreError};
use crate::workers::Workers;
use keeper::Keeper;
use task::Task;

/// How many letters may wait for the referee; more are turned away.
const MAILBOX: usize = 256;

/// What is to be put in force.
pub(crate) struct Candidate {
    /// The compiled document.
    pub(crate) policy: Arc<Policy>,
    /// The running models, by `ModelId`.
    pub(crate) models: Vec<Arc<inference::Pool>>,
    /// The keys of issuers that come from files, by `IssuerId`.
    pub(crate) key_sets: KeySets,
    /// Certificates and authorities.
    pub(crate) credentials: Arc<Credentials>,
    /// Who the servers of its upstreams are.
    pub(crate) rosters: Arc<Rosters>,
    /// How many requests callers have sent.
    pub(crate) rates: Arc<Rates>,
    /// Who wants it; none if a file has changed, or at the start.
    pub(crate) by: Option<String>,
}

/// What a new document did to the experiments.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Adopted {
    /// Go on with their evidence.
    pub(crate) kept: Vec<String>,
    /// Began a run, because they are new or what they decide has changed.
    pub(crate) started: Vec<String>,
    /// Are no longer in the document.
    pub(crate) removed: Vec<String>,
}

/// What others ask of the referee.
enum Letter {
    Feedback(Vec<Item>, oneshot::Sender<Receipt>),
    Adopt(Box<Candidate>, oneshot::Sender<Result<Adopted, AdoptError>>),
    Trust(Trust, oneshot::Sender<()>),
    Audit(oneshot::Sender<Result<Vec<String>, StoreError>>),
    Series(String, u64, oneshot::Sender<Option<Series>>),
    Evidence(String, oneshot::Sender<Option<Vec<stats::Asked>>>),
    Note(Event, oneshot::Sender<Result<(), StoreError>>),
    Order(Order, oneshot::Sender<Result<Entry, OrderError>>),
    Hear(Vec<Observed>),
    Lend(oneshot::Sender<Result<(), StoreError>>),
    Reclaim(oneshot::Sender<()>),
    Close(oneshot::Sender<Vec<Observed>>),
}

/// The keys that a server has given for an issuer; none if they are too old to be believed.
struct Trust {
    issuer: Arc<str>,
    source: KeySource,
    keys: Option<Arc<KeySet>>,
}

/// The way to the referee.
#[derive(Clone)]
pub(crate) struct Referee {
    letters: mpsc::Sender<Letter>,
    book: Arc<ArcSwap<Book>>,
    trail: Option<Arc<Store>>,
}

/// The mailbox is full, or the referee is gone.
#[derive(Debug)]
pub(crate) struct Busy;

/// Why the referee cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The store could not be read or written.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// The operating system gave no randomness for a key.
    #[error("no randomness for a key")]
    Randomness(#[from] getrandom::Error),
}

/// Why a document was not put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    /// The runs that it begins could not be written down.
    #[error("the store cannot be written: the document before stays in force")]
    Store(#[from] StoreError),
    /// The server is ending.
    #[error("the server is ending")]
    Ending,
}

/// What the referee uses beside the store.
pub(crate) struct Beside {
    /// Where observations are recorded, if they are.
    pub(crate) recording: Option<Recording>,
    /// Who signs the audit trail, if anybody does.
    pub(crate) notary: Option<Notary>,
    /// What answers to copies say.
    pub(crate) shadows: shadow::Desk,
}

/// Restores every run from the store, puts the first snapshot in force and starts to judge.
pub(crate) async fn start(
    store: Store,
    first: Candidate,
    workers: Workers,
    beside: Beside,
) -> Result<(Live, Referee), StartError> {
    let (letters, mailbox) = mpsc::channel(MAILBOX);
    let book = Arc::new(ArcSwap::from_pointee(Book::default()));
    let store = Arc::new(store);
    let referee = Referee {
        letters,
        book: Arc::clone(&book),
        trail: Some(Arc::clone(&store)),
    };
    let (keeper, live) = Keeper::begin(store, first, book, beside, unix_ms()).await?;
    tokio::spawn(Task::new(keeper, workers, mailbox).judge());
    Ok((live, referee))
}

impl Referee {
    /// One that nobody stands behind: whatever is asked of it is turned away.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            letters: mpsc::channel(1).0,
            book: Arc::default(),
            trail: None,
        }
    }

    /// Counts what clients report.
    pub(crate) async fn feedback(&self, items: Vec<Item>) -> Result<Receipt, Busy> {
        let (reply, answer) = oneshot::channel();
        self.letters
            .try_send(Letter::Feedback(items, reply))
            .map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }

    /// Puts a document in force, all of it or nothing.
    pub(crate) async fn adopt(&self, candidate: Candidate) -> Result<Adopted, AdoptError> {
        let (reply, answer) = oneshot::channel();
        let letter = Letter::Adopt(Box::new(candidate), reply);
        self.letters
            .send(letter)
            .await
            .map_err(|_| AdoptError::Ending)?;
        answer.await.map_err(|_| AdoptError::Ending)?
    }

    /// Puts other keys of an issuer in force, and returns when they are.
    pub(crate) async fn trust(
        &self,
        issuer: &Arc<str>,
        source: KeySource,
        keys: Option<Arc<KeySet>>,
    ) {
        let (reply, answer) = oneshot::channel();
        let trust = Trust {
            issuer: Arc::clone(issuer),
            source,
            keys,
        };
        if self.letters.send(Letter::Trust(trust, reply)).await.is_ok() {
            // No answer means that the server is ending.
            drop(answer.await);
        }
    }

    /// Writes down what somebody did at the admin address that is about no experiment.
    pub(crate) async fn note(&self, kind: &'static str, by: &Actor, detail: serde_json::Value) {
        let event = in_force::event(kind, Some(&by.name), detail, unix_ms());
        let (reply, answer) = oneshot::channel();
        let sent = self.letters.send(Letter::Note(event, reply)).await;
        if sent.is_err() || !matches!(answer.await, Ok(Ok(()))) {
            tracing::error!(kind, by = by.name, "the audit trail has no record of it");
        }
    }

    /// How the experiments stand.
    pub(crate) fn book(&self) -> Arc<Book> {
        self.book.load_full()
    }

    /// How an experiment came to stand where it does, after a moment in milliseconds since 1970; none if there
    /// is no such experiment.
    pub(crate) async fn series(
        &self,
        experiment: String,
        after_ms: u64,
    ) -> Result<Option<Series>, Busy> {
        let (reply, answer) = oneshot::channel();
        self.letters
            .try_send(Letter::Series(experiment, after_ms, reply))
            .map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }

    /// Every test of an experiment with what it is made of; none if there is no such experiment.
    pub(crate) async fn evidence(
        &self,
        experiment: String,
    ) -> Result<Option<Vec<stats::Asked>>, Busy> {
        let (reply, answer) = oneshot::channel();
        self.letters
            .try_send(Letter::Evidence(experiment, reply))
            .map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }

    /// The audit chain, as lines of JSON; none while the referee has too much to do or the store fails.
    pub(crate) async fn audit(&self) -> Option<Vec<String>> {
        let (reply, answer) = oneshot::channel();
        self.letters.try_send(Letter::Audit(reply)).ok()?;
        let read = answer.await.ok()?;
        read.inspect_err(|error| tracing::error!(%error, "the audit trail cannot be read"))
            .ok()
    }

    /// Does what a person says; how the experiment stands afterwards.
    pub(crate) async fn order(&self, order: Order) -> Result<Entry, OrderError> {
        let (reply, answer) = oneshot::channel();
        let letter = Letter::Order(order, reply);
        self.letters
            .try_send(letter)
            .map_err(|_| OrderError::Busy)?;
        answer.await.unwrap_or(Err(OrderError::Busy))
    }

    /// Counts what another Wald's workers saw last, before this one took over from it.
    pub(crate) async fn hear(&self, evidence: Vec<Observed>) {
        if self.letters.send(Letter::Hear(evidence)).await.is_err() {
            tracing::warn!("evidence came when the server was ending");
        }
    }

    /// Writes everything down and closes the store, so that another process can open it.
    pub(crate) async fn lend(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let letter = Letter::Lend(reply);
        let sent = self.letters.send(letter).await;
        sent.map_err(|_| StoreError::Interrupted)?;
        answer.await.unwrap_or(Err(StoreError::Interrupted))
    }

    /// Opens the store again, now or as soon as it can be had.
    pub(crate) async fn reclaim(&self) {
        let (reply, answer) = oneshot::channel();
        if self.letters.send(Letter::Reclaim(reply)).await.is_ok() {
            // No answer means that the server is ending.
            drop(answer.await);
        }
    }

    /// The number of the last record of the audit chain, now and whenever one is added.
    pub(crate) fn last_record(&self) -> Option<watch::Receiver<u64>> {
        self.trail.as_ref().map(|store| store.last_record())
    }

    /// Some records of the audit chain after this number; none where they cannot be read.
    pub(crate) async fn records_after(&self, number: u64) -> Option<Vec<(u64, Record)>> {
        let store = Arc::clone(self.trail.as_ref()?);
        let read = tokio::task::spawn_blocking(move || store.records_after(number));
        read.await.ok()?.ok()
    }

    /// The store with the audit chain, for whoever follows it and notes how far it has come.
    pub(crate) fn trail(&self) -> Option<Arc<Store>> {
        self.trail.clone()
    }

    /// Takes in the last evidence, writes it down and ends the task; what another process has to write down
    /// instead is given back. The store is closed afterwards.
    pub(crate) async fn close(&self) -> Vec<Observed> {
        let (reply, answer) = oneshot::channel();
        if self.letters.send(Letter::Close(reply)).await.is_err() {
            return Vec::new();
        }
        // No answer means that the task has ended already, which is what was asked for.
        answer.await.unwrap_or_default()
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    millis(since)
}

/// A duration as the referee counts it.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

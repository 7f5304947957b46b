//! All that the referee keeps: runs and what follows for them, written down before it is published.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use policy::{Policy, State};

use super::book::{Book, Entry, Tally};
use super::hearing::hear;
use super::in_force::InForce;
use super::lending::Holder;
use super::order::{Order, OrderError};
use super::ruling::Ruling;
use super::run::{Run, encode};
use super::settling::settle;
use super::{
    AdoptError, Adopted, Beside, Candidate, StartError, Trust, desk, millis, rehearsal, watching,
};
use crate::audit::Event;
use crate::audit::checkpoint::Notary;
use crate::causes::causes;
use crate::credentials::Credentials;
use crate::identify::KeySets;
use crate::live::{Live, Snapshot};
use crate::members::Rosters;
use crate::observe::{Limits, Observed};
use crate::rates::Rates;
use crate::recording::Recording;
use crate::shadow;
use crate::store::{Store, StoreError, Transaction};
use crate::token::{Key, Keys};

/// How often evidence without a decision is written down: what a crash can lose of it.
const CHECKPOINT: Duration = Duration::from_secs(5);

/// How long a key signs.
const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long after its replacement a key is believed, beyond the longest window.
const KEY_GRACE: Duration = Duration::from_secs(3600);

/// Everything that only the referee may change.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    pub(super) holder: Holder,
    live: Live,
    pub(super) policy: Arc<Policy>,
    models: Vec<Arc<inference::Pool>>,
    key_sets: Arc<KeySets>,
    credentials: Arc<Credentials>,
    rosters: Arc<Rosters>,
    rates: Arc<Rates>,
    keys: Arc<Keys>,
    /// By `ExperimentId`.
    pub(super) runs: Vec<Run>,
    pub(super) tally: Tally,
    checkpoint_ms: u64,
    book: Arc<ArcSwap<Book>>,
    recording: Option<Recording>,
    pub(super) notary: Option<Arc<Mutex<Notary>>>,
    shadows: shadow::Desk,
}

impl Keeper {
    /// Restores what the store knows and puts the first snapshot in force.
    pub(super) async fn begin(
        store: Arc<Store>,
        first: Candidate,
        book: Arc<ArcSwap<Book>>,
        beside: Beside,
        now_ms: u64,
    ) -> Result<(Self, Live), StartError> {
        let keys = keys(&store, now_ms)?;
        let policy = Arc::clone(&first.policy);
        let in_force = InForce::of(&policy, &first.credentials, &first.key_sets, &keys);
        let runs = blocking(&store, move |tx| {
            in_force.note(tx, None, now_ms)?;
            settle(tx, &policy, Vec::new(), now_ms)
        });
        let runs = runs.await?;
        tell(&runs.0, &runs.1.started);
        let Candidate {
            policy,
            models,
            key_sets,
            credentials,
            rosters,
            rates,
            by: _,
        } = first;
        let key_sets = Arc::new(key_sets);
        let keys = Arc::new(keys);
        let stages = runs.0.iter().map(Run::stage).collect();
        let snapshot = Snapshot {
            policy: Arc::clone(&policy),
            stages,
            models: models.clone(),
            key_sets: Arc::clone(&key_sets),
            credentials: Arc::clone(&credentials),
            rosters: Arc::clone(&rosters),
            rates: Arc::clone(&rates),
            keys: Arc::clone(&keys),
            recorded: beside.recording.is_some(),
        };
        let live = Live::new(snapshot);
        let keeper = Self {
            store,
            holder: Holder::default(),
            live: live.clone(),
            policy,
            models,
            key_sets,
            credentials,
            rosters,
            rates,
            keys,
            runs: runs.0,
            tally: Tally::default(),
            checkpoint_ms: now_ms,
            book,
            recording: beside.recording,
            notary: beside.notary.map(|notary| Arc::new(Mutex::new(notary))),
            shadows: beside.shadows,
        };
        keeper.write_book();
        Ok((keeper, live))
    }

    /// What workers have to hold numbers against.
    pub(super) fn limits(&self) -> Arc<Limits> {
        let limits = self.runs.iter().filter_map(|run| {
            let name = run.experiment.name.to_string();
            Some(((name, run.record.run), run.ledger.limits()?))
        });
        Arc::new(limits.collect())
    }

    /// Counts feedback.
    pub(super) fn count(&mut self, items: &[crate::feedback::Item]) -> crate::feedback::Receipt {
        let mut desk = desk::Desk::new(&mut self.runs, self.recording.as_mut());
        let receipt = desk.count(&self.keys, items);
        self.tally.feedback_accepted += receipt.accepted as u64;
        self.tally.feedback_duplicate += receipt.duplicate as u64;
        self.tally.feedback_refused += receipt.refused.len() as u64;
        receipt
    }

    /// Takes in what workers saw.
    pub(super) fn hear(&mut self, evidence: Vec<Observed>) {
        self.tally.orphaned += hear(&mut self.runs, evidence, self.recording.as_mut());
    }

    /// Takes in evidence, closes ticks, and does what follows. A store that fails keeps everything as it is:
    /// traffic goes on with its last shares, nothing is promoted, and the next beat tries again.
    pub(super) async fn beat(&mut self, evidence: Vec<Observed>, now_ms: u64) {
        self.hear(evidence);
        if let Some(recording) = &mut self.recording {
            recording.beat();
        }
        for place in 0..self.runs.len() {
            self.rule(place, now_ms).await;
        }
        if now_ms.saturating_sub(self.checkpoint_ms) >= millis(CHECKPOINT) {
            self.checkpoint_ms = now_ms;
            self.checkpoint().await;
            self.sign(now_ms).await;
        }
        self.rotate_keys(now_ms).await;
        self.write_book();
        self.note_series(now_ms).await;
    }

    /// The audit chain, as lines of JSON.
    pub(super) async fn audit(&self) -> Result<Vec<String>, StoreError> {
        let store = Arc::clone(&self.store);
        let read = tokio::task::spawn_blocking(move || Ok(store.audit()?.lines().collect()));
        read.await.unwrap_or(Err(StoreError::Interrupted))
    }

    /// Writes down what follows for one run, and then lets it take effect.
    async fn rule(&mut self, place: usize, now_ms: u64) {
        let Some(run) = self.runs.get_mut(place) else {
            return;
        };
        run.close_ticks(now_ms);
        let ruling = match run.stage().state() {
            State::Draft => Ruling::after_cooling(run, now_ms),
            State::Shadow => rehearsal::ruling(run, &self.policy, &self.shadows, now_ms),
            State::Promoted(_) => watching::ruling(run, now_ms),
            _ => Ruling::of(run, now_ms),
        };
        let Some(ruling) = ruling else {
            return;
        };
        if let Err(error) = self.put(place, ruling).await {
            self.store_failed(&error);
        }
    }

    /// Does what a person says, if it can be done.
    pub(super) async fn follow(&mut self, order: &Order, now_ms: u64) -> Result<Entry, OrderError> {
        let is_it = |run: &Run| *run.experiment.name == *order.experiment;
        let place = self.runs.iter().position(is_it);
        let place = place.ok_or_else(|| OrderError::Unknown(order.experiment.clone()))?;
        let Some(run) = self.runs.get_mut(place) else {
            return Err(OrderError::Busy);
        };
        run.close_ticks(now_ms);
        let ruling = order.ruling(run, now_ms);
        if let Err(OrderError::Alarm(alarm)) = &ruling {
            let refused = order.refused(run, alarm, now_ms);
            blocking(&self.store, move |tx| tx.append(refused)).await?;
        }
        self.put(place, ruling?).await?;
        self.write_book();
        let run = self.runs.get(place).ok_or(OrderError::Busy)?;
        Ok(Entry::of(run))
    }

    /// Writes down a change of a run, and then lets it take effect.
    async fn put(&mut self, place: usize, ruling: Ruling) -> Result<(), StoreError> {
        let Some(run) = self.runs.get(place) else {
            return Ok(());
        };
        let (name, checkpoint) = (run.experiment.name.to_string(), run.checkpoint());
        let Ruling {
            record,
            ledger,
            event,
            verdict,
        } = ruling;
        let (kept, bytes, kind) = (record.clone(), encode(&ledger), event.kind);
        let is_decision = verdict.is_some();
        let written = blocking(&self.store, move |tx| {
            tx.put_run(&name, &kept)?;
            tx.put_ledger(&name, &bytes)?;
            tx.put_seen(&name, &checkpoint.unsaved, checkpoint.open_from)?;
            if let Some(verdict) = verdict {
                tx.decide(&name, kept.run, &verdict)?;
            }
            tx.append(event)
        });
        written.await?;
        let Some(run) = self.runs.get_mut(place) else {
            return Ok(());
        };
        (run.record, run.ledger) = (record, ledger);
        run.saved();
        run.keep_watch();
        tracing::info!(experiment = %run.experiment.name, run = run.record.run, step = run.record.step, event = kind,
            reason = run.record.history.last().map(|last| &*last.reason), "ruling");
        if is_decision {
            *self
                .tally
                .decisions
                .entry((run.experiment.name.to_string(), kind))
                .or_default() += 1;
        }
        self.publish();
        Ok(())
    }

    /// Writes down the evidence of every run that has new one.
    pub(super) async fn checkpoint(&mut self) {
        let checkpoints: Vec<_> = self
            .runs
            .iter()
            .filter(|run| run.is_dirty)
            .map(Run::checkpoint)
            .collect();
        if checkpoints.is_empty() {
            return;
        }
        let written = blocking(&self.store, move |tx| {
            for checkpoint in checkpoints {
                tx.put_ledger(&checkpoint.name, &checkpoint.ledger)?;
                tx.put_seen(&checkpoint.name, &checkpoint.unsaved, checkpoint.open_from)?;
            }
            Ok(())
        });
        match written.await {
            Ok(()) => self.runs.iter_mut().for_each(Run::saved),
            Err(error) => self.store_failed(&error),
        }
    }

    /// Puts a document in force: runs whose definition is the same go on, others begin.
    pub(super) async fn adopt(
        &mut self,
        candidate: Candidate,
        now_ms: u64,
    ) -> Result<Adopted, AdoptError> {
        if !self.has_store() {
            return Err(StoreError::Lent.into());
        }
        self.checkpoint().await;
        let policy = Arc::clone(&candidate.policy);
        let current = self.runs.iter().map(|run| {
            (
                run.experiment.name.to_string(),
                run.record.definition.clone(),
            )
        });
        let current = current.collect();
        let before = (&*self.policy, &*self.key_sets);
        let key_sets = candidate.key_sets.inheriting(&candidate.policy, before);
        let in_force = InForce::of(&policy, &candidate.credentials, &key_sets, &self.keys);
        let by = candidate.by;
        let settled = blocking(&self.store, move |tx| {
            in_force.note(tx, by.as_deref(), now_ms)?;
            settle(tx, &policy, current, now_ms)
        });
        let (runs, adopted) = settled.await?;
        let mut before: BTreeMap<String, Run> = std::mem::take(&mut self.runs)
            .into_iter()
            .map(|run| (run.experiment.name.to_string(), run))
            .collect();
        self.runs = runs
            .into_iter()
            .map(|fresh| merged(before.remove(&*fresh.experiment.name), fresh))
            .collect();
        self.runs.iter_mut().for_each(Run::keep_watch);
        self.key_sets = Arc::new(key_sets);
        self.credentials = candidate.credentials;
        self.rosters = candidate.rosters;
        self.rates = candidate.rates;
        (self.policy, self.models) = (candidate.policy, candidate.models);
        self.publish();
        self.write_book();
        Ok(adopted)
    }

    /// Appends a record that is about no run.
    pub(super) async fn append(&self, event: Event) -> Result<(), StoreError> {
        blocking(&self.store, move |tx| tx.append(event)).await
    }

    /// Puts other keys of an issuer in force, if the document still gets them from the same place. A key that is
    /// revoked is not believed any longer, even if that cannot be written down.
    pub(super) async fn trust(&mut self, trust: Trust, now_ms: u64) {
        let Trust {
            issuer,
            source,
            keys,
        } = trust;
        let is_meant = |it: &&policy::Issuer| it.name == issuer && it.keys == source;
        if let Some(issuer) = self.policy.issuers().iter().find(is_meant) {
            let is_expired = keys.is_none();
            self.key_sets = Arc::new(self.key_sets.with(issuer.id, keys));
            let name = is_expired.then(|| issuer.name.to_string());
            self.publish();
            self.note_keys(name, now_ms).await;
        }
    }

    /// Writes down which keys are in force.
    async fn note_keys(&mut self, expired: Option<String>, now_ms: u64) {
        if !self.has_store() {
            return;
        }
        let mut now = InForce::of(&self.policy, &self.credentials, &self.key_sets, &self.keys);
        if let Some(issuer) = expired {
            now = now.without(&issuer);
        }
        let noted = blocking(&self.store, move |tx| now.note(tx, None, now_ms));
        if let Err(error) = noted.await {
            self.store_failed(&error);
        }
    }

    async fn rotate_keys(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.keys.newest().made_ms()) < millis(KEY_LIFE) {
            return;
        }
        let window = self
            .runs
            .iter()
            .map(|run| run.experiment.window)
            .max()
            .unwrap_or_default();
        let believed_from_ms = now_ms.saturating_sub(millis(window + KEY_GRACE));
        let Ok(keys) = self.keys.rotated(now_ms, believed_from_ms) else {
            return;
        };
        let kept: Vec<Key> = keys.iter().cloned().collect();
        match blocking(&self.store, move |tx| tx.put_keys(&kept)).await {
            Ok(()) => {
                self.keys = Arc::new(keys);
                self.publish();
                self.note_keys(None, now_ms).await;
            }
            Err(error) => self.store_failed(&error),
        }
    }

    pub(super) fn store_failed(&mut self, error: &StoreError) {
        self.tally.store_failures += 1;
        tracing::error!(error = %causes(error), "the store cannot be written; nothing changes until it can");
    }

    pub(super) fn publish(&self) {
        self.live.publish(Snapshot {
            policy: Arc::clone(&self.policy),
            stages: self.runs.iter().map(Run::stage).collect(),
            models: self.models.clone(),
            key_sets: Arc::clone(&self.key_sets),
            credentials: Arc::clone(&self.credentials),
            rosters: Arc::clone(&self.rosters),
            rates: Arc::clone(&self.rates),
            keys: Arc::clone(&self.keys),
            recorded: self.recording.is_some(),
        });
    }

    /// How things stood at the last beat.
    pub(super) fn book(&self) -> Arc<Book> {
        self.book.load_full()
    }

    pub(super) fn write_book(&self) {
        let entries = self.runs.iter().map(Entry::of).collect();
        let mut tally = self.tally.clone();
        tally.record_shed = self.recording.as_ref().map_or(0, Recording::shed);
        self.book.store(Arc::new(Book {
            experiments: entries,
            tally,
        }));
    }
}

/// The run in memory if the store meant the same one: it may know more than its last checkpoint.
fn merged(before: Option<Run>, fresh: Run) -> Run {
    match before {
        Some(mut before) if before.record.run == fresh.record.run => {
            before.experiment = fresh.experiment;
            before
        }
        _ => fresh,
    }
}

/// Logs where runs stand.
fn tell(runs: &[Run], started: &[String]) {
    for run in runs {
        let (name, number, step) = (&*run.experiment.name, run.record.run, run.record.step);
        let resumed = !started.iter().any(|started| started == name);
        tracing::info!(experiment = name, run = number, step, resumed, "experiment");
    }
}

/// The keys of the store, or the first one.
fn keys(store: &Store, now_ms: u64) -> Result<Keys, StartError> {
    if let Some(keys) = Keys::restored(store.write(|tx| tx.keys())?) {
        return Ok(keys);
    }
    let keys = Keys::generate(now_ms)?;
    let kept: Vec<Key> = keys.iter().cloned().collect();
    store.write(|tx| tx.put_keys(&kept))?;
    Ok(keys)
}

/// Does one transaction where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    store: &Arc<Store>,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || store.write(work))
        .await
        .unwrap_or(Err(StoreError::Interrupted))
}

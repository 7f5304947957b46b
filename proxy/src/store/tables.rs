//! The tables, and what one transaction may do to them.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use serde_json::Value;

use super::{RunRecord, StoreError};
use crate::audit::{Event, Record};
use crate::token::Key;

/// The format that this Wald reads and writes.
pub(super) const FORMAT: u64 = 1;
pub(super) const FORMAT_KEY: &str = "format";

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Sequence number → (hash, body).
pub(super) const AUDIT: TableDefinition<'_, u64, (&str, &str)> = TableDefinition::new("audit");
/// Experiment → its newest run, as JSON.
const RUNS: TableDefinition<'_, &str, &str> = TableDefinition::new("runs");
/// Experiment → the evidence of its newest run.
const LEDGERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("ledgers");
/// (experiment, run) → the verdict, as JSON. Nothing is ever written over.
const DECISIONS: TableDefinition<'_, (&str, u32), &str> = TableDefinition::new("decisions");
/// (experiment, tick, feedback) → nothing. What was counted already, while its tick is open.
const SEEN: TableDefinition<'_, (&str, u64, u128), ()> = TableDefinition::new("seen");
/// Key id → (made, secret).
const KEYS: TableDefinition<'_, u32, (u64, &[u8])> = TableDefinition::new("keys");

/// Experiment → how its newest run came to stand where it does, for charts.
const SERIES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("series");
/// A part of what is in force → what it is, as JSON.
const IN_FORCE: TableDefinition<'_, &str, &str> = TableDefinition::new("in_force");
/// Webhook → the last record that it needs no more.
pub(super) const DELIVERIES: TableDefinition<'_, &str, u64> = TableDefinition::new("deliveries");

/// What is known of one experiment: its newest run, that run's evidence, the feedback counted in open ticks.
pub(crate) type Kept = (RunRecord, Option<Vec<u8>>, Vec<(u64, u128)>);

/// Changes that happen together.
pub(crate) struct Transaction<'a>(&'a WriteTransaction, Option<(u64, &'static str)>);

impl<'a> Transaction<'a> {
    pub(super) fn new(transaction: &'a WriteTransaction) -> Self {
        Self(transaction, None)
    }

    /// The number of the last record that it appended to the audit chain, and what happened, if it did.
    pub(super) fn appended(&self) -> Option<(u64, &'static str)> {
        self.1
    }

    /// What the store knows of an experiment.
    pub(crate) fn run(&self, experiment: &str) -> Result<Option<Kept>, StoreError> {
        let runs = self.0.open_table(RUNS)?;
        let Some(record) = runs.get(experiment)? else {
            return Ok(None);
        };
        let record = serde_json::from_str(record.value()).map_err(StoreError::Json)?;
        let ledger = self
            .0
            .open_table(LEDGERS)?
            .get(experiment)?
            .map(|bytes| bytes.value().to_vec());
        let mut seen = Vec::new();
        for entry in self
            .0
            .open_table(SEEN)?
            .range((experiment, 0, 0)..=(experiment, u64::MAX, u128::MAX))?
        {
            let (key, _) = entry?;
            let (_, tick, feedback) = key.value();
            seen.push((tick, feedback));
        }
        Ok(Some((record, ledger, seen)))
    }

    /// Writes where a run stands.
    pub(crate) fn put_run(
        &mut self,
        experiment: &str,
        record: &RunRecord,
    ) -> Result<(), StoreError> {
        self.0.open_table(RUNS)?.insert(
            experiment,
            serde_json::to_string(record)
                .map_err(StoreError::Json)?
                .as_str(),
        )?;
        Ok(())
    }

    /// Writes a run's evidence.
    pub(crate) fn put_ledger(&mut self, experiment: &str, ledger: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(LEDGERS)?.insert(experiment, ledger)?;
        Ok(())
    }

    /// What was kept of a run's history; nothing, if there is none.
    pub(crate) fn series(&self, experiment: &str) -> Result<Vec<u8>, StoreError> {
        let table = self.0.open_table(SERIES)?;
        let kept = table.get(experiment)?;
        Ok(kept.map(|kept| kept.value().to_vec()).unwrap_or_default())
    }

    /// Writes a run's history.
    pub(crate) fn put_series(&mut self, experiment: &str, series: &[u8]) -> Result<(), StoreError> {
        self.0.open_table(SERIES)?.insert(experiment, series)?;
        Ok(())
    }

    /// Remembers counted feedback, and forgets that of ticks before `open_from`.
    pub(crate) fn put_seen(
        &mut self,
        experiment: &str,
        counted: &[(u64, u128)],
        open_from: u64,
    ) -> Result<(), StoreError> {
        let mut seen = self.0.open_table(SEEN)?;
        seen.retain_in((experiment, 0, 0)..(experiment, open_from, 0), |_, ()| {
            false
        })?;
        for &(tick, feedback) in counted {
            seen.insert((experiment, tick, feedback), ())?;
        }
        Ok(())
    }

    /// Writes a run's only decision.
    pub(crate) fn decide(
        &mut self,
        experiment: &str,
        run: u32,
        verdict: &str,
    ) -> Result<(), StoreError> {
        let mut decisions = self.0.open_table(DECISIONS)?;
        if decisions.get((experiment, run))?.is_some() {
            return Err(StoreError::Decided {
                experiment: experiment.to_owned(),
                run,
            });
        }
        decisions.insert((experiment, run), verdict)?;
        Ok(())
    }

    /// Appends to the audit chain.
    pub(crate) fn append(&mut self, event: Event) -> Result<(), StoreError> {
        let mut audit = self.0.open_table(AUDIT)?;
        let kind = event.kind;
        let last = audit.last()?.map(|(sequence, value)| {
            let (hash, body) = value.value();
            (
                sequence.value(),
                Record {
                    hash: hash.to_owned(),
                    body: body.to_owned(),
                },
            )
        });
        let (sequence, record) = Record::after(
            last.as_ref().map(|(sequence, record)| (*sequence, record)),
            event,
        )
        .map_err(StoreError::Json)?;
        audit.insert(sequence, (record.hash.as_str(), record.body.as_str()))?;
        drop(audit);
        self.1 = Some((sequence, kind));
        Ok(())
    }

    /// What was in force of this part; none if nobody wrote it down yet.
    pub(crate) fn in_force(&self, part: &str) -> Result<Option<Value>, StoreError> {
        let table = self.0.open_table(IN_FORCE)?;
        let kept = table.get(part)?;
        let read = kept.map(|kept| serde_json::from_str(kept.value()));
        read.transpose().map_err(StoreError::Json)
    }

    /// Writes what is in force of this part.
    pub(crate) fn put_in_force(&mut self, part: &str, now: &Value) -> Result<(), StoreError> {
        let mut table = self.0.open_table(IN_FORCE)?;
        table.insert(part, now.to_string().as_str())?;
        Ok(())
    }

    /// Writes how far a webhook has come.
    pub(crate) fn put_delivered(&mut self, webhook: &str, number: u64) -> Result<(), StoreError> {
        self.0.open_table(DELIVERIES)?.insert(webhook, number)?;
        Ok(())
    }

    /// Forgets every webhook but these.
    pub(crate) fn keep_deliveries(&mut self, webhooks: &[Box<str>]) -> Result<(), StoreError> {
        let mut table = self.0.open_table(DELIVERIES)?;
        table.retain(|webhook, _| webhooks.iter().any(|kept| **kept == *webhook))?;
        Ok(())
    }

    /// The token keys.
    pub(crate) fn keys(&self) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        for entry in self.0.open_table(KEYS)?.iter()? {
            let (id, value) = entry?;
            let (made_ms, secret) = value.value();
            if let Ok(secret) = <[u8; 32]>::try_from(secret) {
                keys.push(Key::new(id.value(), secret, made_ms));
            }
        }
        Ok(keys)
    }

    /// Replaces the token keys.
    pub(crate) fn put_keys(&mut self, keys: &[Key]) -> Result<(), StoreError> {
        let mut table = self.0.open_table(KEYS)?;
        table.retain(|id, _| keys.iter().any(|key| key.id() == id))?;
        for key in keys {
            table.insert(key.id(), (key.made_ms(), key.secret().as_slice()))?;
        }
        Ok(())
    }
}

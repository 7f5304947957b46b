//! Durable state in one file: runs, their evidence, decisions, the audit chain, token keys.
//!
//! All that belongs to one transition is written in one transaction, which is on disk when it returns.
//! One process writes; any number may read at the same time. Calls block: they are made off the request
//! path and off the referee's own thread.

mod deliveries;
mod run;
mod tables;

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::backends::InMemoryBackend;
use redb::{
    Builder, ConcurrencyMode, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction,
    ReadableDatabase, ReadableTable, TableError,
};

pub(crate) use run::{Approval, Milestone, Proposal, RunRecord};
pub(crate) use tables::Transaction;

pub(crate) use crate::audit::Audit;
use crate::audit::Record;
use tables::{AUDIT, FORMAT, FORMAT_KEY, META};
use tokio::sync::watch;

/// How many records are read at once by whoever follows the chain.
const RECORDS_AT_ONCE: usize = 256;

/// A store that this process may write to.
pub(crate) struct Store {
    /// None while another process has it.
    database: RwLock<Option<Database>>,
    /// None if it lasts as long as the process.
    path: Option<PathBuf>,
    /// The number of the last record of the audit chain, for whoever follows it.
    last_record: watch::Sender<u64>,
}

/// A store that another process may be writing to.
pub(crate) struct Reader(ReadOnlyDatabase);

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The file is another program's, damaged, not permitted, or in use by another Wald.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What redb says.
        source: Box<redb::Error>,
    },
    /// Another process holds the file.
    #[error("{} is in use by another wald", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer Wald wrote it.
    #[error("the store has format {found}, this wald reads {FORMAT}")]
    Format {
        /// What the file says.
        found: u64,
    },
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The disk, or the file on it.
    #[error("the store failed")]
    Redb(#[source] Box<redb::Error>),
    /// What stands in it is not what this Wald writes.
    #[error("a record of the store is not readable")]
    Json(#[source] serde_json::Error),
    /// Another process has it, and takes over from this one.
    #[error("another wald has the store and is taking over")]
    Lent,
    /// The thread that wrote ended before it had.
    #[error("the write was interrupted")]
    Interrupted,
    /// There is a decision of this run already; there can be only one.
    #[error("run {run} of `{experiment}` was decided before")]
    Decided {
        /// The experiment.
        experiment: String,
        /// Its run.
        run: u32,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Redb(Box::new(error.into()))
    }
}

impl Store {
    /// Opens the store in this file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        Self::of(opened(path)?, Some(path))
    }

    /// A store that lasts as long as the process.
    pub(crate) fn in_memory() -> Result<Self, OpenError> {
        let path = Path::new("memory");
        let database = Builder::new().create_with_backend(InMemoryBackend::new());
        let database = database.map_err(|error| refused(path, error.into()))?;
        Self::of(ready(path, database)?, None)
    }

    fn of(database: Database, path: Option<&Path>) -> Result<Self, OpenError> {
        let at = path.unwrap_or(Path::new("memory"));
        let last = last_record(&database).map_err(|error| refused(at, error))?;
        Ok(Self {
            database: RwLock::new(Some(database)),
            path: path.map(Path::to_owned),
            last_record: watch::Sender::new(last),
        })
    }

    /// Lets go of the file, so that another process can open it. One in memory is nobody else's.
    pub(crate) fn close(&self) {
        if self.path.is_some() {
            *self.exclusively() = None;
        }
    }

    /// Has the file again after [`Store::close`].
    pub(crate) fn reopen(&self) -> Result<(), OpenError> {
        let mut database = self.exclusively();
        if let (None, Some(path)) = (&*database, &self.path) {
            let again = opened(path)?;
            let last = last_record(&again).map_err(|error| refused(path, error))?;
            *database = Some(again);
            // Whoever had it may have added to the chain.
            self.last_record.send_replace(last);
        }
        Ok(())
    }

    /// Opens an existing store to read it, also while another process serves from it. After a crash the
    /// file has to be repaired by someone who may write it, as the next start would do.
    pub(crate) fn read(path: &Path) -> Result<Reader, OpenError> {
        let database = match builder().open_read_only(path) {
            Err(DatabaseError::RepairAborted) => builder().open(path).and_then(|repaired| {
                drop(repaired);
                builder().open_read_only(path)
            }),
            opened => opened,
        };
        Ok(Reader(
            database.map_err(|error| refused(path, error.into()))?,
        ))
    }

    /// Does all of `work`, or nothing of it. On disk when it returns.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.shared();
        let database = database.as_ref().ok_or(StoreError::Lent)?;
        let transaction = database.begin_write()?;
        let mut changes = Transaction::new(&transaction);
        let result = work(&mut changes)?;
        let appended = changes.appended();
        let kind = appended.map(|(_, kind)| kind);
        crash("before", kind);
        transaction.commit()?;
        crash("after", kind);
        if let Some((last, _)) = appended {
            self.last_record.send_replace(last);
        }
        Ok(result)
    }

    /// The audit chain.
    pub(crate) fn audit(&self) -> Result<Audit, StoreError> {
        let database = self.shared();
        let database = database.as_ref().ok_or(StoreError::Lent)?;
        records(&database.begin_read()?)
    }

    /// The number of the last record of the audit chain, now and whenever one is added.
    pub(crate) fn last_record(&self) -> watch::Receiver<u64> {
        self.last_record.subscribe()
    }

    /// The records of the audit chain after the one with this number, each with its own.
    pub(crate) fn records_after(&self, number: u64) -> Result<Vec<(u64, Record)>, StoreError> {
        let database = self.shared();
        let database = database.as_ref().ok_or(StoreError::Lent)?;
        let table = match database.begin_read()?.open_table(AUDIT) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut records = Vec::new();
        for entry in table
            .range(number.saturating_add(1)..)?
            .take(RECORDS_AT_ONCE)
        {
            let (number, value) = entry?;
            records.push((number.value(), record(value.value())));
        }
        Ok(records)
    }

    /// What is behind the lock is a handle, which no panic leaves half done.
    fn shared(&self) -> RwLockReadGuard<'_, Option<Database>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exclusively(&self) -> RwLockWriteGuard<'_, Option<Database>> {
        let database = self.database.write();
        database.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process as a power cut would, where a test of an unoptimised build asks for it: with
/// `WALD_CRASH=before:promoted`, before the transaction that writes a promotion down is on disk.
fn crash(when: &str, kind: Option<&str>) {
    if cfg!(debug_assertions)
        && let (Some(kind), Ok(asked)) = (kind, std::env::var("WALD_CRASH"))
        && asked.split_once(':') == Some((when, kind))
    {
        std::process::abort();
    }
}

fn opened(path: &Path) -> Result<Database, OpenError> {
    let database = builder().create(path);
    ready(path, database.map_err(|error| refused(path, error.into()))?)
}

/// Marks a new store with its format, and refuses one of another.
fn ready(path: &Path, database: Database) -> Result<Database, OpenError> {
    let found = mark(&database).map_err(|error| refused(path, error))?;
    if found == FORMAT {
        Ok(database)
    } else {
        Err(OpenError::Format { found })
    }
}

impl Reader {
    /// The audit chain.
    pub(crate) fn audit(&self) -> Result<Audit, StoreError> {
        records(&self.0.begin_read()?)
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

fn refused(path: &Path, error: redb::Error) -> OpenError {
    let path = path.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen => OpenError::InUse { path },
        error => OpenError::File {
            path,
            source: Box::new(error),
        },
    }
}

fn mark(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let found = {
        let mut meta = transaction.open_table(META)?;
        let found = meta.get(FORMAT_KEY)?.map(|format| format.value());
        if found.is_none() {
            meta.insert(FORMAT_KEY, FORMAT)?;
        }
        found.unwrap_or(FORMAT)
    };
    transaction.commit()?;
    Ok(found)
}

fn records(transaction: &ReadTransaction) -> Result<Audit, StoreError> {
    let table = match transaction.open_table(AUDIT) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Audit::new(Vec::new())),
        Err(error) => return Err(error.into()),
    };
    let mut records = Vec::new();
    for entry in table.iter()? {
        let (_, value) = entry?;
        records.push(record(value.value()));
    }
    Ok(Audit::new(records))
}

fn record((hash, body): (&str, &str)) -> Record {
    Record {
        hash: hash.to_owned(),
        body: body.to_owned(),
    }
}

fn last_record(database: &Database) -> Result<u64, redb::Error> {
    let table = match database.begin_read()?.open_table(AUDIT) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    Ok(table.last()?.map_or(0, |(number, _)| number.value()))
}

#[cfg(test)]
mod tests;

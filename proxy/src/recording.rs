//! `--record FILE`: every exposure and observation as a line of CSV, which `wald judge` judges again.
//!
//! Workers keep what they saw in a bounded roll and hand it over on the referee's beat; a thread of its own
//! writes it, so neither a request nor the referee waits for the disk. What has no room is left out and
//! counted. Units appear as hashes under a key that nobody keeps, behind the number of their bucket.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use hmac::{Hmac, KeyInit, Mac};
use policy::Experiment;
use sha2::Sha256;
use stats::Ledger;

use crate::observe::{Roll, Seen};

/// The columns. `wald judge` does without the last two where a file has one experiment and no metric with
/// a number beside its value.
pub(crate) const HEADER: [&str; 10] = [
    "time",
    "run",
    "epoch",
    "share",
    "unit",
    "arm",
    "metric",
    "value",
    "experiment",
    "beside",
];

/// What stands for a metric in a line that says that an arm was given a request.
pub(crate) const EXPOSURE: &str = "exposure";

/// How many batches wait for the disk.
const BATCHES_MAX: usize = 256;

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("cannot record to {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "{} is no recording of this release (it begins with {found:?}): name another file",
        path.display()
    )]
    OtherFile { path: PathBuf, found: String },
    #[error("no randomness for the key of units")]
    Randomness(#[from] getrandom::Error),
}

/// The way to the file.
pub(crate) struct Recording {
    batches: Option<SyncSender<Batch>>,
    /// What was reported since the last beat: reports come one by one, and batches are few.
    reported: Vec<Batch>,
    shed: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// What was seen of one run, with the names that it is written down by.
pub(crate) struct Batch {
    experiment: String,
    run: u32,
    arms: Vec<String>,
    metrics: Vec<String>,
    /// Each candidate's share by epoch.
    shares: Vec<f64>,
    roll: Roll,
}

impl Recording {
    /// Opens a new file, or one that this release wrote before.
    pub(crate) fn start(path: &Path) -> Result<Self, RecordError> {
        let file = open(path)?;
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        let (batches, waiting) = sync_channel(BATCHES_MAX);
        let shed = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&shed);
        let writer = Writer {
            file: BufWriter::new(file),
            key,
        };
        let thread = thread::Builder::new().name("recording".to_owned());
        let thread = thread.spawn(move || writer.write_all(&waiting, &lost));
        let thread = thread.map_err(|source| RecordError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            batches: Some(batches),
            reported: Vec::new(),
            shed,
            thread: Some(thread),
        })
    }

    /// Hands a batch to the thread, or counts it when too many wait.
    pub(crate) fn write(&mut self, batch: Batch) {
        if batch.roll.shed > 0 {
            self.shed.fetch_add(batch.roll.shed, Ordering::Relaxed);
        }
        if batch.roll.seen.is_empty() {
            return;
        }
        let rows = batch.roll.seen.len() as u64;
        let sent = |batches: &SyncSender<Batch>| batches.try_send(batch).is_ok();
        if !self.batches.as_ref().is_some_and(sent) {
            self.shed.fetch_add(rows, Ordering::Relaxed);
        }
    }

    /// Keeps one observation of a run until the next beat.
    pub(crate) fn report(
        &mut self,
        experiment: &Experiment,
        run: u32,
        ledger: &Ledger,
        seen: Seen,
    ) {
        let its = |batch: &&mut Batch| batch.run == run && *batch.experiment == *experiment.name;
        match self.reported.iter_mut().find(its) {
            Some(batch) => batch.roll.add(seen),
            None => {
                let mut roll = Roll::default();
                roll.add(seen);
                self.reported.push(Batch::of(experiment, run, ledger, roll));
            }
        }
    }

    /// Hands over what was reported.
    pub(crate) fn beat(&mut self) {
        for batch in std::mem::take(&mut self.reported) {
            self.write(batch);
        }
    }

    /// How many exposures and observations are missing from the file.
    pub(crate) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

/// Waits until everything is written: a recording ends with its server.
impl Drop for Recording {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the recording ended early");
        }
    }
}

impl Batch {
    /// What `roll` says, in the words of its experiment.
    pub(crate) fn of(experiment: &Experiment, run: u32, ledger: &Ledger, roll: Roll) -> Self {
        let metrics = experiment.design.metrics.iter();
        Self {
            experiment: experiment.name.to_string(),
            run,
            arms: experiment
                .arms
                .iter()
                .map(|arm| arm.name.to_string())
                .collect(),
            metrics: metrics.map(|metric| metric.name.clone()).collect(),
            shares: ledger.sample_ratio().candidate_shares(),
            roll,
        }
    }
}

fn open(path: &Path) -> Result<File, RecordError> {
    let wrong = |source| RecordError::Open {
        path: path.to_owned(),
        source,
    };
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(wrong)?;
    let mut first = String::new();
    BufReader::new(&file).read_line(&mut first).map_err(wrong)?;
    let header = HEADER.join(",");
    match first.trim_end() {
        "" => writeln!(file, "{header}").map_err(wrong)?,
        found if found == header => {}
        found => {
            let found = found.chars().take(80).collect();
            let path = path.to_owned();
            return Err(RecordError::OtherFile { path, found });
        }
    }
    Ok(file)
}

/// The thread's side.
struct Writer {
    file: BufWriter<File>,
    key: [u8; 64],
}

impl Writer {
    fn write_all(mut self, waiting: &Receiver<Batch>, lost: &AtomicU64) {
        let mut failed = false;
        for batch in waiting {
            if let Err(error) = self.write(&batch) {
                lost.fetch_add(batch.roll.seen.len() as u64, Ordering::Relaxed);
                if !failed {
                    tracing::error!(%error, "the recording cannot be written; it will have a gap");
                }
                failed = true;
            } else {
                failed = false;
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        for seen in &batch.roll.seen {
            lines.write_record(self.fields(batch, seen))?;
        }
        let text = lines.into_inner().map_err(|error| error.into_error())?;
        self.file.write_all(&text)?;
        self.file.flush()
    }

    fn fields(&self, batch: &Batch, seen: &Seen) -> [String; 10] {
        let name = |names: &[String], place: usize| names.get(place).cloned().unwrap_or_default();
        let share = usize::try_from(seen.epoch)
            .ok()
            .and_then(|epoch| batch.shares.get(epoch));
        let (metric, value) = match seen.value {
            None => (EXPOSURE.to_owned(), 1.0),
            Some((metric, value)) => (name(&batch.metrics, metric), value),
        };
        [
            format!("{}.{:03}", seen.at_ms / 1000, seen.at_ms % 1000),
            batch.run.to_string(),
            seen.epoch.to_string(),
            share.copied().unwrap_or_default().to_string(),
            format!("b{:03}-{:016x}", seen.bucket, self.keyed(seen.unit)),
            name(&batch.arms, seen.arm),
            metric,
            value.to_string(),
            batch.experiment.clone(),
            seen.beside
                .map_or(String::new(), |beside| beside.to_string()),
        ]
    }

    /// The first half of an HMAC-SHA256 (RFC 2104): tells units apart, and nobody can find them by trying.
    fn keyed(&self, unit: u64) -> u64 {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(&unit.to_le_bytes());
        let code = mac.finalize().into_bytes();
        code.iter()
            .take(8)
            .fold(0, |hash, &byte| hash << 8 | u64::from(byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "dear diary\n").unwrap();
        assert!(
            matches!(Recording::start(&path), Err(RecordError::OtherFile { found, .. }) if found == "dear diary")
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "dear diary\n");
    }

    #[test]
    fn a_recording_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen.csv");
        for _ in 0..2 {
            let mut recording = Recording::start(&path).unwrap();
            let seen = Seen {
                at_ms: 1_700_000_000_017,
                epoch: 1,
                unit: 7,
                bucket: 17,
                arm: 1,
                value: Some((0, 0.25)),
                beside: Some(8.0),
            };
            recording.write(Batch {
                experiment: "a, b".to_owned(),
                run: 3,
                arms: vec!["old".to_owned(), "new".to_owned()],
                metrics: vec!["score".to_owned()],
                shares: vec![0.05, 0.5],
                roll: Roll {
                    seen: vec![seen],
                    shed: 2,
                },
            });
            assert_eq!(recording.shed(), 2);
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[0], HEADER.join(","));
        for line in &lines[1..] {
            assert!(line.starts_with("1700000000.017,3,1,0.5,b017-"), "{line}");
            assert!(line.ends_with(",new,score,0.25,\"a, b\",8"), "{line}");
        }
        assert_ne!(
            lines[1], lines[2],
            "every recording hides units under its own key"
        );
    }
}

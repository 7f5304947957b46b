//! One row of recorded observations, and everything that can be wrong with it.

use std::io;
use std::path::PathBuf;

use csv::StringRecord;
use jiff::Timestamp;
use policy::Experiment;

use super::names;
use crate::recording::{EXPOSURE, HEADER};

/// How many columns a file about one experiment has.
const COLUMNS: usize = 8;

/// A bucket is written before a unit in this way, so that whoever replays a recording has the same
/// clusters though it does not know the unit.
const BUCKET: char = 'b';

/// What one row says.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) at_ms: u64,
    pub(crate) run: u32,
    pub(crate) epoch: u32,
    /// Each candidate's share.
    pub(crate) share: f64,
    pub(crate) unit: u64,
    pub(crate) bucket: u16,
    pub(crate) arm: usize,
    pub(crate) what: What,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// The arm was given a request.
    Exposure,
    /// A value of the metric at this position.
    Value {
        metric: usize,
        y: f64,
        beside: Option<f64>,
    },
}

/// Why a recording cannot be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("the document has no experiment {asked:?}; it has: {known}")]
    Experiment { asked: String, known: String },
    #[error("cannot open the observations {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot read the observations")]
    Read(#[from] csv::Error),
    #[error("the first line is {found:?}, want {:?}", HEADER.join(","))]
    Header { found: String },
    #[error("line {line}: {column} is {found:?}, want {wanted}")]
    Field {
        line: u64,
        column: &'static str,
        found: String,
        wanted: String,
    },
    #[error("the file has no observation{}", asked.map_or(String::new(), |run| format!(" of run {run}")))]
    NoRun { asked: Option<u32> },
}

/// The rows of a file, read one at a time.
pub(crate) struct Rows<'a, R> {
    records: csv::StringRecordsIntoIter<R>,
    experiment: &'a Experiment,
}

impl<'a, R: io::Read> Rows<'a, R> {
    pub(crate) fn new(file: R, experiment: &'a Experiment) -> Result<Self, Wrong> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(file);
        let header = reader.headers()?;
        let known = HEADER.iter().copied().take(header.len());
        if header.len() < COLUMNS || header.iter().ne(known) {
            let found = header.iter().collect::<Vec<_>>().join(",");
            return Err(Wrong::Header { found });
        }
        Ok(Self {
            records: reader.into_records(),
            experiment,
        })
    }
}

impl<R: io::Read> Iterator for Rows<'_, R> {
    type Item = Result<Row, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        // A recording may hold other experiments, too.
        let ours = |record: &Result<StringRecord, _>| {
            let named = record.as_ref().ok().and_then(|record| record.get(COLUMNS));
            named.is_none_or(|name| *name == *self.experiment.name)
        };
        let record = self.records.find(ours)?;
        Some(record.map_err(Wrong::from).and_then(|record| {
            let line = record.position().map_or(0, csv::Position::line);
            Fields {
                line,
                record: &record,
            }
            .row(self.experiment)
        }))
    }
}

/// The fields of one line.
struct Fields<'a> {
    line: u64,
    record: &'a StringRecord,
}

impl Fields<'_> {
    fn row(&self, experiment: &Experiment) -> Result<Row, Wrong> {
        let (unit, bucket) = standing(self.text(4), experiment);
        Ok(Row {
            at_ms: self.parse(0, time, "RFC 3339 or seconds since 1970")?,
            run: self.parse(1, |text| text.parse().ok(), "a whole number")?,
            epoch: self.parse(2, |text| text.parse().ok(), "a whole number")?,
            share: self.parse(3, share, "a share from 0 to 1")?,
            unit,
            bucket,
            arm: self.arm(experiment)?,
            what: self.what(experiment)?,
        })
    }

    fn arm(&self, experiment: &Experiment) -> Result<usize, Wrong> {
        let arms = &experiment.arms;
        let known = || format!("one of: {}", names(arms.iter().map(|arm| &*arm.name)));
        self.parse(
            5,
            |text| arms.iter().position(|arm| *arm.name == *text),
            known(),
        )
    }

    fn what(&self, experiment: &Experiment) -> Result<What, Wrong> {
        if self.text(6) == EXPOSURE {
            return Ok(What::Exposure);
        }
        let metrics = &experiment.design.metrics;
        let known = || {
            let metrics = names(metrics.iter().map(|metric| &*metric.name));
            format!("{EXPOSURE} or one of: {metrics}")
        };
        let position = |text: &str| metrics.iter().position(|metric| metric.name == text);
        let finite = |text: &str| text.parse().ok().filter(|value: &f64| value.is_finite());
        Ok(What::Value {
            metric: self.parse(6, position, known())?,
            y: self.parse(7, finite, "a number")?,
            beside: match self.text(9) {
                "" => None,
                _ => Some(self.parse(9, finite, "a number or nothing")?),
            },
        })
    }

    fn text(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }

    fn parse<T>(
        &self,
        column: usize,
        parse: impl Fn(&str) -> Option<T>,
        wanted: impl Into<String>,
    ) -> Result<T, Wrong> {
        let found = self.text(column);
        parse(found).ok_or_else(|| Wrong::Field {
            line: self.line,
            column: HEADER.get(column).copied().unwrap_or_default(),
            found: found.to_owned(),
            wanted: wanted.into(),
        })
    }
}

/// Milliseconds since 1970.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 10¹² seconds"
)]
fn time(text: &str) -> Option<u64> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e12).contains(&seconds) => Some((seconds * 1000.0).round() as u64),
        Ok(_) => None,
        Err(_) => {
            let time: Timestamp = text.parse().ok()?;
            u64::try_from(time.as_millisecond()).ok()
        }
    }
}

fn share(text: &str) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
}

/// The hash and the cluster of a unit: written before it as `b017-`, or as the data plane finds it.
fn standing(unit: &str, experiment: &Experiment) -> (u64, u16) {
    let (hash, bucket) = experiment.standing(unit.as_bytes());
    let written = unit
        .strip_prefix(BUCKET)
        .and_then(|rest| rest.split_once('-'));
    let written = written.and_then(|(bucket, _)| bucket.parse().ok());
    (
        hash,
        written.filter(|&it| it < policy::BUCKETS).unwrap_or(bucket),
    )
}

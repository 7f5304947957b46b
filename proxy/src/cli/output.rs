//! Results on standard output: the one place that writes there.
//!
//! A reader that leaves early (`wald schema | head -3`) is no error: what it did not want to read is
//! dropped without a word.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::Failure;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs; the shapes are part of Wald's interface.
    Json,
}

/// The `-o` that every verb with a result takes.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Output {
    /// How to write the result
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FORMAT",
        value_enum,
        default_value_t
    )]
    pub(crate) format: Format,
}

impl Output {
    /// Writes `result` as asked: through `human` for people, as JSON for programs.
    pub(crate) fn write<T: Serialize>(
        self,
        result: &T,
        human: impl Fn(&T) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Human => text(&human(result)),
            Format::Json => json(result),
        }
    }
}

/// Writes `value` as one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    text(&(serde_json::to_string(value)? + "\n"))
}

/// Writes `text` as it is.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    Ok(write_to(&mut stdout, text.as_bytes())?)
}

fn write_to(sink: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match sink.write_all(bytes).and_then(|()| sink.flush()) {
        Err(closed) if closed.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        assert!(write_to(&mut Broken(io::ErrorKind::BrokenPipe), b"late").is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let refused = write_to(&mut Broken(io::ErrorKind::StorageFull), b"much").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    }
}

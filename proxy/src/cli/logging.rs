//! Log events: where they go and how they look. Set up once, before anything is worth logging.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Mutex;

use config::document::{Log, LogFormat};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// The variable that overrides the document's level, in the syntax of tracing's filters.
const VARIABLE: &str = "WALD_LOG";
/// What is logged when nobody asks for more or less.
const LEVEL: &str = "info";

/// Where log events go.
pub(crate) enum Sink {
    /// Standard error, as services do.
    Stderr,
    /// A file, where the terminal shows something else.
    File(File),
}

/// Starts logging as `telemetry.log` of the document asks.
pub(crate) fn start(log: Option<&Log>, sink: Sink) {
    let terminal = matches!(sink, Sink::Stderr) && io::stderr().is_terminal();
    let usual = if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let writer = match sink {
        Sink::Stderr => BoxMakeWriter::new(io::stderr),
        Sink::File(file) => BoxMakeWriter::new(Mutex::new(file)),
    };
    let events = tracing_subscriber::fmt()
        .with_env_filter(filter(log.and_then(|log| log.level.as_deref())))
        .with_writer(writer)
        .with_ansi(terminal);
    let format = log.and_then(|log| log.format.clone()).unwrap_or(usual);
    let started = match format {
        LogFormat::Json => events
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
        LogFormat::Text => events.try_init(),
    };
    // Only a test that runs two servers in one process gets here twice; the first sink stays.
    started.ok();
}

fn filter(level: Option<&str>) -> EnvFilter {
    EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| {
        EnvFilter::try_new(level.unwrap_or(LEVEL)).unwrap_or_else(|_| EnvFilter::new(LEVEL))
    })
}

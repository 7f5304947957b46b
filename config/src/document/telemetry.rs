//! What is told about it all.

use crate::decode::{choice, record};

record! {
    /// Where traces go and how logs look.
    pub struct Telemetry {
        /// Sends traces. Default: none.
        pub traces: Option<Traces>,
        /// How logs look.
        pub log: Option<Log>,
    }
}

record! {
    /// Where traces go.
    pub struct Traces {
        /// An OpenTelemetry collector, for example `http://127.0.0.1:4318`.
        pub otlp: String,
    }
}

record! {
    /// How logs look.
    pub struct Log {
        /// One JSON object a line, or text. Default: `text` on a terminal, else `json`.
        pub format: Option<LogFormat>,
        /// What is logged, for example `info` or `wald=debug`. Default: `info`.
        pub level: Option<String>,
    }
}

choice! {
    /// How a log line looks.
    pub enum LogFormat {
        /// One JSON object a line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

//! What is told about it all.
pub struct Telemetry { pub traces: Option<Traces>, pub log: Option<Log> }
pub struct Traces { pub otlp: String }
pub struct Log { pub format: Option<LogFormat>, pub level: Option<String> }  // json | text

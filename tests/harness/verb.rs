//! Running a verb of `wald` to its end.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::spawn_blocking;

use crate::wait::{PATIENCE, within};

/// A verb about to be run.
pub struct Verb {
    command: Command,
    patience: Duration,
}

/// What a verb said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit status; none if a signal ended it.
    pub code: Option<i32>,
    /// Its result.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// Runs `wald` with `arguments` until it ends.
pub async fn wald(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    Verb::new(arguments).run().await
}

/// The audit trail in the store of `document`, whose chain must hold.
pub async fn records(document: &Path) -> Vec<Value> {
    let of_document = |verb: &'static str| Verb::new(["audit", verb, "-c"]).argument(document);
    let verified = of_document("verify").run().await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let exported = of_document("export").run().await;
    let lines = exported.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

/// What happened, by the trail.
pub fn kinds(records: &[Value]) -> Vec<String> {
    let kinds = records.iter().map(|record| &record["kind"]);
    kinds
        .map(|kind| kind.as_str().expect("a word").to_owned())
        .collect()
}

impl Verb {
    /// `wald` with `arguments`.
    pub fn new(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = program("wald");
        command.args(arguments).stdin(Stdio::null());
        Self {
            command,
            patience: PATIENCE,
        }
    }

    /// With one argument more.
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With this variable in its environment.
    pub fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With this text on its standard input.
    pub fn input(mut self, text: &str) -> Self {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("room for the input");
        file.rewind().expect("a file can be read from its start");
        self.command.stdin(file);
        self
    }

    /// It may take this long instead of [`PATIENCE`].
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks one question a line, each only after the line that answers the one before, and gives the
    /// answers.
    pub async fn converse(mut self, questions: &[&str]) -> Vec<String> {
        let piped = self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Kept(piped.spawn().expect("wald can be started"));
        let mut input = child.0.stdin.take().expect("standard input is piped");
        let output = child.0.stdout.take().expect("standard output is piped");
        let (said, mut heard) = unbounded_channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            lines
                .map_while(Result::ok)
                .all(|line| said.send(line).is_ok())
        });
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            writeln!(input, "{question}").expect("wald reads its input");
            let answer = within(self.patience, question, heard.recv()).await;
            answers.extend(answer);
        }
        answers
    }

    /// Runs it until it ends.
    pub async fn run(mut self) -> Said {
        let asked = format!("{:?}", self.command);
        let ended = spawn_blocking(move || self.command.output());
        let output = within(self.patience, &asked, ended)
            .await
            .expect("a thread waits");
        let output = output.expect("wald can be started");
        Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A process that does not outlive the journey.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Said {
    /// The JSON that it printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:#?}"))
    }
}

/// A program of this workspace, as it was built together with this test.
pub fn program(name: &str) -> Command {
    let test = env::current_exe().expect("a test has a path");
    let built = test
        .ancestors()
        .nth(2)
        .map(|folder| folder.join(name))
        .filter(|path| path.exists());
    match built {
        Some(path) => Command::new(path),
        None => panic!(
            "{name} is not built beside {}: run `make test`",
            test.display()
        ),
    }
}

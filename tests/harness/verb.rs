//! Running a verb of `wald` to its end.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::in_time;

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

impl Said {
    /// The JSON that it printed.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {self:#?}"))
    }
}

/// Runs `wald` with `arguments` until it ends.
pub async fn wald(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    let mut command = command();
    command.args(arguments).stdin(Stdio::null());
    let asked = format!("{command:?}");
    let ended = spawn_blocking(move || command.output());
    let output = in_time(&asked, ended)
        .await
        .expect("a thread waits")
        .expect("wald can be started");
    Said {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The `wald` that was built together with this test.
pub(crate) fn command() -> Command {
    let test = env::current_exe().expect("a test has a path");
    let program = test.ancestors().nth(2).map(|folder| folder.join("wald"));
    match program {
        Some(program) if program.exists() => Command::new(program),
        absent => panic!(
            "{absent:?} is not built: run `make test`",
            absent = absent.map(PathBuf::into_os_string)
        ),
    }
}

//! Before a model's file is loaded, a process of its own tries: whatever the file does to its reader, it does to
//! that one.
//!
//! A panic of the loader is contained where it happens. Memory that it takes without end, a stack that it
//! overflows and a loop that it never leaves end a process, and no process that serves may be the one: three
//! hundred bytes of ONNX can stand for a constant of any size, which the loader writes out.

use std::io::{self, Read as _, Write as _};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread;

use inference::{LoadError, Model, RunError};
use rustix::process::{Resource, Rlimit, setrlimit};
use sha2::{Digest as _, Sha256};

use crate::cli::{Exit, UNLOADABLE};

/// The hidden verb of `wald` that tries.
pub(crate) const VERB: &str = "probe-model";

/// This very program, even if another one has taken its place on the disk since.
const PROGRAM: &str = "/proc/self/exe";

/// How much address space a probe has, and how much more for each byte of the file. MiniLM-L6 with 90 MB takes
/// six times its size, and the program itself and what its allocator keeps ready some 700 MiB.
const ROOM_BYTES: u64 = 2 << 30;
const ROOM_PER_BYTE: u64 = 16;

/// How long it may compute. MiniLM-L6 takes two seconds.
const SECONDS_MAX: u64 = 60;

/// Half of what the threads have that load models to serve them.
const STACK_BYTES: usize = 1 << 20;

/// What Tract says when it gets no memory.
const OUT_OF_MEMORY: &str = "failed to allocate";

/// How much is told of what the process said.
const SAID_BYTES_MAX: usize = 400;

/// Why a file is not loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// The file did away with its reader.
    #[error("reading it ended the process that tried ({status}): {said}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// What the process said last.
        said: String,
    },
    /// There is no process to try in.
    #[error("no process to try it in")]
    Start(#[source] io::Error),
}

/// Has a process of its own try to load these bytes. Fine if that process survives, whether or not they are a
/// model: only then is it safe to find out which.
pub(crate) fn survive(bytes: &[u8]) -> Result<(), ProbeError> {
    let Output { status, stderr, .. } = run(bytes).map_err(ProbeError::Start)?;
    if status.success() || status.code() == Some(UNLOADABLE.into()) {
        return Ok(());
    }
    Err(ProbeError::Ended {
        status,
        said: last_words(&stderr),
    })
}

fn run(bytes: &[u8]) -> io::Result<Output> {
    // Nothing of the environment concerns it, and what is secret there least of all.
    let mut child = Command::new(PROGRAM)
        .arg(VERB)
        .arg(bytes.len().to_string())
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A process that ends before it has read them says more by its status.
        drop(stdin.write_all(bytes));
    }
    child.wait_with_output()
}

fn last_words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines = said.lines().rev();
    let last = lines.map(str::trim).find(|line| !line.is_empty());
    let last = last.unwrap_or("it said nothing");
    last.chars().take(SAID_BYTES_MAX).collect()
}

/// Tries: the other side of [`survive`].
pub(crate) fn stand(length: u64) -> io::Result<Exit> {
    confine(length)?;
    let mut bytes = Vec::new();
    io::stdin().lock().take(length).read_to_end(&mut bytes)?;
    let sha256 = Sha256::digest(&bytes).into();
    let loading = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || load(&bytes, &sha256))?;
    match loading.join() {
        Ok(Ok(())) => Ok(Exit::Done),
        // Memory that it was not given, as likely as not; with more of it, the loader would go on.
        Ok(Err(LoadError::Panicked { message })) => Err(io::Error::other(message)),
        Ok(Err(_)) => Ok(Exit::Unloadable),
        Err(_) => Err(io::Error::other("the loader panicked")),
    }
}

/// Loads the model, and runs it once as the server is going to.
fn load(bytes: &[u8], sha256: &[u8; 32]) -> Result<(), LoadError> {
    let model = Model::load(bytes, sha256)?;
    match model.try_without() {
        // Other panics say that the request which was made up is none of its.
        Err(RunError::Panicked { message }) if message.contains(OUT_OF_MEMORY) => {
            Err(LoadError::Panicked { message })
        }
        _ => Ok(()),
    }
}

fn confine(length: u64) -> io::Result<()> {
    let room = ROOM_BYTES.saturating_add(length.saturating_mul(ROOM_PER_BYTE));
    for (resource, limit) in [
        (Resource::As, room),
        (Resource::Cpu, SECONDS_MAX),
        (Resource::Core, 0),
    ] {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        setrlimit(resource, limit)?;
    }
    // Where memory runs out before that, this process is the first to go.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
    Ok(())
}

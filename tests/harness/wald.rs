//! A `wald run` of a journey's own: on ports that the system chose, ended when it is dropped.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tokio::time::timeout;

use crate::log::{Event, Log};
use crate::{Client, in_time, program, until};

/// How long after its end a process is listened to.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running `wald run`. Its document must ask for a JSON log and may name port 0 everywhere.
pub struct Wald {
    child: Child,
    log: Log,
}

impl Wald {
    /// Starts it and waits until it serves.
    pub async fn run(document: &Path) -> Self {
        let wald = Self::launch(document);
        let mut admin = Client::open(wald.admin().await).await;
        until("wald is ready", async || {
            admin.get("/readyz").await.status.is_success().then_some(())
        })
        .await;
        wald
    }

    /// Starts it and waits for nothing: it may well refuse to start.
    pub fn launch(document: &Path) -> Self {
        Self::launch_with(document, &[], &[])
    }

    /// Starts it with this environment besides, and waits for nothing.
    pub fn launch_in(document: &Path, environment: &[(&str, &Path)]) -> Self {
        Self::launch_with(document, &[], environment)
    }

    /// Starts one that is to take over from another, and waits for nothing.
    pub fn upgrade(document: &Path) -> Self {
        Self::launch_with(document, &["--upgrade"], &[])
    }

    fn launch_with(document: &Path, options: &[&str], environment: &[(&str, &Path)]) -> Self {
        let mut command = program("wald");
        command
            .args(["run", "-c"])
            .arg(document)
            .args(options)
            .envs(environment.iter().copied());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("wald can be started");
        let log = Log::read(child.stderr.take().expect("standard error is a pipe"));
        Self { child, log }
    }

    /// The address that a listener got.
    pub async fn address(&self, listener: &str) -> SocketAddr {
        let event = self
            .logged(&format!("{listener} listens"), |event| {
                event["message"] == "listening" && event["listener"] == listener
            })
            .await;
        let address = event["address"]
            .as_str()
            .and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {event}"))
    }

    /// The address of the admin API.
    pub async fn admin(&self) -> SocketAddr {
        self.address("admin").await
    }

    /// A connection to a listener.
    pub async fn connect(&self, listener: &str) -> Client {
        Client::open(self.address(listener).await).await
    }

    /// What the admin API answers to a GET of `path`.
    pub async fn ask(&self, path: &str) -> Value {
        self.connect("admin").await.get(path).await.json()
    }

    /// Waits until the metrics have this line.
    pub async fn shows(&self, line: &str) {
        let mut admin = self.connect("admin").await;
        until(line, async || {
            let text = admin.get("/metrics").await.text();
            text.lines().any(|shown| shown == line).then_some(())
        })
        .await;
    }

    /// The first event of the log that `wanted` takes, once there is one.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        match self.log.first(what, wanted).await {
            Some(event) => event,
            None => panic!("wald ended before: {what}; it said\n{}", self.log.text()),
        }
    }

    /// Every event of the log so far.
    pub fn events(&self) -> Vec<Event> {
        self.log.events()
    }

    /// Everything it wrote so far, for people or for programs.
    pub fn said(&self) -> String {
        self.log.text()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("wald still runs");
    }

    /// How much memory it holds (`proc(5)`).
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("wald runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kib.expect("a number of kibibytes") << 10
    }

    /// How many of its threads have a name that begins so.
    pub fn threads(&self, prefix: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.expect("wald runs").flatten();
        // One that ended meanwhile has no name any more.
        let names = tasks.flat_map(|task| std::fs::read_to_string(task.path().join("comm")));
        names.filter(|name| name.starts_with(prefix)).count()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        let status = until("wald ends", async || {
            child.try_wait().expect("a child can be waited for")
        })
        .await;
        // What it wrote last has come as well, unless an heir holds the pipe open.
        timeout(LAST_WORDS, self.log.ended()).await.ok();
        status
    }

    /// Asks it to finish, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().expect("wald can be killed");
        in_time("the kernel reaps wald", self.ended()).await;
    }
}

impl Drop for Wald {
    fn drop(&mut self) {
        // It may have ended before; then there is nothing to end, and nothing to say about it.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
        if thread::panicking() {
            eprintln!("wald said:\n{}", self.log.text());
        }
    }
}

//! `wald demo`: the main job on embedded defaults, as a user would run it.
//!
//! It writes models and a document into a folder, starts the very server that `wald run` starts, and
//! then is a stranger to it: clients send recorded images over sockets, compare the predicted label
//! with the true one, and give feedback; progress is read from the admin API. Nothing is scripted: how
//! and when each experiment ends is up to the referee.

mod assets;
mod chance;
mod folder;
mod host;
mod ports;
mod replay;
mod summary;
mod traffic;
mod view;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::output;
use crate::cli::{Exit, Failure};

use folder::Folder;
use host::Host;
use ports::Ports;
use replay::Replay;
use summary::Summary;
use view::View;
use watch::Ended;

pub(crate) use folder::FolderError;
pub(crate) use host::HostError;
pub(crate) use ports::PortError;
pub(crate) use traffic::TrafficError;

/// Watch two experiments being decided: real models on real data, replayed as live traffic
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald demo                       a live view; Ctrl-C stops it
  wald demo --once --fast         as fast as it goes, then a JSON summary
  wald demo --seed 7 --port 9911  other traffic, other ports

State lives in ./.wald-demo/PORT (or WALD_DEMO_DIR): an interrupted demo resumes, a finished one
starts clean. Exits with 0 when both verdicts came.")]
pub(crate) struct Args {
    /// Port of the admin address; the data listeners take the two after it, and 0 takes any three
    #[arg(long, default_value_t = 9901)]
    port: u16,
    /// Drives which images and users come, in which order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after the last verdict and print a JSON summary
    #[arg(long)]
    once: bool,
    /// Replay without pacing
    #[arg(long)]
    fast: bool,
    /// Write every exposure and observation into this CSV file, for `wald judge`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// A demo that is undecided after this time will not be decided; the usual time is a minute.
const DECIDE_WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn demo(args: &Args) -> Result<Exit, Failure> {
    let ports = Ports::free_from(args.port)?;
    let folder = Folder::prepare(ports, args.seed)?;
    let view = View::new();
    view.say(&folder.describe());
    let host = Host::start(&folder, args.record.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let exit = runtime.block_on(play(args, &folder, &host, &view));
    // What the server says about its end explains an earlier failure, so it goes first.
    host.stop()?;
    exit
}

/// Replays traffic until the verdicts are there, and longer if nobody asked to stop then.
async fn play(args: &Args, folder: &Folder, host: &Host, view: &View) -> Result<Exit, Failure> {
    let ports = folder.ports();
    host.ready(ports).await?;
    view.say(&format!(
        "dashboard: http://{}/   traffic: http://{}/",
        ports.admin(),
        ports.edge()
    ));
    let replay = Replay::start(ports, args.seed, args.fast)?;
    let ended = watch::until_decided(ports, view, &replay, DECIDE_WITHIN).await;
    let summary = Summary::new(args.seed, ended.experiments());
    if summary.decided() {
        folder.finished()?;
    }
    if !args.once && !matches!(ended, Ended::Interrupted(_)) {
        view.say(&format!(
            "still serving: http://{}/ shows more; Ctrl-C stops",
            ports.admin()
        ));
        watch::until_interrupted(ports, view, &replay).await;
    }
    replay.stop().await;
    view.rest();
    if args.once {
        output::json(&summary)?;
    }
    if summary.decided() {
        return Ok(Exit::Done);
    }
    view.say("stopped before every verdict; the same command resumes");
    Ok(Exit::Failed)
}

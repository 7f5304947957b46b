//! The instrument of speed: drives Wald and its peers over loopback and writes down what each cost.
//!
//! Peers are started side by side with equivalent configurations and driven in interleaved rounds, so
//! that whatever else the machine does falls on all of them. What counts is CPU time per request of
//! the proxy's process tree: unlike requests per second it does not depend on who else has the cores.

mod drive;
mod inline;
mod machine;
mod own;
mod peer;
mod process;
mod report;
mod slow;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Parser;

use crate::{
    drive::Load,
    machine::Machine,
    peer::{Measured, Peer, free_address},
    report::{Report, Standing},
};

/// Where scenarios, peers and results are kept.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Measures CPU per request of Wald beside nginx, and of Wald beside itself with everybody proving who they are.
#[derive(Parser)]
struct Args {
    /// One short round: proves that the instrument works, says nothing about speed.
    #[arg(long)]
    short: bool,
    /// What is compared.
    #[arg(long, value_enum, default_value_t)]
    scenario: Scenario,
    /// The `wald` to measure; by default the one beside this program.
    #[arg(long)]
    wald: Option<PathBuf>,
    /// Where DATE.json and DATE.md are written.
    #[arg(long, default_value_os_t = Path::new(FOLDER).join("results"))]
    results: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wald = match &args.wald {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("wald"),
    };
    let load = match (args.short, args.scenario) {
        (true, _) => Load::SHORT,
        (false, Scenario::Mlp | Scenario::Forest) => Load::MODELS,
        (false, _) => Load::FULL,
    };
    let folder = tempfile::tempdir().context("a folder for the peers' files")?;
    let measured = compare(args.scenario, &wald, load, folder.path())?;
    let standings = measured
        .into_iter()
        .map(|(name, rounds)| Standing::of(name, &rounds));
    let report = Report::new(
        args.scenario,
        Machine::describe(&wald),
        load,
        standings.collect(),
    );
    write(&report, &args.results)
}

/// What is compared with what.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// Wald and nginx, plain text.
    #[default]
    Plain,
    /// Wald with TLS, client certificates, tokens and authorization, and Wald without.
    Secure,
    /// A perceptron inside Wald, and inside servers in Python.
    Mlp,
    /// A forest inside Wald, and inside servers in Python.
    Forest,
    /// Wald without a shadow, and with one that is slow, silent or dead, at a rate that leaves cores free.
    Shadow,
}

/// How long a slow shadow takes, and one that never answers before anybody has stopped waiting.
const SLOW: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

/// Runs the rounds: each peer once a round, so that none has the quiet minutes for itself.
fn compare(
    scenario: Scenario,
    wald: &Path,
    load: Load,
    folder: &Path,
) -> anyhow::Result<Vec<(&'static str, Vec<Measured>)>> {
    // Those behind it live as long as whoever asks it.
    let (_backend, peers) = peers(scenario, wald, folder)?;
    let mut measured: Vec<_> = peers.iter().map(|peer| (peer.name(), Vec::new())).collect();
    for peer in &peers {
        peer.measure(load.warmed_up())?;
    }
    for round in 1..=load.rounds {
        for (peer, (_, rounds)) in peers.iter().zip(&mut measured) {
            let seen = peer.measure(load)?;
            eprintln!("round {round}: {:<6} {seen}", peer.name());
            rounds.push(seen);
        }
    }
    Ok(measured)
}

/// Who is compared, and the backend behind them if there is one.
fn peers(
    scenario: Scenario,
    wald: &Path,
    folder: &Path,
) -> anyhow::Result<(Option<Peer>, Vec<Peer>)> {
    let model = match scenario {
        Scenario::Mlp => Some(inline::Model::Mlp),
        Scenario::Forest => Some(inline::Model::Forest),
        Scenario::Plain | Scenario::Secure | Scenario::Shadow => None,
    };
    if let Some(model) = model {
        return Ok((None, inline::peers(model, wald, folder)?));
    }
    let backend = Peer::backend(folder)?;
    let peers = match scenario {
        Scenario::Secure => vec![
            Peer::wald_secure(wald, &backend, folder)?,
            Peer::wald_plain(wald, &backend, folder)?,
        ],
        Scenario::Shadow => {
            let shadowed = |name, shadow| Peer::wald_shadowed(name, wald, &backend, shadow, folder);
            vec![
                shadowed("none", None)?,
                shadowed("slow", Some(slow::start(SLOW)?))?,
                shadowed("silent", Some(slow::start(NEVER)?))?,
                shadowed("dead", Some(free_address()?))?,
            ]
        }
        _ => vec![
            Peer::wald(wald, &backend, folder)?,
            Peer::nginx(&backend, folder)?,
        ],
    };
    Ok((Some(backend), peers))
}

fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let file = folder.join(report.name());
    fs::write(
        file.with_extension("json"),
        serde_json::to_string_pretty(report)? + "\n",
    )?;
    let table = report.to_string();
    fs::write(file.with_extension("md"), &table)?;
    std::io::stdout().write_all(table.as_bytes())?;
    eprintln!("written to {}", file.with_extension("{json,md}").display());
    Ok(())
}

impl Load {
    /// What a comparison runs: enough rounds for a median, some two minutes in all.
    const FULL: Self = Self {
        connections: 32,
        seconds: 5,
        rounds: 7,
    };
    /// The same for models, as few callers as one server of them has.
    const MODELS: Self = Self {
        connections: 16,
        ..Self::FULL
    };
    /// What a test runs.
    const SHORT: Self = Self {
        connections: 8,
        seconds: 1,
        rounds: 1,
    };

    /// The same load for a second, before anything counts: caches, pools and branch predictors fill.
    fn warmed_up(self) -> Self {
        Self { seconds: 1, ..self }
    }
}

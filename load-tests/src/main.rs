//! The instrument of speed: drives Wald and its peers over loopback and writes down what each cost.
//!
//! Peers are started side by side with equivalent configurations and driven in interleaved rounds, so
//! that whatever else the machine does falls on all of them. What counts is CPU time per request of
//! the proxy's process tree: unlike requests per second it does not depend on who else has the cores.

mod ask;
mod behind;
mod chart;
mod credentials;
mod drive;
mod figure;
mod listen;
mod machine;
mod own;
mod peer;
mod process;
mod report;
mod scenario;
mod stage;
mod tls;

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Parser;

use crate::{
    chart::Chart,
    machine::Machine,
    report::{Report, Section},
    scenario::Scenario,
    stage::Stage,
};

/// Where scenarios, peers and results are kept.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Measures Wald beside its peers, and beside itself doing less.
#[derive(Parser)]
struct Args {
    /// One short round each: proves that the instrument works, says nothing about speed.
    #[arg(long)]
    short: bool,
    /// Rounds of each scenario: fewer are sooner done, and say less.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// What is compared; several are separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "all")]
    scenario: Vec<Scenario>,
    /// The `wald` to measure; by default the one beside this program.
    #[arg(long)]
    wald: Option<PathBuf>,
    /// Where DATE.json and DATE.md are written, and of all scenarios DATE.svg.
    #[arg(long, default_value_os_t = Path::new(FOLDER).join("results"))]
    results: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let wald = match &args.wald {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("wald"),
    };
    let mut report = Report {
        date: jiff::ZonedDateTime::now().date().to_string(),
        machine: Machine::describe(&wald),
        is_short: args.short,
        sections: Vec::new(),
    };
    let mut failed = Vec::new();
    for scenario in Scenario::among(&args.scenario) {
        eprintln!("{scenario:?}");
        let folder = tempfile::tempdir().context("a folder for the peers' files")?;
        let stage = Stage::new(&wald, folder.path(), args.short, args.rounds);
        let mut section = scenario.run(&stage).unwrap_or_else(|error| {
            // The others took a long time, or will, and their figures are as good without this one.
            let error = anyhow::Error::new(error);
            eprintln!("{}: {error:#}", scenario.name());
            failed.push(scenario.name());
            Section::without_figures(scenario.name(), &format!("{error:#}"))
        });
        section.notes.extend(stage.notes());
        report.sections.push(section);
        // Each time anew, so that a run that is broken off has been good for something.
        write(&report, &args)?;
    }
    std::io::stdout().write_all(report.to_string().as_bytes())?;
    anyhow::ensure!(failed.is_empty(), "no figures of {}", failed.join(", "));
    Ok(())
}

/// Writes the results: those of all scenarios under the day's name, those of a few with the names of these.
fn write(report: &Report, args: &Args) -> anyhow::Result<()> {
    fs::create_dir_all(&args.results)?;
    let mut name = report.date.clone();
    if !args.scenario.contains(&Scenario::All) {
        for scenario in &args.scenario {
            name = name + "-" + scenario.name();
        }
    }
    let file = args.results.join(name);
    fs::write(
        file.with_extension("json"),
        serde_json::to_string_pretty(report)? + "\n",
    )?;
    if args.scenario.contains(&Scenario::All) {
        fs::write(file.with_extension("svg"), Chart(report).to_string())?;
    }
    fs::write(file.with_extension("md"), report.to_string())?;
    eprintln!("written to {}", file.with_extension("{json,md}").display());
    Ok(())
}

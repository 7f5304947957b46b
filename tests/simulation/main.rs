//! Error rates and power of the judge, found by simulation with fixed seeds.
//!
//! One list of settings and two profiles: `make test` takes three hundred runs a setting, `make
//! simulate` two thousand and writes `results.md`. A run looks after every tick, as people do. The
//! tolerance is three standard errors; what the same check must refuse stands beside what it must
//! accept.

mod setting;
mod several;

mod assignment;
mod controls;
mod events;
mod kinds;
mod labels;
mod means;
mod one_arm;
mod quantiles;
mod rates;
mod returning;
mod rule;
mod samples;

mod chance;
mod clusters;
mod crowd;
mod traffic;

mod finding;
mod page;

mod chart;
mod plots;

use std::{fs, path::Path};

use finding::{LONG, find};
use page::Page;
use setting::Setting;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("results") => write_results(),
        Some("plots") => draw_plots(),
        _ => anyhow::bail!("usage: simulation results | plots"),
    }
}

/// The page is written whatever it says; the run fails if something is not as claimed.
fn write_results() -> anyhow::Result<()> {
    let rows = settings().into_iter().map(|setting| {
        eprintln!("{}: {}", setting.method, setting.situation);
        let findings = find(&setting, LONG);
        (setting, findings)
    });
    let page = Page {
        profile: LONG,
        rows: rows.collect(),
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results.md");
    fs::write(file, page.to_string())?;
    anyhow::ensure!(page.holds(), "not everything is as claimed: see results.md");
    Ok(())
}

fn draw_plots() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plots");
    fs::create_dir_all(&folder)?;
    for (name, chart) in plots::all() {
        fs::write(folder.join(name), chart.to_string())?;
    }
    Ok(())
}

/// Everything that is claimed.
fn settings() -> Vec<Setting> {
    [
        rates::settings(),
        events::settings(),
        labels::settings(),
        means::settings(),
        kinds::settings(),
        returning::settings(),
        quantiles::settings(),
        one_arm::settings(),
        assignment::settings(),
        rule::settings(),
        several::settings(),
        controls::settings(),
        samples::settings(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests;

//! The instrument of speed works. What it measured here is worth nothing: other tests have the cores.

use std::env;
use std::process::Stdio;

use tests::{Folder, program};

#[test]
fn a_short_run_writes_its_figures_down() {
    check(
        "plain",
        &["| wald |", "| nginx |", "| floor |", "CPU, wald ÷ floor"],
    );
}

#[test]
fn a_short_run_shows_what_proof_of_everybody_costs() {
    check(
        "secure",
        &["| wald |", "| wald-tls |", "CPU µs, wald − wald-tls"],
    );
}

#[test]
fn a_short_run_shows_what_shadows_cost_those_who_wait() {
    let waits = ["slow", "silent", "dead"].map(|shadow| format!("waiting, {shadow} ÷ none, p50"));
    check("shadow", &waits.each_ref().map(|it| &**it));
}

#[test]
fn a_short_run_drives_what_no_other_driver_can() {
    check(
        "stream,large,handshakes,idle,many",
        &[
            "added p99 in µs, wald − nginx",
            "KiB for a request, wald",
            "| wald plain |",
            "CPU, many ÷ one route",
        ],
    );
}

#[track_caller]
fn check(scenario: &str, rows: &[&str]) {
    if !["nginx", "wrk"].into_iter().all(installed) {
        eprintln!("skipped: nginx or wrk is not installed (`make bench` installs them)");
        return;
    }
    let folder = Folder::new();
    let mut command = program("load-tests");
    command
        .args(["--short", "--scenario", scenario])
        .arg("--results")
        .arg(folder.path("results"))
        .stdin(Stdio::null());
    let output = command.output().expect("the instrument can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(rows.iter().all(|row| table.contains(row)), "{table}");
}

fn installed(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

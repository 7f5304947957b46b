//! The instrument of speed works. What it measured here is worth nothing: other tests have the cores.

use std::env;
use std::process::Stdio;

use tests::{Folder, program};

#[test]
fn a_short_run_writes_its_figures_down() {
    if !["nginx", "wrk"].into_iter().all(installed) {
        eprintln!("skipped: nginx or wrk is not installed (`make bench` installs them)");
        return;
    }
    let folder = Folder::new();
    let mut command = program("load-tests");
    command
        .arg("--short")
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
    assert!(
        table.contains("| wald |") && table.contains("| nginx |"),
        "{table}"
    );
}

fn installed(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

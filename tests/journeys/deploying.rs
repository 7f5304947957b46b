//! What operators copy from `deploy/`: it names what there is.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Folder, program};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("it is there")
}

/// The document in the Kubernetes example: the lines under `wald.yaml: |`, without their indent.
fn document() -> String {
    let manifest = read("deploy/kubernetes/sidecar.yaml");
    let (_, behind) = manifest.split_once("  wald.yaml: |\n").expect("a document");
    let lines = behind.lines().take_while(|line| *line != "---");
    lines
        .map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn the_sidecar_s_document_is_the_example_s_and_valid() {
    assert_eq!(document(), read("config/examples/sidecar/wald.yaml"));
    let folder = Folder::new();
    let file = folder.write("wald.yaml", document());
    let mut command = program("wald");
    let output = command.args(["validate", "-c"]).arg(file).output();
    let output = output.expect("wald starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn commands_of_units_and_manifests_are_wald_s() {
    let unit = read("deploy/systemd/wald.service");
    let commands = unit.lines().filter_map(|line| {
        let (name, command) = line.split_once('=')?;
        let command = command.strip_prefix("/usr/local/bin/wald ")?;
        name.starts_with("ExecStart").then(|| command.to_owned())
    });
    let manifest = read("deploy/kubernetes/sidecar.yaml");
    let listed = ["args: [", "command: [wald, "]
        .into_iter()
        .filter_map(|start| {
            let (_, behind) = manifest.split_once(start)?;
            Some(behind.split_once(']')?.0.replace(',', ""))
        });
    let commands: Vec<_> = commands.chain(listed).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    for command in commands {
        let mut program = program("wald");
        let output = program
            .args(command.split_whitespace())
            .arg("--help")
            .output();
        assert!(output.expect("wald starts").status.success(), "{command}");
    }
}

#[test]
fn systemd_understands_the_unit() {
    let Ok(verified) = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "deploy/systemd/wald.service"])
        .current_dir(root())
        .output()
    else {
        // Not a machine of systemd's: the other journeys look at what can be seen without it.
        return;
    };
    // The program is not installed here; everything else must be known.
    let said = String::from_utf8_lossy(&verified.stderr);
    let doubts = said.lines().filter(|line| line.contains("wald.service"));
    let doubts: Vec<_> = doubts
        .filter(|line| !line.contains("is not executable"))
        .collect();
    assert!(doubts.is_empty(), "{doubts:?}");
}

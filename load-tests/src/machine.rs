//! What the figures were taken on: without it they could not be compared with anything.

use std::{fs, path::Path, process::Command};

use serde::Serialize;

use crate::stage::Program;

/// Machine, versions and commit of one run.
#[derive(Default, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    commit: String,
    wald: String,
    nginx: String,
    haproxy: String,
    envoy: String,
    wrk: String,
    rustc: String,
}

impl Machine {
    /// Asks each program for its version; what does not answer is "unknown".
    pub(crate) fn describe(wald: &Path) -> Self {
        Self {
            cpu: cpu().unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: first_line(Command::new("uname").arg("-sr")),
            commit: first_line(Command::new("git").args([
                "describe",
                "--always",
                "--dirty",
                "--abbrev=12",
            ])),
            wald: first_line(Command::new(wald).arg("--version")),
            nginx: first_line(Command::new("nginx").arg("-v")),
            haproxy: first_line(Command::new("haproxy").arg("-v")),
            envoy: envoy(),
            wrk: first_line(Command::new("wrk").arg("-v")),
            rustc: first_line(Command::new("rustc").arg("--version")),
        }
    }

    /// What it is, without what runs on it.
    pub(crate) fn place(&self) -> String {
        format!("{} cores of {}", self.cores, self.cpu)
    }

    /// One line for a person.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} cores of {}, {}; commit {}; {}; {}; {}; Envoy {}; {}; {}",
            self.cores,
            self.cpu,
            self.kernel,
            self.commit,
            self.wald,
            self.nginx,
            self.haproxy,
            self.envoy,
            self.wrk,
            self.rustc
        )
    }
}

/// Envoy prints its name, then digest, version and kind of build with slashes between.
fn envoy() -> String {
    let Some(program) = Program::Envoy.find() else {
        return unknown();
    };
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.trim()
        .rsplit('/')
        .nth(3)
        .map_or_else(unknown, str::to_owned)
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The first line that a program prints, on whichever stream.
fn first_line(command: &mut Command) -> String {
    let Ok(output) = command.output() else {
        return unknown();
    };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .next()
        .map_or_else(unknown, |line| line.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

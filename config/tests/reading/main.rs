//! Reads documents as an operator writes them, good and bad.

#[cfg(test)]
mod codes;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod text;
#[cfg(test)]
mod values;
#[cfg(test)]
mod variables;
#[cfg(test)]
mod whole;

use config::{Document, Problems};
use std::path::Path;

/// Uses every section and most fields, as the interfaces of Wald show it.
const EVERYTHING: &str = include_str!("everything.yaml");

fn read(text: &str) -> Result<Document, Problems> {
    let environment = |name: &str| match name {
        "PORT" => Some("8443".to_owned()),
        "SECRET" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    config::read(text, &environment, Path::new("/etc/wald"))
}

/// Reads `text` behind three lines that make a whole document, so that it begins in line 4.
fn behind_the_required(text: &str) -> String {
    format!("version: wald/v1\nlisteners: []\nroutes: []\n{text}")
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_whole(&behind_the_required(text), expected);
}

#[track_caller]
fn check_whole(text: &str, expected: &[&str]) {
    let problems = read(text).err().unwrap_or_default();
    let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        expected,
        "\nin\n{text}\nfound\n{}\n",
        found.join("\n")
    );
}

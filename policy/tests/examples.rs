//! The documents in `config/examples` are what newcomers copy, so each of them compiles.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "the crate is pure, but examples are files; without one there is nothing to test"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let entries = fs::read_dir(folder).expect("the examples are there");
    let folders = entries.map(|entry| entry.expect("an entry").path());
    folders.map(|folder| folder.join("wald.yaml")).collect()
}

fn problems(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("every example has a `wald.yaml`");
    let folder = file.parent().expect("a file lies in a folder");
    let compiled = config::read(&text, &|_| None, folder)
        .and_then(|document| policy::compile(&document).map(|policy| policy.warnings().clone()));
    let problems = compiled.unwrap_or_else(|problems| problems);
    problems
        .iter()
        .map(|problem| format!("{}:{problem}", file.display()))
        .collect()
}

#[test]
fn every_example_compiles_without_a_warning() {
    let files = examples();
    assert!(!files.is_empty());
    let problems: Vec<_> = files.iter().flat_map(|file| problems(file)).collect();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

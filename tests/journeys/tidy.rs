//! The rules of the house that no lint knows, checked over every file of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file longer than this knows more than one thing.
const LINES_MAX: usize = 500;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "common", "helpers", "types", "manager", "handler"];

/// A tracked file of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The part of the file that is only there for tests.
    fn tests(&self) -> &str {
        let whole = self
            .path
            .components()
            .any(|part| part.as_os_str() == "tests");
        let named = self.path.file_name().is_some_and(|name| name == "tests.rs");
        if whole || named {
            return &self.text;
        }
        self.text
            .split_once("#[cfg(test)]")
            .map_or("", |(_, tests)| tests)
    }
}

#[test]
fn every_file_opens_by_saying_what_it_knows() {
    each(|source| {
        let opens = source
            .text
            .lines()
            .next()
            .is_some_and(|line| line.starts_with("//! "));
        (!opens).then(|| "does not open with a `//!` sentence".to_owned())
    });
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    each(|source| {
        let lines = source.text.lines().count();
        (lines > LINES_MAX).then(|| format!("has {lines} lines, at most {LINES_MAX}"))
    });
}

#[test]
fn modules_stand_beside_their_folders_and_are_named_for_what_they_know() {
    each(|source| {
        let name = source.path.file_stem()?.to_str()?;
        let empty = name == "mod" || EMPTY_NAMES.contains(&name);
        empty.then(|| "needs a name that says what it knows".to_owned())
    });
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_switched_off() {
    // Written apart, so that this list does not find itself.
    let marks = [
        "TO".to_owned() + "DO",
        "FIX".to_owned() + "ME",
        "#[ign".to_owned() + "ore",
    ];
    each(|source| {
        let found = marks
            .iter()
            .find(|mark| source.text.contains(mark.as_str()))?;
        Some(format!("has a {found}"))
    });
}

#[test]
fn tests_wait_for_events_and_never_for_a_time() {
    let naps = [
        "thread::sl".to_owned() + "eep",
        "time::sl".to_owned() + "eep",
    ];
    each(|source| {
        let nap = naps
            .iter()
            .find(|nap| source.tests().contains(nap.as_str()))?;
        Some(format!("has a {nap} in a test"))
    });
}

#[test]
fn the_pages_that_a_newcomer_looks_for_are_there() {
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
    ] {
        assert!(repository().join(page).is_file(), "{page} is missing");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = tracked("*.md");
    let broken: Vec<String> = pages.iter().flat_map(broken_links).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = fs::read_to_string(repository().join("README.md")).expect("the readme is text");
    let shown = readme
        .split_once("```yaml\n")
        .and_then(|(_, rest)| rest.split_once("```"));
    let (shown, _) = shown.expect("the readme shows a document");
    let file = repository().join("config/examples/front-a-server/wald.yaml");
    let example = fs::read_to_string(file).expect("the example is text");
    let told: Vec<&str> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(shown.lines().collect::<Vec<_>>(), told);
}

/// Links of one page to files that are not there. Links to other hosts are not followed.
fn broken_links(page: &Source) -> Vec<String> {
    let folder = repository().join(&page.path);
    let targets = page
        .text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let files = targets
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|file| !file.is_empty() && !file.contains("://"));
    files
        .filter(|file| {
            !folder
                .parent()
                .is_some_and(|folder| folder.join(file).exists())
        })
        .map(|file| format!("{}: {file} is not there", page.path.display()))
        .collect()
}

/// Applies a rule to every Rust file, and lists all that break it.
#[track_caller]
fn each(rule: impl Fn(&Source) -> Option<String>) {
    let sources = tracked("*.rs");
    assert!(
        sources.len() > 20,
        "only {} files were found",
        sources.len()
    );
    let broken: Vec<String> = sources
        .iter()
        .filter_map(|source| Some(format!("{}: {}", source.path.display(), rule(source)?)))
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The files that git keeps or would keep, by pattern.
fn tracked(pattern: &str) -> Vec<Source> {
    let listed = Command::new("git")
        .current_dir(repository())
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            pattern,
        ])
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("paths are text");
    let read = |path: &str| {
        let text = fs::read_to_string(repository().join(path)).ok()?;
        Some(Source {
            path: path.into(),
            text,
        })
    };
    listed.lines().filter_map(read).collect()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in a folder of the repository")
}

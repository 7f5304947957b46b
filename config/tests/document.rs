//! Reads whole documents as an operator writes them.

use config::{Document, Problems};
use std::path::Path;

const EVERYTHING: &str = include_str!("documents/everything.yaml");

fn read(text: &str) -> Result<Document, Problems> {
    config::read(text, &|_| None, Path::new("/etc/wald"))
}

#[test]
fn the_document_that_uses_everything_reads_without_a_problem() {
    let document = read(EVERYTHING).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(document.experiments.len(), 1);
}

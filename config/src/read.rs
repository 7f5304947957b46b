//! The one way from text to a document.

use crate::decode::{Decode, Decoder};
use crate::{Document, Problems, tree, variable};
use std::path::Path;

/// Reads a document, reporting every problem in it rather than the first.
///
/// `environment` gives the values of `${VARIABLES}`. Relative files are taken to lie below `base`,
/// the document's own folder; nothing is looked up on disk.
///
/// # Errors
/// All that keeps the text from being a document; never empty.
pub fn read(
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
    base: &Path,
) -> Result<Document, Problems> {
    let mut tree = tree::parse(text).map_err(|problem| Problems::from(*problem))?;
    let mut decoder = Decoder::new(base);
    variable::substitute(&mut tree, environment, &mut decoder);
    let document = Document::decode(&tree, &mut decoder);
    let problems = decoder.into_problems();
    match document {
        Some(document) if problems.is_empty() => Ok(Document {
            places: tree.places(),
            ..document
        }),
        _ => Err(problems),
    }
}

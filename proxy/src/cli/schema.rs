//! `wald schema`: the JSON Schema of the document, for editors and pipelines.

use super::{Exit, Failure, output};

/// Print the JSON Schema of the document
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wald schema > wald.schema.json
  # yaml-language-server: $schema=wald.schema.json     as first line of a document, for completion")]
pub(crate) struct Args {}

pub(crate) fn schema() -> Result<Exit, Failure> {
    output::text(&(serde_json::to_string_pretty(&config::schema())? + "\n"))?;
    Ok(Exit::Done)
}

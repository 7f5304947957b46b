//! The document a verb works on: its text, and what it compiles to.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Document, Problems};
use policy::Policy;

use super::Failure;

/// The text of a document and where it came from.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A document that compiles.
pub(crate) struct Compiled {
    pub(crate) document: Document,
    pub(crate) policy: Policy,
}

impl Source {
    /// Reads the text of the document at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|source| Failure::Document {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
        })
    }

    /// Compiles it, with variables from the environment and paths from the document's folder.
    pub(crate) fn compile(&self) -> Result<Compiled, Problems> {
        let base = self.path.parent().unwrap_or(Path::new(""));
        let document = config::read(&self.text, &|name| env::var(name).ok(), base)?;
        let policy = policy::compile(&document)?;
        Ok(Compiled { document, policy })
    }
}

/// The `-c` that every verb about a document takes.
#[derive(Debug, clap::Args)]
pub(crate) struct DocumentArgs {
    /// The document
    #[arg(short = 'c', long = "config", value_name = "FILE")]
    pub(crate) config: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_compiles() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
        let documents = yaml_files(&examples);
        assert!(documents.len() >= 2, "found only {documents:?}");
        for path in documents {
            let source = Source::open(&path).unwrap();
            if let Err(problems) = source.compile() {
                panic!("{} does not compile: {problems:#?}", path.display());
            }
        }
    }

    fn yaml_files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| {
                if path.is_dir() {
                    yaml_files(&path)
                } else {
                    vec![path]
                }
            })
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "yaml")
            })
            .collect()
    }
}

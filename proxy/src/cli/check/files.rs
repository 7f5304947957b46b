//! Whether the files of a document are there and what they should be.

use std::fs;
use std::io;
use std::path::Path;

use inference::LoadError;
use policy::Model;

use super::finding::Finding;
use crate::causes::causes;
use crate::probe::{self, ProbeError};
use crate::provenance::{self, SignatureError};
use crate::store;

/// Whether a model's file is the one the document means, and runs here.
pub(super) fn model(model: &Model) -> Finding {
    let subject = format!(
        "model {}/{} {}",
        model.name,
        model.version,
        model.file.display()
    );
    let bytes = match fs::read(&model.file) {
        Ok(bytes) => bytes,
        Err(error) => {
            return Finding::failed(
                subject,
                error.to_string(),
                "put the file there, or mend `file`",
            );
        }
    };
    if let Err(error @ ProbeError::Ended { .. }) = probe::survive(&bytes) {
        let remedy = "do not use this file: no model needs that much to be read";
        return Finding::failed(subject, causes(&error), remedy);
    }
    match inference::Model::load(&bytes, &model.sha256) {
        Ok(_) => signature(subject, model, &bytes),
        Err(error @ LoadError::Digest { .. }) => Finding::failed(
            subject,
            causes(&error),
            "get the right file, or write its digest into `sha256`",
        ),
        Err(error) => Finding::failed(subject, causes(&error), "export the model again"),
    }
}

/// Whether a file that loads is its signer's.
fn signature(subject: String, model: &Model, bytes: &[u8]) -> Finding {
    let Some(signature) = &model.signature else {
        return Finding::fine(subject, "digest agrees, loads");
    };
    match provenance::verify(signature, bytes, &model.sha256) {
        Ok(()) => {
            let detail = format!("digest agrees, signed by {}, loads", signature.signer);
            Finding::fine(subject, detail)
        }
        Err(error @ SignatureError::Wrong { .. }) => Finding::failed(
            subject,
            causes(&error),
            "have the signer sign this very file, or use the one that was signed",
        ),
        Err(error) => Finding::failed(
            subject,
            causes(&error),
            "mend `signature`, or the signer's `key`",
        ),
    }
}

/// Whether the store can be read, or made.
pub(super) fn store(path: Option<&Path>) -> Finding {
    let Some(path) = path else {
        let detail = "none: decisions and evidence are lost when wald stops";
        return Finding::doubtful("store", detail, "add `store: { path: ./wald.redb }`");
    };
    let subject = format!("store {}", path.display());
    match path.try_exists() {
        Ok(true) => existing(subject, path),
        Ok(false) => missing(subject, path),
        Err(error) => Finding::failed(subject, error.to_string(), "let wald read the folder"),
    }
}

fn existing(subject: String, path: &Path) -> Finding {
    match store::Store::read(path) {
        Ok(_) => Finding::fine(subject, "opens"),
        Err(error) => Finding::failed(
            subject,
            causes(&error),
            "name another file, or restore this one",
        ),
    }
}

/// A store that is not there yet is made by the first run, if its folder lets it.
fn missing(subject: String, path: &Path) -> Finding {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match is_writable(folder) {
        Ok(()) => Finding::fine(subject, "will be made"),
        Err(error) => {
            let detail = format!("cannot be made in {}: {error}", folder.display());
            Finding::failed(subject, detail, "make the folder and let wald write to it")
        }
    }
}

/// Tried, not read from permission bits: read-only mounts and quotas do not show there.
fn is_writable(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".wald-check-{}", std::process::id()));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::Mark;

    #[test]
    fn a_missing_store_is_fine_where_it_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(store(Some(&folder.path().join("w.redb"))).mark, Mark::Fine);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "the probe was left behind"
        );
        assert_eq!(
            store(Some(&folder.path().join("absent/w.redb"))).mark,
            Mark::Failed
        );
    }

    #[test]
    fn a_file_that_is_no_store_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.redb");
        fs::write(&path, "not a store").unwrap();
        assert_eq!(store(Some(&path)).mark, Mark::Failed);
    }

    #[test]
    fn a_store_whose_writer_crashed_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let (path, left) = (
            folder.path().join("w.redb"),
            folder.path().join("left.redb"),
        );
        let _writer = store::Store::open(&path).unwrap();
        // What a power cut leaves: the file of a writer that never closed it.
        fs::copy(&path, &left).unwrap();
        assert_eq!(
            store(Some(&left)),
            Finding::fine(format!("store {}", left.display()), "opens")
        );
    }

    #[test]
    fn no_store_at_all_is_doubtful() {
        assert_eq!(store(None).mark, Mark::Doubtful);
    }
}

//! Whether the files of a document are there and what they should be.

use std::fs;
use std::io;
use std::path::Path;

use inference::{Cost, Pool, StartError};
use policy::{Model, Policy};

use super::finding::Finding;
use crate::causes::causes;
use crate::infer::{self, Tried};
use crate::probe::{self, ProbeError};
use crate::provenance::{self, SignatureError};
use crate::reload;
use crate::store;

/// Whether a model's files are those the document means, and run here.
pub(super) fn model(policy: &Policy, model: &Model) -> Finding {
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
        Ok(loaded) => match signature(&subject, model, &bytes) {
            Some(refused) => refused,
            None => framed(subject, policy, model, loaded),
        },
        Err(error) => Finding::failed(subject, causes(&error), error.remedy()),
    }
}

/// Whether what the document puts around it fits it.
fn framed(subject: String, policy: &Policy, model: &Model, loaded: inference::Model) -> Finding {
    match reload::frame(loaded, model) {
        Ok(framed) => tried(subject, model, framed),
        Err(error) => {
            let place = reload::place(model, &error);
            let line = policy.document().place(&place).line;
            let detail = format!("line {line}, {place}: {}", causes(&error));
            Finding::failed(subject, detail, error.remedy())
        }
    }
}

/// What the document puts around a model, in short.
fn about(model: &inference::Model) -> String {
    let texts = model.tokenizer().map(|tokenizer| {
        let most = tokenizer.max_tokens();
        format!(", takes texts of up to {most} tokens")
    });
    let gives = model.ending().map(|_| {
        let outputs = model.outputs().iter().map(ToString::to_string);
        format!(", gives {}", outputs.collect::<Vec<_>>().join(", "))
    });
    texts.into_iter().chain(gives).collect()
}

/// Whether it answers what it must, and can run as the document says.
fn tried(subject: String, model: &Model, loaded: inference::Model) -> Finding {
    let about = about(&loaded);
    let tried = match infer::attempt(model.example.as_ref(), &loaded) {
        Ok(tried) => tried,
        Err(error) => {
            let remedy = "get the right file, or mend `example`";
            return Finding::failed(subject, causes(&error), remedy);
        }
    };
    let pool = match Pool::start(loaded, infer::crew(model), tried.cost()) {
        Ok(pool) => pool,
        Err(error @ StartError::Unbatchable(_)) => {
            let remedy = "remove `batch`, or export the model with an open first dimension";
            return Finding::failed(subject, causes(&error), remedy);
        }
        Err(error) => {
            return Finding::failed(subject, causes(&error), "lower `threads`");
        }
    };
    let runs = |what: &str, cost: &Cost| {
        let (time, place) = (cost.time(), pool.place());
        let signed = model.signature.as_ref();
        let signed = signed.map(|it| format!("signed by {}, ", it.signer));
        let signed = signed.unwrap_or_default();
        format!("digest agrees, {signed}{what} in {time:?}, on {place}{about}")
    };
    match tried {
        Tried::Example(cost) => Finding::fine(subject, runs("answers its example", &cost)),
        Tried::MadeUp(cost) => Finding::fine(subject, runs("runs", &cost)),
        Tried::Untried(error) => Finding::doubtful(
            subject,
            format!("what was made up does not run: {}", causes(&error)),
            "add an `example` of a request that it answers",
        ),
    }
}

/// What is wrong with the signature of a file, if it has to have one.
fn signature(subject: &str, model: &Model, bytes: &[u8]) -> Option<Finding> {
    let signature = model.signature.as_ref()?;
    let error = provenance::verify(signature, bytes, &model.sha256).err()?;
    let remedy = match &error {
        SignatureError::Wrong { .. } => {
            "have the signer sign this very file, or use the one that was signed"
        }
        _ => "mend `signature`, or the signer's `key`",
    };
    Some(Finding::failed(subject, causes(&error), remedy))
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

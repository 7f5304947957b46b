//! From a file to what can be put in force: text, document, policy, running models.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::Problems;
use inference::{LoadError, MODEL_BYTES_MAX, Model, Pool};
use policy::{KeySource, ModelId, Policy};
use sha2::{Digest as _, Sha256};

use super::cascades::{self, NoScore};
use super::folder;
use super::frame::{FrameError, frame};
use crate::causes::causes;
use crate::credentials::{self, Credentials, CredentialsError};
use crate::identify::{KeySet, KeySetError, KeySets};
use crate::infer::{self, TrialError, Tried};
use crate::live::Snapshot;
use crate::members::Rosters;
use crate::probe::{self, ProbeError};
use crate::provenance::{self, SignatureError};
use crate::rates::Rates;
use crate::referee::Candidate;

/// Why a document cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The document has problems.
    #[error("the document has problems")]
    Document(#[source] Problems),
    /// A model's file cannot be read.
    #[error("cannot read model `{name}` from {}", path.display())]
    ModelFile {
        /// The model.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A model cannot be used.
    #[error("model `{name}` cannot be used ({})", source.remedy())]
    Model {
        /// The model.
        name: String,
        /// Why.
        source: Box<LoadError>,
    },
    /// A model's file does away with whoever reads it.
    #[error("model `{name}` cannot be loaded safely")]
    Probe {
        /// The model.
        name: String,
        /// Why.
        source: ProbeError,
    },
    /// A model's file is not proved to be its signer's.
    #[error("model `{name}` is not proved to be its signer's")]
    Signature {
        /// The model.
        name: String,
        /// Why.
        source: Box<SignatureError>,
    },
    /// A model's tokenizer, embedding or labels cannot be used.
    #[error("the `{field}` of model `{name}` cannot be used")]
    Frame {
        /// The model.
        name: String,
        /// Which of them.
        field: &'static str,
        /// Why.
        source: Box<FrameError>,
    },
    /// A file of keys has none.
    #[error("cannot use the keys of `{issuer}` in {}", path.display())]
    KeySet {
        /// The issuer.
        issuer: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeySetError,
    },
    /// A cascade cannot tell whether its model is sure.
    #[error(transparent)]
    Cascade(#[from] NoScore),
    /// A model does not answer its example as it should.
    #[error("model `{name}` was tried and cannot be used")]
    Trial {
        /// The model.
        name: String,
        /// Why.
        source: Box<TrialError>,
    },
    /// A model's threads do not start.
    #[error("the threads of model `{name}` cannot start")]
    Threads {
        /// The model.
        name: String,
        /// Why.
        source: inference::StartError,
    },
    /// A certificate, a key, authorities or revocations cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The thread that prepared it ended before it had.
    #[error("the preparation was interrupted")]
    Interrupted,
}

/// Reads, compiles and loads; what is `in_force` is used again where it is the same. Blocks: it reads files and
/// optimises models.
pub(crate) fn prepare(
    document: &Path,
    in_force: Option<&Snapshot>,
) -> Result<Candidate, PrepareError> {
    let text = std::fs::read_to_string(document).map_err(|source| PrepareError::Read {
        path: document.to_owned(),
        source,
    })?;
    let environment = |name: &str| std::env::var(name).ok();
    let read =
        config::read(&text, &environment, folder(document)).map_err(PrepareError::Document)?;
    let policy = policy::compile(&read).map_err(PrepareError::Document)?;
    let models = policy
        .models()
        .iter()
        .map(|model| pool(model, in_force))
        .collect::<Result<Vec<_>, _>>()?;
    let of_pool = |id: ModelId| models.get(id.index()).map(|pool: &Arc<Pool>| pool.model());
    cascades::check(&policy, of_pool)?;
    let key_sets = key_sets(&policy)?;
    let before = in_force.map(|it| &*it.credentials);
    let credentials = Credentials::read(&policy, before)?;
    let rosters = Rosters::new(&policy, in_force.map(|it| &*it.rosters));
    let rates = Rates::new(&policy, in_force.map(|it| &*it.rates));
    Ok(Candidate {
        policy: Arc::new(policy),
        models,
        key_sets,
        rosters: Arc::new(rosters),
        rates: Arc::new(rates),
        credentials: Arc::new(credentials),
        by: None,
    })
}

/// The keys of every issuer that come from files. Those of servers come when the server is asked.
pub(crate) fn key_sets(policy: &Policy) -> Result<KeySets, PrepareError> {
    let sets = policy.issuers().iter().map(|issuer| match &issuer.keys {
        KeySource::File(path) => key_set(&issuer.name, path).map(Some),
        KeySource::Url(_) => Ok(None),
    });
    sets.collect::<Result<_, _>>().map(KeySets::new)
}

fn key_set(issuer: &str, path: &Path) -> Result<Arc<KeySet>, PrepareError> {
    let text = std::fs::read(path).map_err(|source| PrepareError::Read {
        path: path.to_owned(),
        source,
    })?;
    let set = KeySet::parse(&text).map_err(|source| PrepareError::KeySet {
        issuer: issuer.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    Ok(Arc::new(set))
}

/// What is in some files, in their order; an absent file is a content, too.
pub(crate) type Digest = Vec<Option<[u8; 32]>>;

/// What tells two contents of these files apart.
pub(super) fn digest<'a>(files: impl IntoIterator<Item = &'a Path>) -> Digest {
    let content = |file| Some(Sha256::digest(std::fs::read(file).ok()?).into());
    files.into_iter().map(content).collect()
}

/// The files beside the document that come into force with it and may change by themselves. Models do not:
/// the document names their digests. Who signed them does: a signer's key may be replaced.
pub(super) fn files(policy: &Policy) -> impl Iterator<Item = &Path> {
    let key_sets = policy.issuers().iter();
    let key_sets = key_sets.filter_map(|issuer| match &issuer.keys {
        KeySource::File(path) => Some(&**path),
        KeySource::Url(_) => None,
    });
    let signatures = policy.models().iter();
    let signatures = signatures.filter_map(|model| model.signature.as_ref());
    let signatures = signatures.flat_map(|it| [it.file.as_path(), it.key.file()]);
    key_sets
        .chain(credentials::files(policy).map(PathBuf::as_path))
        .chain(signatures)
}

/// The pool that serves a model, the one that runs already if there is one. A signature is looked at in any case:
/// its signer may be believed no longer.
fn pool(model: &policy::Model, in_force: Option<&Snapshot>) -> Result<Arc<Pool>, PrepareError> {
    let running = in_force.and_then(|in_force| running(model, in_force));
    if let (Some(running), None) = (&running, &model.signature) {
        return Ok(Arc::clone(running));
    }
    let bytes = read(&model.file).map_err(|source| PrepareError::ModelFile {
        name: model.name.to_string(),
        path: model.file.clone(),
        source,
    })?;
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    if sha256 != model.sha256 {
        // Whose another file is does not matter; loading it says which one was meant.
        return start(model, &bytes);
    }
    if let Some(signature) = &model.signature {
        prove(model, signature, &bytes)?;
    }
    if let Some(running) = running {
        return Ok(running);
    }
    probe(model, &bytes)?;
    start(model, &bytes)
}

fn prove(
    model: &policy::Model,
    signature: &policy::Signature,
    bytes: &[u8],
) -> Result<(), PrepareError> {
    provenance::verify(signature, bytes, &model.sha256).map_err(|source| PrepareError::Signature {
        name: model.name.to_string(),
        source: Box::new(source),
    })
}

fn start(model: &policy::Model, bytes: &[u8]) -> Result<Arc<Pool>, PrepareError> {
    let name = || model.name.to_string();
    let loaded = Model::load(bytes, &model.sha256).map_err(|source| PrepareError::Model {
        name: name(),
        source: Box::new(source),
    })?;
    let loaded = frame(loaded, model).map_err(|source| PrepareError::Frame {
        name: name(),
        field: source.field(model),
        source: Box::new(source),
    })?;
    let tried =
        infer::attempt(model.example.as_ref(), &loaded).map_err(|source| PrepareError::Trial {
            name: name(),
            source: Box::new(source),
        })?;
    let pool = Pool::start(loaded, infer::crew(model), tried.cost()).map_err(|source| {
        PrepareError::Threads {
            name: name(),
            source,
        }
    })?;
    tell(model, &pool, &tried);
    Ok(Arc::new(pool))
}

/// Finds out whether it is safe to load these bytes.
fn probe(model: &policy::Model, bytes: &[u8]) -> Result<(), PrepareError> {
    match probe::survive(bytes) {
        Err(source @ ProbeError::Ended { .. }) => Err(PrepareError::Probe {
            name: model.name.to_string(),
            source,
        }),
        // The digest says that the file is the one that is meant; a sandbox without processes is no reason to stop.
        Err(error @ ProbeError::Start(_)) => {
            tracing::warn!(model = %model.name, error = %causes(&error), "loaded without a probe");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn tell(model: &policy::Model, pool: &Pool, tried: &Tried) {
    let (name, version) = (&*model.name, &*model.version);
    match tried {
        Tried::Example(cost) | Tried::MadeUp(cost) => {
            let (run, on) = (cost.time(), pool.place());
            tracing::info!(model = name, version, ?run, %on, "model loaded");
        }
        Tried::Untried(error) => {
            let error = causes(error);
            tracing::warn!(model = name, version, error, "model loaded, but not tried");
        }
    }
}

/// The pool that serves this very model already.
fn running(model: &policy::Model, in_force: &Snapshot) -> Option<Arc<Pool>> {
    let is_same = |other: &Arc<policy::Model>| {
        other.sha256 == model.sha256
            && infer::crew(other) == infer::crew(model)
            && other.example == model.example
            && other.tokenizer == model.tokenizer
            && other.ending == model.ending
    };
    let position = in_force.policy.models().iter().position(is_same)?;
    in_force.models.get(position).cloned()
}

/// A model's bytes, one more than are allowed at the most: the loader then says that it is too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MODEL_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

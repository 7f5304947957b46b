//! Small models: Wald, which runs them itself, beside servers that do nothing else.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    FOLDER,
    peer::{Peer, PeerError},
    process::StartError,
};

/// A model of `peers/inline.py`.
#[derive(Clone, Copy)]
pub(crate) enum Model {
    /// 64 pixels, two layers of 64 and 32, ten digits.
    Mlp,
    /// A hundred trees for the same.
    Forest,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Forest => "forest",
        }
    }
}

/// Trains the model, and starts whoever serves it.
pub(crate) fn peers(model: Model, wald: &Path, folder: &Path) -> Result<Vec<Peer>, PeerError> {
    let python = python();
    let models = folder.join("models");
    let trained = Command::new(&python)
        .arg(Path::new(FOLDER).join("peers/inline.py"))
        .arg("prepare")
        .arg(&models)
        .status()
        .map_err(|source| StartError::new(&python.to_string_lossy(), source))?;
    if !trained.success() {
        return Err(PeerError::Untrained);
    }
    let model = models.join(model.name());
    Ok(vec![
        Peer::wald_inline(wald, &model, folder)?,
        Peer::in_python("fastapi", &python, &model, folder)?,
        Peer::in_python("mlserver", &python, &model, folder)?,
    ])
}

/// Where `make bench-models` installs what these servers need.
fn python() -> PathBuf {
    Path::new(FOLDER).join("../.venv-bench/bin/python")
}

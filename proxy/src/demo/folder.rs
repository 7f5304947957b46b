//! The folder that holds a demo's state, and whether it starts clean or resumes.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::assets;
use super::ports::Ports;

const VARIABLE: &str = "WALD_DEMO_DIR";
const DOCUMENT: &str = "wald.yaml";
const STORE: &str = "wald.redb";
const LOG: &str = "wald.log";
const NOTE: &str = "demo.json";

/// Why the demo's state cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {} for the demo's state (WALD_DEMO_DIR names another folder)", path.display())]
pub(crate) struct FolderError {
    path: PathBuf,
    source: io::Error,
}

/// The folder of one demo, ready to be served.
pub(super) struct Folder {
    path: PathBuf,
    ports: Ports,
    note: Note,
    origin: Origin,
}

/// What a demo leaves for the next one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    seed: u64,
    /// Hash of document and models: another release of Wald may bring others.
    assets: u64,
    finished: bool,
}

/// How a demo begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Fresh,
    ClearedFinished,
    ClearedOther,
    Resumed,
}

impl Folder {
    /// Writes models and document, and keeps the store of an interrupted demo of the same kind.
    pub(super) fn prepare(ports: Ports, seed: u64) -> Result<Self, FolderError> {
        let path = env::var_os(VARIABLE).map_or_else(
            || Path::new(".wald-demo").join(ports.admin().port().to_string()),
            PathBuf::from,
        );
        Self::prepare_at(&path, ports, seed).map_err(|source| FolderError { path, source })
    }

    fn prepare_at(path: &Path, ports: Ports, seed: u64) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let document = ports.written_into(assets::DOCUMENT);
        let note = Note {
            seed,
            assets: assets_hash(&document),
            finished: false,
        };
        let origin = Origin::of(read_note(path).as_ref(), &note);
        if origin != Origin::Resumed {
            remove(&path.join(STORE))?;
            remove(&path.join(LOG))?;
        }
        for (name, bytes) in assets::MODELS {
            fs::write(path.join(name), bytes)?;
        }
        fs::write(path.join(DOCUMENT), document)?;
        let folder = Self {
            path: path.to_owned(),
            ports,
            note,
            origin,
        };
        folder.write_note(&folder.note)?;
        Ok(folder)
    }

    /// Notes that every verdict came, so that the next demo starts clean.
    pub(super) fn finished(&self) -> Result<(), FolderError> {
        self.write_note(&Note {
            finished: true,
            ..self.note.clone()
        })
        .map_err(|source| FolderError {
            path: self.path.clone(),
            source,
        })
    }

    /// One sentence about how this demo begins.
    pub(super) fn describe(&self) -> String {
        let how = match self.origin {
            Origin::Fresh => "starts clean",
            Origin::ClearedFinished => "starts clean (the demo before it had finished)",
            Origin::ClearedOther => {
                "starts clean (what was there had another seed or other models)"
            }
            Origin::Resumed => "resumes the demo that was interrupted",
        };
        format!(
            "demo in {}, seed {}: {how}",
            self.path.display(),
            self.note.seed
        )
    }

    pub(super) fn ports(&self) -> Ports {
        self.ports
    }

    pub(super) fn document(&self) -> PathBuf {
        self.path.join(DOCUMENT)
    }

    /// Where the server's log goes, since the terminal shows the experiments.
    pub(super) fn log(&self) -> PathBuf {
        self.path.join(LOG)
    }

    fn write_note(&self, note: &Note) -> io::Result<()> {
        fs::write(self.path.join(NOTE), serde_json::to_vec(note)?)
    }
}

impl Origin {
    fn of(before: Option<&Note>, now: &Note) -> Self {
        match before {
            None => Self::Fresh,
            Some(before) if before == now => Self::Resumed,
            Some(before) if before.finished => Self::ClearedFinished,
            Some(_) => Self::ClearedOther,
        }
    }
}

/// A note that cannot be read counts as none: the demo's own files are then cleared.
fn read_note(folder: &Path) -> Option<Note> {
    serde_json::from_slice(&fs::read(folder.join(NOTE)).ok()?).ok()
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn assets_hash(document: &str) -> u64 {
    let models = assets::MODELS
        .iter()
        .map(|(_, bytes)| xxh3_64(bytes).to_string());
    xxh3_64(
        models
            .fold(document.to_owned(), |all, hash| all + &hash)
            .as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path, seed: u64) -> Folder {
        Folder::prepare_at(path, Ports::free_from(0).unwrap(), seed).unwrap()
    }

    fn again(before: &Folder, seed: u64) -> Folder {
        Folder::prepare_at(&before.path, before.ports, seed).unwrap()
    }

    #[test]
    fn an_interrupted_demo_keeps_its_store() {
        let place = tempfile::tempdir().unwrap();
        let first = folder(place.path(), 1);
        assert_eq!(first.origin, Origin::Fresh);
        fs::write(place.path().join(STORE), "evidence").unwrap();
        assert_eq!(again(&first, 1).origin, Origin::Resumed);
        assert_eq!(fs::read(place.path().join(STORE)).unwrap(), b"evidence");
    }

    #[test]
    fn a_finished_demo_makes_room_for_the_next() {
        let place = tempfile::tempdir().unwrap();
        let first = folder(place.path(), 1);
        first.finished().unwrap();
        fs::write(place.path().join(STORE), "evidence").unwrap();
        assert_eq!(again(&first, 1).origin, Origin::ClearedFinished);
        assert!(!place.path().join(STORE).exists());
    }

    #[test]
    fn another_seed_starts_clean() {
        let place = tempfile::tempdir().unwrap();
        let first = folder(place.path(), 1);
        assert_eq!(again(&first, 2).origin, Origin::ClearedOther);
    }

    #[test]
    fn the_written_document_names_the_ports_of_this_demo() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path(), 1);
        let text = fs::read_to_string(folder.document()).unwrap();
        for address in [
            folder.ports.admin(),
            folder.ports.edge(),
            folder.ports.models(),
        ] {
            assert!(
                text.contains(&address.to_string()),
                "{address} is missing in\n{text}"
            );
        }
    }
}

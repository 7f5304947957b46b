//! A folder of one journey: documents, models, stores. Gone when the journey ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The folder of one journey.
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    #[expect(
        clippy::new_without_default,
        reason = "making a folder is an act, not a default"
    )]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the journey"))
    }

    /// Where `name` is, or would be.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file in place, as an editor may do.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file of the journey can be written");
        path
    }

    /// Replaces a file by renaming another over it, as careful tools do.
    pub fn swap(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let draft = self.write(&format!(".{name}.draft"), text);
        let path = self.path(name);
        fs::rename(draft, &path).expect("a file of the journey can be replaced");
        path
    }

    /// Writes a file as Kubernetes mounts a ConfigMap: `name` is a link into `..data`, which is a link to a
    /// folder of this version, and is replaced in one step.
    pub fn mount(&self, name: &str, version: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let folder = format!("..{version}");
        fs::create_dir(self.path(&folder)).expect("a version's folder can be made");
        self.write(&format!("{folder}/{name}"), text);
        let draft = self.path("..data_tmp");
        symlink(&folder, &draft).expect("a link to the version can be made");
        fs::rename(draft, self.path("..data")).expect("the version can be put in force");
        let path = self.path(name);
        if path.symlink_metadata().is_err() {
            symlink(Path::new("..data").join(name), &path).expect("a link to the file can be made");
        }
        path
    }
}

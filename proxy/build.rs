//! Puts the built dashboard into the binary: a table of its files, or none if nobody has built it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where Vite writes to; the folder itself is in the repository, so that Cargo can watch it.
const DIST: &str = "../dashboard/dist";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={DIST}");
    let mut files = Vec::new();
    let dist = fs::canonicalize(DIST)?;
    collect(&dist, &mut files)?;
    files.sort();
    let rows: String = files.iter().filter_map(|file| row(&dist, file)).collect();
    let table = format!("&[\n{rows}]\n");
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("dashboard.rs"), table)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// A path as a browser asks for it, and the file's bytes; none for what is hidden.
fn row(dist: &Path, file: &Path) -> Option<String> {
    let path = file.strip_prefix(dist).ok()?.to_str()?;
    let is_hidden = path.starts_with('.');
    (!is_hidden).then(|| format!("    ({path:?}, include_bytes!({file:?})),\n"))
}

//! `--keep-failed`: files that could not be stored are copied into a directory, so that they are not lost.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use bandog_runtime::output::OutputFiles;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters of a call id that a directory is not named with. The id may come from the caller.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Characters of a directory's name, at most.
const NAME_LIMIT: usize = 200;

/// Copies files into a new directory below `dir`, which is named after the call. Returns that directory.
pub(super) fn keep(dir: &Path, call_id: &str, files: OutputFiles<'_>, which: &[usize]) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let kept = new_directory(dir, call_id)?;
    let mut opener = files.opener();
    for index in which {
        let Some(path) = files.path(*index) else { continue };
        let to = kept.join(path);
        if let Some(parent) = to.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let mut from = File::from(opener.open(*index).map_err(io::Error::other)?);
        let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        io::copy(&mut from, &mut to)?;
    }
    Ok(kept)
}

/// A directory that did not exist: for the same call id another.
fn new_directory(dir: &Path, call_id: &str) -> io::Result<PathBuf> {
    let mut name = utf8_percent_encode(call_id, UNSAFE).to_string();
    name.truncate(NAME_LIMIT);
    let create = |path: PathBuf| DirBuilder::new().mode(0o700).create(&path).map(|()| path);
    match create(dir.join(&name)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            create(dir.join(format!("{name}-{}", bandog_process::ids::random().simple())))
        }
        made => made,
    }
}

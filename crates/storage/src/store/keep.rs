//! `--keep-failed`: files that could not be stored are copied into a directory, so that they are not lost.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use bandog_runtime::output::{FileOpener, OutputFiles};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters of a call id that a directory is not named with. The id may come from the caller.
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// Characters of a directory's name, at most.
const NAME_LIMIT: usize = 200;

/// The files of a run that are kept.
pub(super) struct Kept {
    /// Their directory.
    pub(super) dir: PathBuf,
    /// The files that could not be copied, with the reason.
    pub(super) lost: Vec<(PathBuf, io::Error)>,
}

/// Copies files into a new directory below `dir`, which is named after the call. Returns that directory, and the files that
/// could not be copied: one of them does not stop the others.
pub(super) fn keep(dir: &Path, call_id: &str, files: OutputFiles<'_>, which: &[usize]) -> io::Result<Kept> {
    fs::create_dir_all(dir)?;
    let kept = new_directory(dir, call_id)?;
    let mut opener = files.opener();
    let mut lost = Vec::new();
    for index in which {
        let Some(path) = files.path(*index) else { continue };
        if let Err(error) = copy(&mut opener, *index, &kept.join(path)) {
            lost.push((path.to_owned(), error));
        }
    }
    Ok(Kept { dir: kept, lost })
}

fn copy(opener: &mut FileOpener<'_>, index: usize, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut from = File::from(opener.open(index).map_err(io::Error::other)?);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let copied = io::copy(&mut from, &mut file);
    if copied.is_err() {
        // A part of a file would look like the whole.
        let _ = fs::remove_file(to);
    }
    copied.map(drop)
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

#[cfg(test)]
mod tests;

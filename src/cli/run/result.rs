//! `--output PATH`: the decoded result on disk. One file becomes PATH; several become the directory PATH, or the zip
//! PATH.zip; logs become a text file. Where PATH is a directory, or ends with a slash, a single file keeps its name in
//! it. A file appears whole or not at all.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::{
    cli::destination::Destination,
    invocation::Outcome,
    output::{Output, send_entry},
    reply::{self, Accept, CallFacts, TransferError},
};

/// Why the result is not where it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The destination cannot be written.
    #[error("cannot write --output {}: {source}", path.display())]
    Write {
        /// The destination.
        path: PathBuf,
        /// The error of the kernel.
        source: io::Error,
    },
    /// The result cannot be read whole.
    #[error(transparent)]
    Transfer(#[from] TransferError),
}

/// Name of the logs where PATH is a directory.
const LOGS: &str = "logs.txt";

/// Whether there can be a result at `path`, found out before anything is run for it.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let usable = is_directory(path) || fs::metadata(parent).is_ok_and(|metadata| metadata.is_dir());
    if usable { Ok(()) } else { Err(Error::Write { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }) }
}

/// Whether it is a directory, or is meant to become one.
fn is_directory(path: &Path) -> bool {
    path.is_dir() || path.as_os_str().as_bytes().ends_with(b"/")
}

/// Writes the result of a run that was successful to `path`; leaves it alone otherwise.
pub(super) fn write(outcome: &Outcome, facts: &CallFacts<'_>, path: &Path) -> Result<(), Error> {
    let Outcome::Done { output, .. } = outcome else { return Ok(()) };
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let is_zip = !is_directory(path) && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    if let (Output::Tree(tree), false) = (output, is_zip) {
        fs::create_dir_all(path).map_err(failed)?;
        for entry in tree.iter() {
            let path = path.join(entry.path());
            let failed = |source| Error::Write { path: path.clone(), source };
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
            write_file(&path, |into| send_entry(tree, entry, into))?;
            let mode = u32::from(entry.mode()) & 0o777;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).map_err(failed)?;
        }
        return Ok(());
    }
    let mut path = path.to_owned();
    if is_directory(&path) {
        fs::create_dir_all(&path).map_err(failed)?;
        path.push(match output {
            Output::File(file) => file.path().file_name().unwrap_or(file.path().as_os_str()),
            Output::None | Output::Tree(_) | Output::Streamed(_) => OsStr::new(LOGS),
        });
    }
    // A file and a zip as the bytes that a client may ask for; logs are text anyway.
    let raw = Accept::parse(Some(b"application/octet-stream"));
    write_file(&path, |into| reply::answer(outcome, facts, &raw).write_to(into))
}

/// Writes one file whole.
fn write_file(path: &Path, pour: impl FnOnce(&mut Destination) -> Result<(), TransferError>) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut into = Destination::open(path).map_err(failed)?;
    match pour(&mut into) {
        Ok(()) => into.finish().map_err(failed),
        Err(broken) => Err(into.take_error().map_or(Error::Transfer(broken), failed)),
    }
}

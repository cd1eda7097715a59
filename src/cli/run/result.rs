//! `--output PATH`: the decoded result on disk. One file becomes PATH; several become the directory PATH, or the zip
//! PATH.zip; logs become a text file. Where PATH is a directory, or ends with a slash, a single file keeps its name in
//! it. A file appears whole or not at all. What is in the way and must not be replaced stays: the result gets a name
//! beside it.

use std::{
    ffi::OsStr,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        destination::{self, Destination, Directory, Outlet, Written, is_directory},
        say,
    },
    invocation::Outcome,
    output::{FileTree, Output, send_entry},
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

/// Name of the logs where PATH is a directory, as with `bandog call`.
const LOGS: &str = "logs.txt";

/// Files whose other places are listed; of more only the number is told.
const LISTED: usize = 10;

/// Whether there can be a result at `path`, found out before anything is run for it.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    destination::check(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Writes the result of a run that was successful to `path`, and says where it is; leaves it alone otherwise. If that
/// fails, the result is kept in a temporary directory: it may have taken hours.
pub(super) fn write(outcome: &Outcome, facts: &CallFacts<'_>, path: &Path) -> Result<(), Error> {
    let written = write_to(outcome, facts, path);
    if let Err(Error::Write { .. }) = &written
        && let Ok(directory) =
            tempfile::Builder::new().prefix("bandog-result-").permissions(Permissions::from_mode(0o700)).tempdir()
        && write_to(outcome, facts, directory.path()).is_ok()
    {
        say(&format_args!("the result is in {}", directory.keep().display()));
    }
    written
}

fn write_to(outcome: &Outcome, facts: &CallFacts<'_>, path: &Path) -> Result<(), Error> {
    let Outcome::Done { report, output, .. } = outcome else { return Ok(()) };
    let failed = |source| Error::Write { path: path.to_owned(), source };
    // What is written to, and not replaced, takes one file: a pipe, a device.
    let is_stream = fs::metadata(path).is_ok_and(|found| !found.is_dir() && !found.is_file());
    let has_name = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    let is_zip = !is_directory(path) && (has_name || is_stream);
    if let (Output::Tree(tree), false) = (output, is_zip) {
        return write_tree(tree, path);
    }
    let mut outlet = Outlet::open(path).map_err(failed)?;
    let name = match output {
        Output::File(file) => file.path().file_name().unwrap_or(file.path().as_os_str()),
        Output::None | Output::Tree(_) | Output::Streamed(_) => OsStr::new(LOGS),
    };
    let into = outlet.create(name).map_err(failed)?;
    // A file and a zip as the bytes that a client may ask for; logs are text anyway.
    let raw = Accept::parse(Some(b"application/octet-stream"));
    let bytes = match output {
        Output::None => report.logs.len(),
        Output::Tree(tree) => tree.zip_len(),
        Output::File(_) | Output::Streamed(_) => output.bytes(),
    };
    let at = write_file(into, path, |into| reply::answer(outcome, facts, &raw).write_to(into))?;
    let is_zip = is_zip && !has_name;
    Written { asked: path.to_owned(), path: at, files: None, bytes, is_zip }.tell();
    Ok(())
}

/// Writes several files into the directory `path`.
fn write_tree(tree: &FileTree, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut directory = Directory::open(path).map_err(failed)?;
    let mut elsewhere = Vec::new();
    for entry in tree.iter() {
        let asked = directory.path().join(entry.path());
        let failed = |source| Error::Write { path: asked.clone(), source };
        let into = directory.create(entry.path(), Some(u32::from(entry.mode()))).map_err(failed)?;
        let at = write_file(into, &asked, |into| send_entry(tree, entry, into))?;
        if at != asked {
            elsewhere.push(Written { asked, path: at, files: None, bytes: entry.size(), is_zip: false });
        }
    }
    elsewhere.iter().take(LISTED).for_each(Written::tell);
    if elsewhere.len() > LISTED {
        say(&format_args!("and {} more in the same way", elsewhere.len() - LISTED));
    }
    let (files, bytes) = (Some(tree.len()), tree.bytes());
    Written { asked: path.to_owned(), path: directory.path().join(""), files, bytes, is_zip: false }.tell();
    Ok(())
}

/// Writes one file whole. Returns where it is.
fn write_file(
    mut into: Destination,
    path: &Path,
    pour: impl FnOnce(&mut Destination) -> Result<(), TransferError>,
) -> Result<PathBuf, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    match pour(&mut into) {
        Ok(()) => into.finish().map_err(failed),
        Err(broken) => Err(into.take_error().map_or(Error::Transfer(broken), failed)),
    }
}

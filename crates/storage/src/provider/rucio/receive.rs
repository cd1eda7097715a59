//! A file, or a dataset as a directory of files.

use std::{
    collections::HashSet,
    fs::{self, File},
    os::fd::AsFd as _,
    path::PathBuf,
};

use http::{HeaderValue, header::AUTHORIZATION};
use rustix::fs::{Mode, OFlags, mkdirat, openat};

use super::{Rucio, catalogue::Replicated, checksum::Checksums, did::Did};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::Scheme,
    object::ObjectPath,
    provider::{
        Directory, Fetch, Fetched,
        web::{Address, Credential, FileDownload, download},
    },
};

/// Fetches a file or a dataset.
///
/// # Errors
/// The reason. Nothing of it is left.
pub(super) fn receive(rucio: &Rucio, fetch: &Fetch<'_>, control: &Control<'_>) -> Result<Fetched, Error> {
    let did = Did::of(fetch.from, &rucio.account)?;
    let known = rucio.catalogue.known(&did, control)?;
    let known = known.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("Rucio knows no {did}")))?;
    let files = rucio.catalogue.replicas(&did, control)?;
    fetch.check_size(files.iter().filter_map(|file| file.bytes).sum())?;
    if known.kind != "FILE" {
        return set(rucio, fetch, &files, control);
    }
    let file = files.first().ok_or_else(|| unreadable(&did))?;
    one(rucio, fetch, file, control)
}

/// Fetches the files of a dataset into a directory, each under the last segment of its name.
fn set(rucio: &Rucio, fetch: &Fetch<'_>, files: &[Replicated], control: &Control<'_>) -> Result<Fetched, Error> {
    let set = NewDirectory::create(fetch)?;
    let (mut names, mut bytes) = (HashSet::new(), 0);
    for file in files {
        let from = ObjectPath::new(&file.scope, &file.name);
        if !names.insert(from.file_name().map(str::to_owned)) {
            let detail = format!("two files of the dataset end with the same name, as {} does", file.did());
            return Err(Error::new(ErrorKind::Rejected, detail));
        }
        let dir = Directory { fd: set.fd.as_fd(), path: &set.path };
        let part = Fetch { from: &from, dir, limit: fetch.limit, size: file.bytes };
        bytes += one(rucio, &part, file, control)?.bytes;
        fetch.check_size(bytes)?;
    }
    Ok(Fetched { path: set.keep(), bytes })
}

/// Fetches a file from the first storage element that has it as Rucio knows it.
fn one(rucio: &Rucio, fetch: &Fetch<'_>, file: &Replicated, control: &Control<'_>) -> Result<Fetched, Error> {
    let mut failed = None;
    for pfn in file.addresses() {
        match from_address(rucio, fetch, file, pfn, control) {
            Err(error) if !matches!(error.kind, ErrorKind::Stopped | ErrorKind::TooLarge | ErrorKind::File) => {
                tracing::debug!("{} cannot be fetched from {pfn}: {error}", file.did());
                failed.get_or_insert(Error { detail: format!("{pfn}: {}", error.detail), ..error });
            }
            result => return result,
        }
    }
    Err(failed.unwrap_or_else(|| unreadable(&file.did())))
}

fn from_address(
    rucio: &Rucio,
    fetch: &Fetch<'_>,
    file: &Replicated,
    pfn: &str,
    control: &Control<'_>,
) -> Result<Fetched, Error> {
    let new = fetch.create()?;
    let address = Address::parse(pfn)?;
    let credential = || credential_for(rucio, &address, control);
    let fetch = Fetch { size: file.bytes, ..*fetch };
    let from = FileDownload {
        sites: &rucio.sites,
        address: address.clone(),
        credential: &credential,
        is_folder: &|| Ok(false),
        fetch: &fetch,
    };
    download(&from, &new.file, control)?;
    let sums = Checksums::of(&new.file, control)?;
    if sums.agree_with(file.bytes, file.adler32.as_deref(), file.md5.as_deref()) {
        return new.keep();
    }
    let expected = file.adler32.as_deref().unwrap_or("of another content");
    let detail =
        format!("{} bytes with the Adler-32 {} are not those that Rucio knows, {expected}", sums.bytes, sums.adler32);
    Err(Error::new(ErrorKind::Changed, detail))
}

/// The token for a storage element: over TLS only, and for no address that has its own.
pub(super) fn credential_for(
    rucio: &Rucio,
    address: &Address,
    control: &Control<'_>,
) -> Result<Option<Credential>, Error> {
    let has_own = ["Signature=", "signature=", "authz="].iter().any(|word| address.target.contains(word));
    if address.site.scheme == Scheme::Http || has_own {
        return Ok(None);
    }
    let Some(token) = rucio.catalogue.tokens().for_storage(control)? else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Error::new(ErrorKind::Credentials, "the token contains a character that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(Some((AUTHORIZATION, value)))
}

fn unreadable(did: &Did) -> Error {
    let detail = format!("no storage element gives {did} over HTTP; expected a replica with https, http, davs or dav");
    Error::new(ErrorKind::NotFound, detail)
}

/// A directory that is being filled. It is removed unless it is kept.
struct NewDirectory {
    fd: File,
    path: PathBuf,
    is_kept: bool,
}

impl NewDirectory {
    fn create(fetch: &Fetch<'_>) -> Result<Self, Error> {
        let name = fetch.from.file_name().unwrap_or("dataset");
        let failed = |error: rustix::io::Errno| Error::file(&format!("create the directory {name:?}"), &error.into());
        mkdirat(fetch.dir.fd, name, Mode::RWXU).map_err(failed)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(fetch.dir.fd, name, flags, Mode::empty()).map_err(failed)?;
        Ok(Self { fd: fd.into(), path: fetch.dir.path.join(name), is_kept: false })
    }

    fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        std::mem::take(&mut self.path)
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if !self.is_kept {
            // The workspace is removed as well, so a failure here needs no report.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

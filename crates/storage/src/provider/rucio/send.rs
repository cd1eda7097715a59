//! A file is sent to a storage element, then registered.

use std::sync::{Arc, PoisonError};

use percent_encoding::percent_decode_str;

use super::{Rucio, catalogue::Known, checksum::Checksums, did::Did, receive::credential_for};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::Endpoint,
    object::ObjectPath,
    provider::{
        Provider as _,
        web::late,
        webdav::{Auth, WebDav, WebDavSettings},
    },
    secret::Secret,
    source::Source,
};

/// The server of the storage element that was used last, with its connections and folders.
#[derive(Debug)]
pub(super) struct Storage {
    site: Endpoint,
    token: Option<String>,
    dav: Arc<WebDav>,
}

/// Stores a file.
///
/// # Errors
/// It is not registered.
pub(super) fn send(rucio: &Rucio, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let did = Did::of(to, &rucio.account)?;
    let dataset = dataset_of(rucio, &did, control)?;
    let sums = Checksums::of(source.file(), control)?;
    source.check_unchanged()?;
    let (rse, scheme) = storage_element(rucio, control)?;
    let is_there = match rucio.catalogue.known(&did, control)? {
        None => false,
        Some(known) => {
            check_same(&did, &known, &sums)?;
            rucio.catalogue.replicas(&did, control)?.iter().any(|file| file.is_on(&rse))
        }
    };
    if !is_there {
        to_storage(rucio, source, &did, &sums, (&rse, &scheme), control)?;
    }
    match dataset {
        Some(dataset) => rucio.catalogue.attach(&did, &dataset, control),
        None => rucio.catalogue.keep(&did, &rucio.account, &rse, control),
    }
}

/// Sends a file to a storage element, and registers it.
fn to_storage(
    rucio: &Rucio,
    source: &Source,
    did: &Did,
    sums: &Checksums,
    (rse, scheme): (&str, &str),
    control: &Control<'_>,
) -> Result<(), Error> {
    let (dav, place) = server_of(rucio, did, rse, scheme, control)?;
    dav.store(source, &place, control)?;
    let registered = rucio.catalogue.register(did, sums, rse, control).map_err(Error::from);
    if let Err(error) = registered {
        // If the request may have been carried out, the content must stay.
        if !matches!(error.kind, ErrorKind::Unreachable | ErrorKind::Stopped)
            && let Err(left) = dav.remove(&place, &late())
        {
            tracing::warn!("{}: cannot remove {place}, which Rucio does not know: {left}", rucio.name);
        }
        return Err(error);
    }
    // Rucio registers a name that another upload has taken meanwhile, and keeps the facts of that.
    let known = rucio.catalogue.known(did, control)?;
    let known =
        known.ok_or_else(|| Error::new(ErrorKind::Unverified, format!("{did} was registered and is not there")))?;
    check_same(did, &known, sums)
}

/// Fails if a name is taken by something else.
fn check_same(did: &Did, known: &Known, sums: &Checksums) -> Result<(), Error> {
    if known.kind != "FILE" {
        let detail = format!("{did} is a {} already", known.kind.to_ascii_lowercase());
        return Err(Error::new(ErrorKind::Rejected, detail));
    }
    if sums.agree_with(known.bytes, known.adler32.as_deref(), known.md5.as_deref()) {
        return Ok(());
    }
    let size = known.bytes.map_or_else(String::new, |bytes| format!(" of {bytes} bytes"));
    let detail = format!("{did} is another file already{size}; Rucio gives a name once, so store it under another one");
    Err(Error::new(ErrorKind::Rejected, detail))
}

/// The dataset that a file is attached to.
fn dataset_of(rucio: &Rucio, did: &Did, control: &Control<'_>) -> Result<Option<Did>, Error> {
    let Some(dataset) = did.dataset() else { return Ok(None) };
    let datasets = || rucio.datasets.lock().unwrap_or_else(PoisonError::into_inner);
    if datasets().contains(&dataset) {
        return Ok(Some(dataset));
    }
    let known = rucio.catalogue.known(&dataset, control)?;
    if known.is_none_or(|known| known.kind != "DATASET") {
        return Ok(None);
    }
    datasets().insert(dataset.clone());
    Ok(Some(dataset))
}

/// The storage element of outputs, and the scheme by which it is written to.
fn storage_element(rucio: &Rucio, control: &Control<'_>) -> Result<(String, String), Error> {
    let names = if let Some(rse) = &rucio.rse {
        vec![rse.clone()]
    } else {
        let all = rucio.catalogue.storage_elements(control)?;
        all.into_iter().filter(|one| one.availability_write && one.deterministic).map(|one| one.rse).collect()
    };
    for name in &names {
        let one = rucio.catalogue.storage_element(name, control)?;
        if let Some(scheme) = one.scheme().filter(|_| one.availability_write && one.deterministic) {
            return Ok((one.rse.clone(), scheme.to_owned()));
        }
    }
    let shown = rucio.rse.as_deref().unwrap_or("no storage element");
    let detail = format!(
        "{shown} takes no files over HTTP; expected one that is deterministic, available, and written to by https, davs, http \
         or dav"
    );
    Err(Error::new(ErrorKind::Rejected, detail))
}

/// The server of the storage element of outputs, and the place of a file on it.
pub(super) fn storage(rucio: &Rucio, did: &Did, control: &Control<'_>) -> Result<(Arc<WebDav>, ObjectPath), Error> {
    let (rse, scheme) = storage_element(rucio, control)?;
    server_of(rucio, did, &rse, &scheme, control)
}

fn server_of(
    rucio: &Rucio,
    did: &Did,
    rse: &str,
    scheme: &str,
    control: &Control<'_>,
) -> Result<(Arc<WebDav>, ObjectPath), Error> {
    let address = rucio.catalogue.address(did, rse, scheme, control)?;
    let credential = credential_for(rucio, &address, control)?;
    let token = credential.and_then(|(_, value)| Some(value.to_str().ok()?.trim_start_matches("Bearer ").to_owned()));
    let path = percent_decode_str(address.target.trim_start_matches('/')).decode_utf8();
    let path = path.map_err(|_| Error::new(ErrorKind::Rejected, format!("{} is no UTF-8", address.url())))?;
    let place = ObjectPath::new("", path);
    let mut kept = rucio.storage.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(storage) = kept.as_ref().filter(|storage| storage.site == address.site && storage.token == token) {
        return Ok((Arc::clone(&storage.dav), place));
    }
    let auth = token.clone().map_or(Auth::None, |token| Auth::Bearer(Secret::Value(token)));
    let settings = WebDavSettings { endpoint: address.site.clone(), auth, trust: rucio.trust.clone() };
    let dav = Arc::new(WebDav::new(rucio.name.clone(), settings)?);
    *kept = Some(Storage { site: address.site, token, dav: Arc::clone(&dav) });
    Ok((dav, place))
}

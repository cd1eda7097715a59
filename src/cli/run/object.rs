//! `-f TYPE://ID/BUCKET/KEY`: an object of a provider of the configuration file as the input.

use std::{fs::File, os::fd::AsFd as _, path::Path};

use bandog_storage::{
    Control, ErrorKind, ObjectPath, ProviderName, ProviderType,
    provider::{Directory, Fetch},
    store,
};

use super::input_fault::InputFault;
use crate::{
    cli::{BAD_CONFIGURATION, INTERNAL},
    config::Config,
    input::InputError,
    invocation::Outcome,
    process::Cancel,
    reply,
};

/// Splits a path that is the address of an object; `None` if it is the name of a file.
pub(super) fn address(path: &Path) -> Option<(ProviderName, ObjectPath)> {
    let (kind, rest) = path.to_str()?.split_once("://")?;
    let kind = ProviderType::ALL.into_iter().find(|known| known.as_str() == kind)?;
    let (id, object) = rest.split_once('/')?;
    // The whole name of a provider may stand in the place of its id. `s3` is the scheme of all stores that speak it.
    let named = id.contains('.').then(|| id.parse::<ProviderName>().ok()).flatten();
    let named =
        named.filter(|named| named.kind == kind || (kind, named.kind) == (ProviderType::S3, ProviderType::Minio));
    let name = named.unwrap_or_else(|| ProviderName { kind, id: id.to_owned() });
    Some((name, ObjectPath::parse(object)))
}

/// Fetches an object into a file without a name.
pub(super) fn fetch(
    config: &Config,
    (name, from): &(ProviderName, ObjectPath),
    cancel: &Cancel,
) -> Result<File, InputFault> {
    let store = config.function.storage.as_ref().ok_or_else(|| InputFault {
        code: BAD_CONFIGURATION,
        text: format!("cannot fetch {from} of {name}: there are no storage_providers; name a file with --config"),
    })?;
    let failed = |text: String| InputFault { code: INTERNAL, text };
    let fault = |error: bandog_storage::Error| {
        let stopped = error.kind == ErrorKind::Stopped;
        let outcome = match cancel.cause() {
            Some(cause) if stopped => Outcome::Cancelled { report: None, cause },
            _ => Outcome::Refused(InputError::Storage(store::named(&error))),
        };
        InputFault { code: reply::exit_code(&outcome), text: error.to_string() }
    };
    let provider = store.provider(name).map_err(fault)?;
    // Removed at the end of this function; the file that is open stays.
    let place = tempfile::tempdir_in(&config.function.workspace)
        .map_err(|error| failed(format!("cannot make a directory for {from}: {error}; see --workspace")))?;
    let fd = File::open(place.path()).map_err(|error| failed(error.to_string()))?;
    let dir = Directory { fd: fd.as_fd(), path: place.path() };
    let fetch = Fetch { from, dir, limit: config.limits.max_body, size: None };
    let control = Control { deadline: None, cancel: Some(cancel) };
    let fetched = provider.fetch(&fetch, &control).map_err(|error| fault(error.of(name, from)))?;
    if fetched.path.is_dir() {
        return Err(failed(format!("{from} of {name} is a set of files, and an input given by hand is one file")));
    }
    File::open(&fetched.path).map_err(|error| failed(format!("cannot read {from} of {name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_provider_and_an_object() {
        for (text, provider, object) in [
            ("s3://my.store/in/a b.png", "s3.my.store", "in/a b.png"),
            ("minio://default/in/a", "minio.default", "in/a"),
            ("s3://s3.archive/in//a", "s3.archive", "in//a"),
            ("s3://minio.default/in/a", "minio.default", "in/a"),
            ("webdav://minio.default/in/a", "webdav.minio.default", "in/a"),
            ("s3://minio/in/a", "s3.minio", "in/a"),
            ("local://default/in/a", "local.default", "in/a"),
        ] {
            let (name, at) = address(Path::new(text)).expect(text);
            assert_eq!((name.to_string().as_str(), at.to_string().as_str()), (provider, object));
        }
        for text in ["in/a", "/in/a", "ftp://x/y", "s3:/x/y", "s3://x", "./s3://x/y"] {
            assert_eq!(address(Path::new(text)), None, "{text}");
        }
    }
}

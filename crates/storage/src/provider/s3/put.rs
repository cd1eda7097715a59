//! An object that is sent in one request.

use std::{io, os::unix::fs::FileExt as _};

use http::{HeaderName, Method};

use super::{
    api::{Api, Call},
    digest::{Digests, became_shorter, check_etag},
    document::LIMIT,
    get::{content_length, head},
};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::Payload,
    object::ObjectPath,
    retry::attempts,
    source::Source,
};

/// Bytes up to which a file is read once, for its digests and for every attempt: as many as are read at once of others.
const IN_MEMORY: u64 = 64 * 1024;

/// Stores a file.
pub(super) fn store(api: &Api, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let (payload, digests) = if source.size() <= IN_MEMORY {
        let bytes = read(source)?;
        let digests = Digests::of_bytes(&bytes, api.signs_payloads());
        (Payload::Bytes(bytes.into()), digests)
    } else {
        let digests = Digests::of_file(source.file(), 0, source.size(), api.signs_payloads(), control)?;
        (Payload::Whole(source.clone()), digests)
    };
    attempts(control, |_| {
        source.check_unchanged()?;
        let call = Call {
            headers: vec![(HeaderName::from_static("content-md5"), digests.content_md5())],
            payload: payload.clone(),
            sha256: digests.sha256.as_deref(),
            ..Call::new(Method::PUT, to)
        };
        let stored = api.send(&call, control, |response| {
            check_etag(&response.headers, digests.md5)?;
            // So that the connection can be used again.
            response.read(LIMIT, control)?;
            Ok(())
        });
        Ok(stored?)
    })?;
    source.check_unchanged()?;
    if to.key.ends_with('/') && source.size() > 0 { confirm(api, source, to, control) } else { Ok(()) }
}

/// The bytes of a file.
fn read(source: &Source) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; usize::try_from(source.size()).unwrap_or_default()];
    source.file().read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => became_shorter(),
        _ => Error::file("read the output", &error),
    })?;
    Ok(bytes)
}

/// Looks again at an object whose key ends with a slash: SeaweedFS makes a directory of it, without the bytes, and with
/// their MD5 as ETag.
fn confirm(api: &Api, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let headers = attempts(control, |_| head(api, to, control))?;
    let found = content_length(&headers);
    if found == Some(source.size()) {
        return Ok(());
    }
    let detail = format!(
        "the store does not keep the bytes of a key that ends with a slash: it has {} of {}",
        found.map_or("no length".to_owned(), |found| found.to_string()),
        source.size(),
    );
    Err(Error::new(ErrorKind::Unverified, detail))
}

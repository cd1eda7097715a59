//! An object that is sent in one request.

use http::{HeaderName, Method};

use super::{
    api::{Api, Call},
    digest::{Digests, check_etag},
    document::LIMIT,
};
use crate::{control::Control, error::Error, http::Payload, object::ObjectPath, retry::attempts, source::Source};

/// Stores a file.
pub(super) fn store(api: &Api, source: &Source, to: &ObjectPath, control: &Control<'_>) -> Result<(), Error> {
    let digests = Digests::of_file(source.file(), 0, source.size(), api.signs_payloads(), control)?;
    attempts(control, |_| {
        source.check_unchanged()?;
        let call = Call {
            headers: vec![(HeaderName::from_static("content-md5"), digests.content_md5())],
            payload: Payload::Whole(source.clone()),
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
    source.check_unchanged()
}

//! The requests that WebDAV is made of, each sent once.

use std::sync::Arc;

use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{auth::Auth, multistatus::Multistatus};
use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, FilePart, Payload},
    provider::web::{Address, Answer, Credential, FilePath, FileRequest, FileServer, Sites},
    source::Source,
};

const DEPTH: HeaderName = HeaderName::from_static("depth");
const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

/// The one property that is asked for.
const RESOURCE_TYPE: &str =
    r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>"#;

/// The result of a rename.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It was done.
    Done,
    /// There is something under the new name, which was not to be overwritten.
    Exists,
    /// The server does not rename. The status says how it put that.
    Unsupported(StatusCode),
}

/// The requests to one server.
#[derive(Debug)]
pub(crate) struct Verbs {
    sites: Sites,
    endpoint: Endpoint,
    auth: Auth,
}

impl Verbs {
    /// The requests to the server at `endpoint`.
    pub(crate) fn new(sites: Sites, endpoint: Endpoint, auth: Auth) -> Self {
        Self { sites, endpoint, auth }
    }

    /// The clients.
    pub(crate) fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The address of an escaped path.
    pub(crate) fn address(&self, encoded: &str) -> Address {
        Address::below(&self.endpoint, encoded)
    }

    /// The credentials as they are now.
    pub(crate) fn credential(&self) -> Result<Option<Credential>, Error> {
        Ok(self.auth.header()?.map(|value| (AUTHORIZATION, value)))
    }

    fn call(&self, method: Method, encoded: &str) -> Result<FileRequest, Error> {
        Ok(FileRequest::new(method, self.address(encoded), self.credential()?))
    }

    /// Renames a file.
    pub(crate) fn rename(
        &self,
        from: &FilePath,
        to: &FilePath,
        overwrite: bool,
        control: &Control<'_>,
    ) -> Result<Moved, Error> {
        let mut call = self.call(move_to(), &from.encoded())?;
        let destination = HeaderValue::try_from(self.address(&to.encoded()).url())
            .map_err(|_| Error::new(ErrorKind::Rejected, "the address cannot be sent"))?;
        call.headers.insert(DESTINATION, destination);
        call.headers.insert(OVERWRITE, HeaderValue::from_static(if overwrite { "T" } else { "F" }));
        let answer = self.sites.exchange(&call, control)?;
        match answer.status {
            StatusCode::PRECONDITION_FAILED if !overwrite => Ok(Moved::Exists),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(Moved::Unsupported(answer.status)),
            _ => whole(answer, "MOVE").map(|_| Moved::Done),
        }
    }

    /// Whether there is a folder; `None` if there is nothing.
    pub(crate) fn is_folder(&self, encoded: &str, control: &Control<'_>) -> Result<Option<bool>, Error> {
        let mut call = self.call(propfind(), encoded)?;
        call.headers.insert(DEPTH, HeaderValue::from_static("0"));
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
        call.payload = Payload::Bytes(RESOURCE_TYPE.into());
        let answer = self.sites.exchange(&call, control)?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            // The address of a folder, with a slash at its end.
            StatusCode::MOVED_PERMANENTLY if !encoded.ends_with('/') => return Ok(Some(true)),
            _ => {}
        }
        match Multistatus::parse(&answer.body).filter(|_| answer.status == StatusCode::MULTI_STATUS) {
            Some(found) => Ok(Some(found.is_folder)),
            None if answer.status.is_success() => {
                let detail = format!("{}: PROPFIND gave no answer of WebDAV", call.address.url());
                Err(Error::new(ErrorKind::Unreachable, detail))
            }
            None => Err(answer.failure("PROPFIND")),
        }
    }
}

impl FileServer for Verbs {
    fn put(&self, to: &FilePath, source: &Source, control: &Control<'_>) -> Result<(), Error> {
        let mut call = self.call(Method::PUT, &to.encoded())?;
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.payload = Payload::File(FilePart { file: Arc::clone(source.file()), offset: 0, length: source.size() });
        self.sites.exchange(&call, control)?.succeeded("PUT").map(drop)
    }

    fn delete(&self, file: &FilePath, control: &Control<'_>) -> Result<bool, Error> {
        let answer = self.sites.exchange(&self.call(Method::DELETE, &file.encoded())?, control)?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            _ => whole(answer, "DELETE").map(|_| true),
        }
    }

    fn make_folder(&self, encoded: &str, control: &Control<'_>) -> Result<(), Error> {
        // With a slash, since servers redirect a folder's address without one.
        let answer = self.sites.exchange(&self.call(mkcol(), &format!("{encoded}/"))?, control)?;
        match answer.status {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::MOVED_PERMANENTLY => Ok(()),
            _ => whole(answer, "MKCOL").map(drop),
        }
    }

    fn size(&self, file: &FilePath, control: &Control<'_>) -> Result<Option<u64>, Error> {
        let answer = self.sites.exchange(&self.call(Method::HEAD, &file.encoded())?, control)?;
        let size = answer.header(CONTENT_LENGTH).and_then(|size| size.parse().ok());
        match answer.status {
            // It may not be allowed to be read, though it may be written.
            StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => answer.succeeded("HEAD").map(|_| size),
        }
    }
}

/// Fails unless all of it was done: 207 tells of the parts that were not.
fn whole(answer: Answer, action: &str) -> Result<Answer, Error> {
    let failure = Multistatus::parse(&answer.body).filter(|_| answer.status == StatusCode::MULTI_STATUS);
    match failure.and_then(|found| found.failure) {
        Some(status) => Err(Answer { status, ..answer }.failure(action)),
        None => answer.succeeded(action),
    }
}

fn mkcol() -> Method {
    Method::from_bytes(b"MKCOL").unwrap_or_default()
}

fn move_to() -> Method {
    Method::from_bytes(b"MOVE").unwrap_or_default()
}

fn propfind() -> Method {
    Method::from_bytes(b"PROPFIND").unwrap_or_default()
}

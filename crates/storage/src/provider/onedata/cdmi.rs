//! The requests to a Oneprovider, each sent once.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, header::CONTENT_TYPE};
use serde::Deserialize;

use crate::{
    control::Control,
    error::{Error, ErrorKind},
    http::{Endpoint, FilePart, Payload},
    provider::web::{Address, Answer, Credential, FilePath, FileRequest, FileServer, Sites, encoded},
    secret::Secret,
    source::Source,
};

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-cdmi-specification-version"), HeaderValue::from_static("1.1.1"));
const OBJECT: HeaderValue = HeaderValue::from_static("application/cdmi-object");
const CONTAINER: HeaderValue = HeaderValue::from_static("application/cdmi-container");

/// The kind of something in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// The requests to one Oneprovider.
#[derive(Debug)]
pub(crate) struct Cdmi {
    sites: Sites,
    endpoint: Endpoint,
    token: Secret,
}

/// The fields of a document that are read.
#[derive(Deserialize)]
struct Described {
    #[serde(rename = "objectType")]
    object_type: Option<String>,
    metadata: Option<CdmiMetadata>,
}

#[derive(Deserialize)]
struct CdmiMetadata {
    cdmi_size: Option<String>,
}

/// The document of a failure.
#[derive(Deserialize)]
struct FailedRequest {
    error: CdmiFailure,
}

#[derive(Deserialize)]
struct CdmiFailure {
    id: String,
    description: Option<String>,
    details: Option<CdmiDetails>,
}

#[derive(Deserialize)]
struct CdmiDetails {
    errno: Option<String>,
}

impl Cdmi {
    /// The requests to the Oneprovider at `endpoint`.
    pub(crate) fn new(sites: Sites, endpoint: Endpoint, token: Secret) -> Self {
        Self { sites, endpoint, token }
    }

    /// The clients.
    pub(crate) fn sites(&self) -> &Sites {
        &self.sites
    }

    /// The address of an escaped path, which begins with the space.
    pub(crate) fn address(&self, encoded: &str) -> Address {
        Address::below(&self.endpoint, &format!("/cdmi{encoded}"))
    }

    /// The token as it is now.
    pub(crate) fn credential(&self) -> Result<Option<Credential>, Error> {
        let wrong = |detail: String| Error::new(ErrorKind::Credentials, detail);
        let token = self.token.read().map_err(|error| wrong(error.to_string()))?;
        if token.is_empty() {
            return Err(wrong("the token is empty".to_owned()));
        }
        let mut token = HeaderValue::try_from(token)
            .map_err(|_| wrong("the token contains a character that cannot be sent".to_owned()))?;
        token.set_sensitive(true);
        Ok(Some((TOKEN, token)))
    }

    fn plain(&self, method: Method, encoded: &str) -> Result<FileRequest, Error> {
        Ok(FileRequest::new(method, self.address(encoded), self.credential()?))
    }

    /// A request for or with a document.
    fn cdmi(&self, method: Method, encoded: &str, media: Option<HeaderValue>) -> Result<FileRequest, Error> {
        let mut call = self.plain(method, encoded)?;
        let (name, value) = VERSION;
        call.headers.insert(name, value);
        if let Some(media) = media {
            call.headers.insert(CONTENT_TYPE, media);
        }
        Ok(call)
    }

    /// Asks for a part of the description of something. `None` if there is nothing.
    fn describe(&self, encoded: &str, part: &str, control: &Control<'_>) -> Result<Option<Described>, Error> {
        let answer = self.sites.exchange(&self.cdmi(Method::GET, &format!("{encoded}?{part}"), None)?, control)?;
        match succeeded(answer, "GET") {
            Ok(answer) => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|error| Error::new(ErrorKind::Unreachable, format!("GET gave no document of CDMI: {error}"))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The kind of what is there. `None` if there is nothing.
    pub(crate) fn find(&self, path: &FilePath, control: &Control<'_>) -> Result<Option<Found>, Error> {
        // The address of a folder without a slash is redirected to the one with it.
        let described = self.describe(&path.encoded(), "objectType", control)?;
        Ok(described.map(|described| match described.object_type.as_deref() {
            Some("application/cdmi-container") => Found::Folder,
            _ => Found::File,
        }))
    }

    /// Whether there is a folder.
    pub(crate) fn has_folder(&self, path: &str, control: &Control<'_>) -> Result<bool, Error> {
        Ok(self.describe(&format!("{}/", encoded(path)), "objectType", control)?.is_some())
    }

    /// Moves a file to a name that no other file has.
    pub(crate) fn rename(&self, from: &FilePath, to: &FilePath, control: &Control<'_>) -> Result<(), Error> {
        let mut call = self.cdmi(Method::PUT, &to.encoded(), Some(OBJECT))?;
        // The path in a document is not escaped.
        let document = serde_json::json!({ "move": format!("/{from}") });
        call.payload = Payload::Bytes(document.to_string().into());
        succeeded(self.sites.exchange(&call, control)?, "the move").map(drop)
    }
}

impl FileServer for Cdmi {
    fn put(&self, to: &FilePath, source: &Source, control: &Control<'_>) -> Result<(), Error> {
        let mut call = self.plain(Method::PUT, &to.encoded())?;
        call.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        call.payload = Payload::File(FilePart { file: Arc::clone(source.file()), offset: 0, length: source.size() });
        succeeded(self.sites.exchange(&call, control)?, "PUT").map(drop)
    }

    fn delete(&self, file: &FilePath, control: &Control<'_>) -> Result<bool, Error> {
        let answer = self.sites.exchange(&self.plain(Method::DELETE, &file.encoded())?, control)?;
        match succeeded(answer, "DELETE") {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self, encoded: &str, control: &Control<'_>) -> Result<(), Error> {
        let folder = format!("{encoded}/");
        let is_there = || self.describe(&folder, "objectType", control).map(|found| found.is_some());
        if is_there()? {
            return Ok(());
        }
        let call = self.cdmi(Method::PUT, &folder, Some(CONTAINER))?;
        match succeeded(self.sites.exchange(&call, control)?, "PUT of the folder") {
            Ok(_) => Ok(()),
            // Another upload may have made it meanwhile.
            Err(error) => {
                if is_there()? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
        }
    }

    fn size(&self, file: &FilePath, control: &Control<'_>) -> Result<Option<u64>, Error> {
        let described = self.describe(&file.encoded(), "metadata:cdmi_size", control)?;
        let described = described.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such file"))?;
        Ok(described.metadata.and_then(|metadata| metadata.cdmi_size).and_then(|size| size.parse().ok()))
    }
}

/// Fails unless the status is one of success. A failure of the file system is 400 with the name of its errno.
fn succeeded(answer: Answer, action: &str) -> Result<Answer, Error> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let error = answer.failure(action);
    let Ok(FailedRequest { error: failure }) = serde_json::from_slice(&answer.body) else { return Err(error) };
    let kind = match failure.details.and_then(|details| details.errno).as_deref() {
        Some("enoent") => ErrorKind::NotFound,
        Some("eacces" | "eperm" | "erofs") => ErrorKind::Denied,
        Some("enospc" | "edquot" | "eexist" | "eisdir" | "enotdir" | "enametoolong" | "einval") => ErrorKind::Rejected,
        _ => error.kind,
    };
    let words = failure.description.filter(|_| failure.id != "internalServerError").unwrap_or(failure.id);
    Err(Error { kind, detail: format!("{}: {words}", error.detail), ..error })
}

//! The requests to the catalogue.

use std::{collections::HashMap, sync::Arc};

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    checksum::Checksums,
    did::Did,
    failure::RucioFailure,
    token::{Tokens, credential},
};
use crate::{
    control::Control,
    error::{Again, Error, ErrorKind},
    http::{Endpoint, Payload},
    provider::web::{Address, Answer, FileRequest, Sites, encoded},
    retry::attempts,
};

/// Bytes of a list, at most. It is kept while the files of a dataset are fetched.
const LIST: usize = 64 * 1024 * 1024;

/// Bytes of a failure that are read.
const FAILURE: usize = 64 * 1024;

/// The schemes of addresses that can be fetched.
pub(crate) const SCHEMES: [&str; 4] = ["https", "davs", "http", "dav"];

/// The facts of a data identifier.
#[derive(Debug, Deserialize)]
pub(crate) struct Known {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) adler32: Option<String>,
    pub(crate) md5: Option<String>,
}

/// A file, and the addresses of its content.
#[derive(Debug, Deserialize)]
pub(crate) struct Replicated {
    pub(crate) scope: String,
    pub(crate) name: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) adler32: Option<String>,
    pub(crate) md5: Option<String>,
    #[serde(default)]
    pfns: HashMap<String, ReplicaPlace>,
}

#[derive(Debug, Deserialize)]
struct ReplicaPlace {
    rse: String,
    priority: Option<i64>,
}

/// A storage element.
#[derive(Debug, Deserialize)]
pub(crate) struct StorageElement {
    pub(crate) rse: String,
    #[serde(default = "yes")]
    pub(crate) availability_write: bool,
    #[serde(default = "yes")]
    pub(crate) deterministic: bool,
    #[serde(default)]
    protocols: Vec<Protocol>,
}

#[derive(Debug, Deserialize)]
struct Protocol {
    scheme: String,
    #[serde(default)]
    domains: HashMap<String, HashMap<String, Option<i64>>>,
}

fn yes() -> bool {
    true
}

/// The catalogue of one server.
#[derive(Debug)]
pub(crate) struct Catalogue {
    sites: Arc<Sites>,
    host: Endpoint,
    tokens: Tokens,
}

impl Replicated {
    pub(crate) fn did(&self) -> Did {
        Did::new(&self.scope, &self.name)
    }

    /// The addresses of its content, the best one first.
    pub(crate) fn addresses(&self) -> Vec<&str> {
        let mut places: Vec<(&String, &ReplicaPlace)> = self.pfns.iter().collect();
        places.sort_by_key(|(pfn, place)| (place.priority.unwrap_or(i64::MAX), pfn.as_str()));
        places.into_iter().map(|(pfn, _)| pfn.as_str()).collect()
    }

    /// Whether a storage element has it.
    pub(crate) fn is_on(&self, rse: &str) -> bool {
        self.pfns.values().any(|place| place.rse == rse)
    }
}

impl StorageElement {
    /// The best scheme for writing that can be used. A smaller number is a better one, 0 and none say that it cannot.
    pub(crate) fn scheme(&self) -> Option<&str> {
        let rank = |protocol: &&Protocol| {
            let number = protocol.domains.get("wan").and_then(|wan| wan.get("write").copied().flatten());
            number.filter(|number| *number > 0 && SCHEMES.contains(&protocol.scheme.as_str()))
        };
        let usable = self.protocols.iter().filter(|protocol| rank(protocol).is_some());
        usable.min_by_key(rank).map(|protocol| protocol.scheme.as_str())
    }
}

impl Catalogue {
    pub(crate) fn new(sites: Arc<Sites>, host: Endpoint, tokens: Tokens) -> Self {
        Self { sites, host, tokens }
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The facts of an identifier. `None` if it is not given.
    pub(crate) fn known(&self, did: &Did, control: &Control<'_>) -> Result<Option<Known>, Error> {
        match self.send(&Method::GET, &format!("/dids{}", did.encoded()), None, control) {
            Ok(answer) => parsed(&answer).map(Some),
            Err(failure) if failure.is("DataIdentifierNotFound") => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// The files of an identifier, with the addresses of their content.
    pub(crate) fn replicas(&self, did: &Did, control: &Control<'_>) -> Result<Vec<Replicated>, Error> {
        let document = json!({ "dids": [did.document()], "schemes": SCHEMES });
        let answer = self.send(&Method::POST, "/replicas/list", Some(&document), control)?;
        lines(&answer)
    }

    /// The storage elements.
    pub(crate) fn storage_elements(&self, control: &Control<'_>) -> Result<Vec<StorageElement>, Error> {
        lines(&self.send(&Method::GET, "/rses/", None, control)?)
    }

    /// A storage element.
    pub(crate) fn storage_element(&self, rse: &str, control: &Control<'_>) -> Result<StorageElement, Error> {
        parsed(&self.send(&Method::GET, &format!("/rses{}", encoded(rse)), None, control)?)
    }

    /// The scopes of an account.
    pub(crate) fn scopes(&self, account: &str, control: &Control<'_>) -> Result<Vec<String>, Error> {
        parsed(&self.send(&Method::GET, &format!("/accounts{}/scopes/", encoded(account)), None, control)?)
    }

    /// Whether there is a scope.
    pub(crate) fn has_scope(&self, scope: &str, control: &Control<'_>) -> Result<bool, Error> {
        let all: Vec<String> = parsed(&self.send(&Method::GET, "/scopes/", None, control)?)?;
        Ok(all.iter().any(|other| other == scope))
    }

    /// The address that a file has on a storage element.
    pub(crate) fn address(&self, did: &Did, rse: &str, scheme: &str, control: &Control<'_>) -> Result<Address, Error> {
        let lfn = encoded(&did.to_string());
        let path = format!(
            "/rses{}/lfns2pfns?lfn={}&operation=write&domain=wan&scheme={scheme}",
            encoded(rse),
            lfn.trim_start_matches('/')
        );
        let pfns: HashMap<String, String> = parsed(&self.send(&Method::GET, &path, None, control)?)?;
        let pfn = pfns.get(&did.to_string());
        Address::parse(pfn.ok_or_else(|| Error::new(ErrorKind::Rejected, format!("{rse} has no address for {did}")))?)
    }

    /// Registers a file that lies on a storage element.
    pub(crate) fn register(
        &self,
        did: &Did,
        sums: &Checksums,
        rse: &str,
        control: &Control<'_>,
    ) -> Result<(), RucioFailure> {
        let Checksums { bytes, adler32, md5 } = sums;
        let Did { scope, name } = did;
        let file = json!({
            "scope": scope, "name": name, "bytes": bytes, "adler32": adler32, "md5": md5, "state": "A",
        });
        let document = json!({ "rse": rse, "files": [file], "ignore_availability": true });
        self.send(&Method::POST, "/replicas/", Some(&document), control).map(drop)
    }

    /// Has a storage element keep a file; otherwise it may be removed.
    pub(crate) fn keep(&self, did: &Did, account: &str, rse: &str, control: &Control<'_>) -> Result<(), Error> {
        let document = json!({
            "dids": [did.document()], "account": account, "copies": 1, "rse_expression": rse, "grouping": "DATASET",
            "locked": false,
        });
        unless("DuplicateRule", self.send(&Method::POST, "/rules/", Some(&document), control))
    }

    /// Attaches a file to a dataset.
    pub(crate) fn attach(&self, did: &Did, dataset: &Did, control: &Control<'_>) -> Result<(), Error> {
        let document = json!({ "dids": [did.document()] });
        let path = format!("/dids{}/dids", dataset.encoded());
        unless("FileAlreadyExists", self.send(&Method::POST, &path, Some(&document), control))
    }

    /// Sends a request, again if it may pass. A token that is good no more is renewed once.
    fn send(
        &self,
        method: &Method,
        path: &str,
        document: Option<&Value>,
        control: &Control<'_>,
    ) -> Result<Answer, RucioFailure> {
        match self.attempts(method, path, document, control) {
            Err(failure) if failure.error.kind == ErrorKind::Credentials && self.tokens.forget() => {
                self.attempts(method, path, document, control)
            }
            result => result,
        }
    }

    fn attempts(
        &self,
        method: &Method,
        path: &str,
        document: Option<&Value>,
        control: &Control<'_>,
    ) -> Result<Answer, RucioFailure> {
        let mut class = None;
        let sent = attempts(control, |_| {
            self.send_once(method, path, document, control).map_err(|failure| {
                class = failure.class;
                failure.error
            })
        });
        sent.map_err(|error| RucioFailure { class, error })
    }

    fn send_once(
        &self,
        method: &Method,
        path: &str,
        document: Option<&Value>,
        control: &Control<'_>,
    ) -> Result<Answer, RucioFailure> {
        let token = credential(&self.tokens.token(control)?)?;
        let mut request = FileRequest::new(method.clone(), Address::below(&self.host, path), Some(token));
        if let Some(document) = document {
            request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.payload = Payload::Bytes(document.to_string().into());
        }
        let answer = self.sites.send(&request, control, |mut response| {
            let limit = if response.status.is_success() { LIST } else { FAILURE };
            let body = response.read(limit, control)?;
            Ok(Answer { status: response.status, headers: std::mem::take(&mut response.headers), body })
        })?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let name = path.split('?').next().unwrap_or_default();
        Err(RucioFailure::of(&answer, &format!("{method} {name}")))
    }
}

fn unless(class: &str, result: Result<Answer, RucioFailure>) -> Result<(), Error> {
    match result {
        Err(failure) if failure.is(class) => Ok(()),
        other => other.map(drop).map_err(Error::from),
    }
}

fn parsed<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))
}

/// A document in each line.
fn lines<T: DeserializeOwned>(answer: &Answer) -> Result<Vec<T>, Error> {
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|error| unreadable(&error))).collect()
}

fn unreadable(error: &serde_json::Error) -> Error {
    let detail = format!("the server gave no document of Rucio: {error}");
    Error { again: Again::Never, ..Error::new(ErrorKind::Unreachable, detail) }
}

//! The failures of Rucio, which have names.

use http::HeaderName;
use serde::Deserialize;

use crate::{
    error::{Again, Error, ErrorKind},
    provider::web::Answer,
};

const CLASS: HeaderName = HeaderName::from_static("exceptionclass");

/// Characters of a message that are shown, at most: some hold a whole schema.
const WORDS: usize = 300;

#[derive(Deserialize)]
struct FailureDocument {
    #[serde(rename = "ExceptionClass")]
    class: String,
    #[serde(rename = "ExceptionMessage")]
    message: Option<String>,
}

/// A failed request, and the name that Rucio gives the failure.
#[derive(Debug)]
pub(crate) struct RucioFailure {
    pub(crate) class: Option<String>,
    pub(crate) error: Error,
}

impl RucioFailure {
    /// Reads an answer that is no success.
    pub(crate) fn of(answer: &Answer, action: &str) -> Self {
        let error = answer.failure(action);
        let document: Option<FailureDocument> = serde_json::from_slice(&answer.body).ok();
        let class = answer.header(CLASS).map(str::to_owned);
        let class = class.or_else(|| document.as_ref().map(|document| document.class.clone()));
        let Some(name) = class.as_deref() else { return Self { class, error } };
        let message = document.and_then(|document| document.message).unwrap_or_default();
        let words = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().take(WORDS).collect();
        let detail = format!("{action} gave {} {name}: {words}", answer.status.as_u16());
        // A failure with a name is the same at each attempt, also if its status is 500.
        let again = match name {
            "ResourceTemporaryUnavailable" | "DatabaseException" | "ServerConnectionException" => Again::Later,
            _ => Again::Never,
        };
        Self { error: Error { kind: kind(name, error.kind), detail, again, at: None }, class }
    }

    /// Whether Rucio gives it this name.
    pub(crate) fn is(&self, class: &str) -> bool {
        self.class.as_deref() == Some(class)
    }
}

impl From<Error> for RucioFailure {
    fn from(error: Error) -> Self {
        Self { class: None, error }
    }
}

impl From<RucioFailure> for Error {
    fn from(failure: RucioFailure) -> Self {
        failure.error
    }
}

fn kind(class: &str, otherwise: ErrorKind) -> ErrorKind {
    match class {
        "DataIdentifierNotFound" | "ReplicaNotFound" => ErrorKind::NotFound,
        "ScopeNotFound" | "RSENotFound" => ErrorKind::NoBucket,
        "AccessDenied" | "ScopeAccessDenied" => ErrorKind::Denied,
        "CannotAuthenticate" | "CannotAuthorize" | "AccountNotFound" | "IdentityError" | "IdentityNotFound" => {
            ErrorKind::Credentials
        }
        "ResourceTemporaryUnavailable" | "DatabaseException" | "ServerConnectionException" => ErrorKind::Unreachable,
        _ if matches!(otherwise, ErrorKind::Credentials | ErrorKind::Denied) => otherwise,
        _ => ErrorKind::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn failure(status: u16, body: &str) -> RucioFailure {
        let status = StatusCode::from_u16(status).expect("a status");
        RucioFailure::of(&Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }, "GET")
    }

    #[test]
    fn a_failure_with_a_name_is_final_and_one_without_may_pass() {
        for (status, class, kind) in [
            (500, "InvalidObject", ErrorKind::Rejected),
            (404, "DataIdentifierNotFound", ErrorKind::NotFound),
            (404, "ScopeNotFound", ErrorKind::NoBucket),
            (401, "AccessDenied", ErrorKind::Denied),
            (401, "CannotAuthenticate", ErrorKind::Credentials),
            (409, "DataIdentifierAlreadyExists", ErrorKind::Rejected),
        ] {
            let body = format!(r#"{{"ExceptionClass":"{class}","ExceptionMessage":"the\n  reason"}}"#);
            let failure = failure(status, &body);
            assert_eq!((failure.error.kind, failure.error.again), (kind, Again::Never), "{class}");
            assert_eq!(failure.error.detail, format!("GET gave {status} {class}: the reason"));
            assert!(failure.is(class));
        }
        let passing = failure(500, "<html>");
        assert_eq!((passing.error.kind, passing.error.again), (ErrorKind::Unreachable, Again::Later));
    }
}

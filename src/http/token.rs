//! The token that callers must show, compared in constant time.

use std::{fs, os::unix::fs::MetadataExt as _, path::PathBuf, sync::Mutex, time::SystemTime};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use subtle::ConstantTimeEq as _;

use crate::{config::Token, request::X_BANDOG_TOKEN};

/// Checks what callers show.
#[derive(Debug)]
pub(super) enum Guard {
    /// No token is asked for.
    Open,
    /// This one.
    Value(Secret),
    /// The one in a file, read again when the file changes.
    File {
        /// Where it is.
        path: PathBuf,
        /// What it held when it was read last.
        read: Mutex<Option<(Stamp, Secret)>>,
    },
}

/// A token that is never printed.
#[derive(Clone)]
pub(super) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Tells one state of a file from the next. A mounted Kubernetes secret changes by a link to another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    device: u64,
    size: u64,
    modified: Option<SystemTime>,
}

impl Guard {
    pub(super) fn new(token: Option<&Token>) -> Self {
        match token {
            None => Self::Open,
            Some(Token::Value(value)) => Self::Value(Secret(value.clone())),
            Some(Token::File(path)) => Self::File { path: path.clone(), read: Mutex::new(None) },
        }
    }

    /// Whether the request shows the token.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Open => true,
            Self::Value(secret) => shows(headers, secret),
            Self::File { path, read } => {
                let mut last = read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match (current(path, last.as_ref()), last.as_ref()) {
                    (Ok(Some(fresh)), _) => *last = Some(fresh),
                    (Ok(None), _) => {}
                    // Between two writes a file may be missing for an instant: the last one read goes on counting.
                    (Err(error), Some(_)) => {
                        tracing::warn!("cannot read the token file {}: {error}; the last token counts", path.display());
                    }
                    (Err(error), None) => {
                        tracing::error!("cannot read the token file {}: {error}; nobody is let in", path.display());
                    }
                }
                last.as_ref().is_some_and(|(_, secret)| shows(headers, secret))
            }
        }
    }
}

/// What the file holds, if that is not `last` any more.
fn current(path: &PathBuf, last: Option<&(Stamp, Secret)>) -> std::io::Result<Option<(Stamp, Secret)>> {
    let metadata = fs::metadata(path)?;
    let stamp = Stamp {
        inode: metadata.ino(),
        device: metadata.dev(),
        size: metadata.len(),
        modified: metadata.modified().ok(),
    };
    if last.is_some_and(|(known, _)| *known == stamp) {
        return Ok(None);
    }
    let text = fs::read_to_string(path)?;
    match text.trim() {
        "" => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is empty")),
        token => Ok(Some((stamp, Secret(token.to_owned())))),
    }
}

fn shows(headers: &HeaderMap, secret: &Secret) -> bool {
    let shown = [bearer(headers), headers.get(X_BANDOG_TOKEN).map(HeaderValue::as_bytes)];
    // Both are always compared, so that the time does not tell which one was right.
    shown.into_iter().flatten().fold(false, |found, token| bool::from(token.ct_eq(secret.0.as_bytes())) | found)
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1; the scheme's name in any case, RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("value"));
        headers
    }

    #[test]
    fn both_headers_are_taken_and_nothing_else_is() {
        let guard = Guard::new(Some(&Token::Value("s3cret".to_owned())));
        assert!(guard.admits(&headers("authorization", "Bearer s3cret")));
        assert!(guard.admits(&headers("authorization", "bearer  s3cret")));
        assert!(guard.admits(&headers("x-bandog-token", "s3cret")));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""] {
            assert!(!guard.admits(&headers("authorization", wrong)), "{wrong:?}");
        }
        assert!(!guard.admits(&HeaderMap::new()));
    }

    #[test]
    fn a_changed_token_file_counts_from_the_next_request() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("token");
        fs::write(&path, "one\n").expect("write");
        let guard = Guard::new(Some(&Token::File(path.clone())));
        assert!(guard.admits(&headers("authorization", "Bearer one")));
        fs::write(&path, "another\n").expect("write");
        assert!(!guard.admits(&headers("authorization", "Bearer one")));
        assert!(guard.admits(&headers("authorization", "Bearer another")));
        fs::remove_file(&path).expect("remove");
        assert!(guard.admits(&headers("authorization", "Bearer another")), "the last one read goes on counting");
    }

    #[test]
    fn the_token_is_never_printed() {
        let guard = Guard::new(Some(&Token::Value("s3cret".to_owned())));
        assert!(!format!("{guard:?}").contains("s3cret"));
    }
}

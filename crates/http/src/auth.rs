//! Authentication: the token that callers must show, compared in constant time, or a token of an OpenID provider (`jwt`).

mod jwt;

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use subtle::ConstantTimeEq as _;

use self::jwt::Jwt;
use super::settings::{AuthSettings, TokenSource};
use crate::{
    reply::{ErrorCode, Problem},
    request::X_BANDOG_TOKEN,
};

/// How callers authenticate.
#[derive(Debug)]
pub(super) struct Auth {
    token: TokenCheck,
    jwt: Option<Arc<Jwt>>,
}

impl Auth {
    /// Fetches the keys of the provider, if there is one.
    ///
    /// # Errors
    /// They cannot be had.
    pub(super) async fn new(settings: &AuthSettings) -> io::Result<Self> {
        let jwt = match &settings.jwt {
            None => None,
            Some(settings) => Some(Arc::new(Jwt::new(settings).await.map_err(io::Error::other)?)),
        };
        Ok(Self { token: TokenCheck::new(settings.token.as_ref()), jwt })
    }

    /// Whether the caller may call.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.token.admits(headers) {
            return Err(unauthorized());
        }
        match &self.jwt {
            Some(jwt) => jwt.admit(headers).await,
            None => Ok(()),
        }
    }
}

fn unauthorized() -> Problem {
    Problem::new(
        ErrorCode::Unauthorized,
        "show the token: \"Authorization: Bearer TOKEN\" or, behind a proxy that takes that, \"X-Bandog-Token: TOKEN\"",
    )
    .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Checks the token that callers show.
#[derive(Debug)]
enum TokenCheck {
    /// No token is asked for.
    Open,
    /// This one.
    Value(Secret),
    /// The one in a file, read again when the file changes.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its content when it was last read.
        read: Mutex<TokenFile>,
    },
}

/// The last known state of a token file.
#[derive(Debug, Default)]
struct TokenFile {
    /// The last token that was one.
    last: Option<(Stamp, Secret)>,
    /// Why there has been none since; said once, not for every request.
    trouble: Option<String>,
}

/// Bytes of a token file; a longer one is not a token.
const LIMIT: u64 = 8 * 1024;

/// A token that is never printed.
#[derive(Clone)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Tells one state of a file from the next. A mounted Kubernetes secret changes by a link to another inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    device: u64,
    size: u64,
    modified: Option<SystemTime>,
    /// Seconds and nanoseconds of the last change of the file or its metadata (`st_ctime`), which cannot be set back.
    changed: (i64, i64),
}

impl TokenCheck {
    fn new(token: Option<&TokenSource>) -> Self {
        match token {
            None => Self::Open,
            Some(TokenSource::Value(value)) => Self::Value(Secret(value.clone())),
            Some(TokenSource::File(path)) => Self::File { path: path.clone(), read: Mutex::default() },
        }
    }

    /// Whether the request shows the token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        match self {
            Self::Open => true,
            Self::Value(secret) => shows(headers, secret),
            Self::File { path, read } => {
                let mut read = read.lock().unwrap_or_else(PoisonError::into_inner);
                read.refresh(path);
                read.last.as_ref().is_some_and(|(_, secret)| shows(headers, secret))
            }
        }
    }
}

impl TokenFile {
    /// Reads the file if it has changed. While it holds no token (between two writes it may be empty, or missing) the
    /// last one stays valid: a slip must not lock all callers out, and an empty file must not let any caller in.
    fn refresh(&mut self, path: &Path) {
        match current(path, self.last.as_ref()) {
            Ok(fresh) => {
                self.last = fresh.or(self.last.take());
                self.trouble = None;
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.trouble.as_ref() == Some(&trouble) {
                    return;
                }
                let path = path.display();
                if self.last.is_some() {
                    tracing::warn!("cannot read the token file {path}: {trouble}; the last token counts");
                } else {
                    tracing::error!(
                        "cannot read the token file {path}: {trouble}; every request is refused until it can be read"
                    );
                }
                self.trouble = Some(trouble);
            }
        }
    }
}

/// The content of the file, if it differs from `last`.
fn current(path: &Path, last: Option<&(Stamp, Secret)>) -> io::Result<Option<(Stamp, Secret)>> {
    let stamp = Stamp::of(&fs::metadata(path)?);
    if last.is_some_and(|(known, _)| *known == stamp) {
        return Ok(None);
    }
    let nonsense = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    // A FIFO in its place must not hold the network thread.
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new().read(true).custom_flags(nonblock).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return nonsense("it is not a file");
    }
    let mut text = String::new();
    file.take(LIMIT + 1).read_to_string(&mut text)?;
    match text.trim_ascii() {
        "" => nonsense("it is empty"),
        _ if text.len() as u64 > LIMIT => nonsense("it is too long for a token"),
        token if !token.bytes().all(|byte| byte.is_ascii_graphic()) => nonsense("no header can carry what it holds"),
        token => Ok(Some((Stamp::of(&metadata), Secret(token.to_owned())))),
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            device: metadata.dev(),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn shows(headers: &HeaderMap, secret: &Secret) -> bool {
    let shown = [bearer(headers), headers.get(X_BANDOG_TOKEN).map(HeaderValue::as_bytes)];
    // Both are always compared, so that the time does not tell which one was right.
    shown.into_iter().flatten().fold(false, |found, token| bool::from(token.ct_eq(secret.0.as_bytes())) | found)
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1; the scheme's name in any case, RFC 9110 §11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("value"));
        headers
    }

    #[test]
    fn both_headers_are_taken_and_nothing_else_is() {
        let guard = TokenCheck::new(Some(&TokenSource::Value("s3cret".to_owned())));
        assert!(guard.admits(&headers("authorization", "Bearer s3cret")));
        assert!(guard.admits(&headers("authorization", "bearer  s3cret")));
        assert!(guard.admits(&headers("x-bandog-token", "s3cret")));
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer ", "Bearer", "Basic s3cret", "s3cret", ""] {
            assert!(!guard.admits(&headers("authorization", wrong)), "{wrong:?}");
        }
        assert!(!guard.admits(&HeaderMap::new()));
    }

    #[test]
    fn each_field_that_the_refusal_names_admits() {
        let guard = TokenCheck::new(Some(&TokenSource::Value("TOKEN".to_owned())));
        let Problem { detail, .. } = unauthorized();
        let fields: Vec<_> = detail.split('"').skip(1).step_by(2).filter_map(|part| part.split_once(": ")).collect();
        assert_eq!(fields.len(), 2, "{detail}");
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            let shown = HeaderMap::from_iter([(name.clone(), value.parse().expect("a value"))]);
            assert!(guard.admits(&shown), "{name}");
        }
    }

    #[test]
    fn a_changed_token_file_counts_from_the_next_request() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("token");
        fs::write(&path, "one\n").expect("write");
        let guard = TokenCheck::new(Some(&TokenSource::File(path.clone())));
        assert!(guard.admits(&headers("authorization", "Bearer one")));
        fs::write(&path, "another\n").expect("write");
        assert!(!guard.admits(&headers("authorization", "Bearer one")));
        assert!(guard.admits(&headers("authorization", "Bearer another")));
        fs::remove_file(&path).expect("remove");
        assert!(guard.admits(&headers("authorization", "Bearer another")), "the last one read goes on counting");
    }

    #[test]
    fn a_token_swapped_by_a_link_counts_as_kubernetes_swaps_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).expect("made");
            fs::write(at(version).join("token"), version).expect("write");
        }
        std::os::unix::fs::symlink("one", at("data")).expect("linked");
        let guard = TokenCheck::new(Some(&TokenSource::File(at("data").join("token"))));
        assert!(guard.admits(&headers("x-bandog-token", "one")));
        std::os::unix::fs::symlink("two", at("next")).expect("linked");
        fs::rename(at("next"), at("data")).expect("swapped");
        assert!(!guard.admits(&headers("x-bandog-token", "one")));
        assert!(guard.admits(&headers("x-bandog-token", "two")));
    }

    #[test]
    fn what_is_no_token_leaves_the_last_one_and_lets_nobody_else_in() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("token");
        fs::write(&path, "one").expect("write");
        let guard = TokenCheck::new(Some(&TokenSource::File(path.clone())));
        let holds = || {
            assert!(guard.admits(&headers("x-bandog-token", "one")));
            assert!(
                !guard.admits(&headers("x-bandog-token", "")) && !guard.admits(&headers("authorization", "Bearer "))
            );
            assert!(!guard.admits(&HeaderMap::new()));
        };
        holds();
        let large = "x".repeat(10_000);
        for text in ["", " \n", "two words", large.as_str()] {
            fs::write(&path, text).expect("write");
            holds();
        }
        fs::remove_file(&path).expect("remove");
        holds();
        // Opening it for reading would wait for a writer.
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a FIFO");
        holds();
    }

    #[test]
    fn the_token_is_never_printed() {
        let guard = TokenCheck::new(Some(&TokenSource::Value("s3cret".to_owned())));
        assert!(!format!("{guard:?}").contains("s3cret"));
    }
}

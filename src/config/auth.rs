//! The callers that are let in: those with a shared token, or with a token of an OpenID provider.

use std::{
    fmt, fs,
    path::{self, Path, PathBuf},
};

use super::{
    reader::{RawValue, Reader, read_bounded},
    setting,
};

/// Bytes of a token file. A longer one is not a token, and no client sends headers of that size.
const MAX_TOKEN: u64 = 8 * 1024;

/// The callers that are let in. At most one of the two is set; without either, all callers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// `--token` or `--token-file`.
    pub token: Option<Token>,
    /// `--jwt-issuer` and `--jwt-function`.
    pub jwt: Option<Jwt>,
}

/// The shared token.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// The token itself.
    Value(String),
    /// A file that contains it, read again when it changes.
    File(PathBuf),
}

impl fmt::Debug for Token {
    /// Never shows the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// The JSON Web Tokens that are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The URL of the provider, without `/.well-known/openid-configuration`.
    pub issuer: String,
    /// The name of this function in permissions: `NAMESPACE:NAME`.
    pub function: String,
    /// Whether the provider and its keys are named in the log.
    pub debug: bool,
}

/// Reads the group; `debugs_jwt` is [`Jwt::debug`].
pub(super) fn read(reader: &mut Reader<'_>, debugs_jwt: bool) -> Option<Auth> {
    let token = read_token(reader);
    let jwt = read_jwt(reader, debugs_jwt);
    Some(Auth { token: token?, jwt: jwt? })
}

/// The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake, no token and a token are three things")]
fn read_token(reader: &mut Reader<'_>) -> Option<Option<Token>> {
    let value = reader.raw_and_noted(&setting::TOKEN);
    let file = reader.raw_and_noted(&setting::TOKEN_FILE);
    match (value, file) {
        (None, None) => Some(None),
        (Some(value), Some(_)) => {
            reader.wrong(&setting::TOKEN, Some(value), "given together with --token-file; keep one of them");
            None
        }
        (Some(value), None) => {
            let token = check_token(value.value.as_encoded_bytes());
            reader.accept(&setting::TOKEN, Some(value), token).map(|token| Some(Token::Value(token)))
        }
        (None, Some(raw)) => {
            let path = path::absolute(&raw.value).map_err(|_| "expected a path".to_owned());
            let path = path.and_then(|path| {
                // It is read again when it changes.
                check_file(&path).map_err(|advice| format!("{advice}, or the token itself in BANDOG_TOKEN"))?;
                check_token(&read_bounded(&path, MAX_TOKEN)?)?;
                Ok(path)
            });
            let path: Result<_, String> = path;
            reader.accept(&setting::TOKEN_FILE, Some(raw), path).map(|path| Some(Token::File(path)))
        }
    }
}

/// Refuses what can be read only once. To open a pipe that has no writer would take for ever, too.
pub(super) fn check_file(path: &Path) -> Result<(), String> {
    let kind = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(());
    }
    Err("is a pipe or a device, as <(…) makes one, which can be read only once; give a file".to_owned())
}

/// The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake, no provider and a provider are three things")]
fn read_jwt(reader: &mut Reader<'_>, debug: bool) -> Option<Option<Jwt>> {
    let issuer = reader.raw_and_noted(&setting::JWT_ISSUER);
    let function = reader.raw_and_noted(&setting::JWT_FUNCTION);
    let (issuer, function) = match (issuer, function) {
        (None, None) => return Some(None),
        (Some(issuer), Some(function)) => (issuer, function),
        (Some(_), None) => {
            reader.wrong(&setting::JWT_FUNCTION, None, format!("{FUNCTION_EXPECTED}; --jwt-issuer needs it"));
            return None;
        }
        (None, Some(function)) => {
            reader.wrong(&setting::JWT_FUNCTION, Some(function), "given without --jwt-issuer, which it needs");
            return None;
        }
    };
    for setting in [&setting::TOKEN, &setting::TOKEN_FILE] {
        if let Some(raw) = reader.raw(setting) {
            let advice = "given together with --jwt-issuer; callers show one token only, so keep one of them";
            reader.wrong(setting, Some(raw), advice);
            return None;
        }
    }
    let text = |raw: &RawValue| raw.value.to_str().map(|text| text.trim_ascii().to_owned());
    let url = text(&issuer).filter(|url| is_web_address(url)).ok_or(ISSUER_EXPECTED);
    let url = reader.accept(&setting::JWT_ISSUER, Some(issuer), url);
    let name = text(&function).filter(|name| is_function_name(name)).ok_or(FUNCTION_EXPECTED);
    let name = reader.accept(&setting::JWT_FUNCTION, Some(function), name);
    Some(Some(Jwt { issuer: url?, function: name?, debug }))
}

const ISSUER_EXPECTED: &str =
    "expected the URL that /.well-known/openid-configuration is below, such as https://id.example.com";

const FUNCTION_EXPECTED: &str = "expected NAMESPACE:NAME, as permissions in tokens name this function";

fn is_web_address(url: &str) -> bool {
    let parsed = url.parse::<http::Uri>().ok();
    parsed.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none())
}

fn is_function_name(name: &str) -> bool {
    name.split_once(':').is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
}

/// A token without the blanks around it, if a header can carry it.
fn check_token(bytes: &[u8]) -> Result<String, String> {
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err("the token is empty; set one, or unset it".to_owned());
    }
    match str::from_utf8(token) {
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
        _ => Err("expected a token of visible ASCII characters without blanks, as a header can carry it".to_owned()),
    }
}

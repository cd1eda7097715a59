//! Who may call: the settings of tokens, shared ones and those of an OpenID provider.

use std::path;

use super::{
    Jwt, Token,
    resolve::{Given, Resolver, read_bounded},
    setting::{self, Setting},
};

/// Bytes of a token file; a longer one is not a token, and no client sends headers of that size.
const MAX_TOKEN: u64 = 8 * 1024;

impl Resolver<'_> {
    /// What was given for a setting without a default, noted.
    fn noted(&mut self, setting: &'static Setting) -> Option<Given> {
        let given = self.given(setting);
        match &given {
            Some(given) => self.note(setting, given.value.to_string_lossy(), given.origin.clone()),
            None => self.note_unset(setting),
        }
        given
    }

    /// The outer `None` is a mistake.
    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    pub(super) fn token(&mut self) -> Option<Option<Token>> {
        let (value, file) = (self.noted(&setting::TOKEN), self.noted(&setting::TOKEN_FILE));
        match (value, file) {
            (None, None) => Some(None),
            (Some(value), Some(_)) => {
                self.wrong(&setting::TOKEN, Some(value), "given together with --token-file; keep one of them");
                None
            }
            (Some(value), None) => match check_token(value.value.as_encoded_bytes()) {
                Ok(token) => Some(Some(Token::Value(token))),
                Err(advice) => {
                    self.wrong(&setting::TOKEN, Some(value), advice);
                    None
                }
            },
            (None, Some(given)) => {
                let path = path::absolute(&given.value).map_err(|_| "expected a path".to_owned());
                let checked = path.and_then(|path| {
                    check_token(&read_bounded(&path, MAX_TOKEN)?)?;
                    Ok(path)
                });
                match checked {
                    Ok(path) => Some(Some(Token::File(path))),
                    Err(advice) => {
                        self.wrong(&setting::TOKEN_FILE, Some(given), advice);
                        None
                    }
                }
            }
        }
    }

    /// The outer `None` is a mistake.
    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    pub(super) fn jwt(&mut self) -> Option<Option<Jwt>> {
        let (issuer, function) = (self.noted(&setting::JWT_ISSUER), self.noted(&setting::JWT_FUNCTION));
        let (issuer, function) = match (issuer, function) {
            (None, None) => return Some(None),
            (Some(issuer), Some(function)) => (issuer, function),
            (Some(_), None) => {
                self.wrong(&setting::JWT_FUNCTION, None, format!("{FUNCTION_EXPECTED}; --jwt-issuer needs it"));
                return None;
            }
            (None, Some(function)) => {
                self.wrong(&setting::JWT_FUNCTION, Some(function), "given without --jwt-issuer, which it belongs to");
                return None;
            }
        };
        for setting in [&setting::TOKEN, &setting::TOKEN_FILE] {
            if let Some(given) = self.given(setting) {
                let advice = "given together with --jwt-issuer; callers show one token only, so keep one of them";
                self.wrong(setting, Some(given), advice);
                return None;
            }
        }
        let text = |given: &Given| given.value.to_str().map(|text| text.trim_ascii().to_owned());
        let url = text(&issuer).filter(|url| is_web_address(url));
        let reference = text(&function).filter(|name| is_reference(name));
        if url.is_none() {
            self.wrong(&setting::JWT_ISSUER, Some(issuer), ISSUER_EXPECTED);
        }
        if reference.is_none() {
            self.wrong(&setting::JWT_FUNCTION, Some(function), FUNCTION_EXPECTED);
        }
        let debug = self.watchdog.as_ref().is_some_and(|watchdog| watchdog.jwt_debug);
        Some(Some(Jwt { issuer: url?, function: reference?, debug }))
    }
}

const ISSUER_EXPECTED: &str =
    "expected the URL that /.well-known/openid-configuration is below, such as https://id.example.com";

const FUNCTION_EXPECTED: &str = "expected NAMESPACE:NAME, as permissions in tokens name this function";

fn is_web_address(url: &str) -> bool {
    let parsed = url.parse::<http::Uri>().ok();
    parsed.is_some_and(|url| matches!(url.scheme_str(), Some("http" | "https")) && url.query().is_none())
}

fn is_reference(name: &str) -> bool {
    name.split_once(':').is_some_and(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
}

/// A token without the blanks around it, if a header could carry it.
fn check_token(bytes: &[u8]) -> Result<String, String> {
    let token = bytes.trim_ascii();
    if token.is_empty() {
        return Err("the token is empty, so that nobody or everybody could call; set one, or unset it".to_owned());
    }
    match str::from_utf8(token) {
        Ok(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(token.to_owned()),
        _ => Err("expected a token of visible ASCII characters without blanks, as a header can carry it".to_owned()),
    }
}

//! The credentials for a server.

use base64_simd::STANDARD;
use http::HeaderValue;

use crate::{
    error::{Error, ErrorKind},
    secret::Secret,
};

/// The credentials for a server.
#[derive(Debug, Clone)]
pub enum Auth {
    /// A name and a password (RFC 7617).
    Basic {
        /// The name.
        login: Secret,
        /// The password.
        password: Secret,
    },
    /// A token (RFC 6750).
    Bearer(Secret),
    /// None: the server is open.
    None,
}

impl Auth {
    /// The value of `Authorization` as the secrets are now.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`]: one of them cannot be read, or cannot be sent.
    pub fn header(&self) -> Result<Option<HeaderValue>, Error> {
        let value = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) => format!("Bearer {}", read("token", token)?),
            Self::Basic { login, password } => {
                let login = read("login", login)?;
                if login.contains(':') {
                    return Err(Error::new(ErrorKind::Credentials, "the login contains ':', which Basic cannot send"));
                }
                format!("Basic {}", STANDARD.encode_to_string(format!("{login}:{}", read("password", password)?)))
            }
        };
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| Error::new(ErrorKind::Credentials, "the token contains a character that cannot be sent"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

fn read(what: &str, secret: &Secret) -> Result<String, Error> {
    let value = secret.read().map_err(|error| Error::new(ErrorKind::Credentials, error.to_string()))?;
    if value.is_empty() {
        return Err(Error::new(ErrorKind::Credentials, format!("the {what} is empty")));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_become_a_header() {
        let value = |text: &str| Secret::Value(text.to_owned());
        let shown =
            |auth: Auth| auth.header().map(|header| header.map(|value| value.to_str().expect("text").to_owned()));
        let basic = Auth::Basic { login: value("Aladdin"), password: value("open: sesame") };
        assert_eq!(shown(basic).expect("a header").as_deref(), Some("Basic QWxhZGRpbjpvcGVuOiBzZXNhbWU="));
        assert_eq!(shown(Auth::Bearer(value("abc.def"))).expect("a header").as_deref(), Some("Bearer abc.def"));
        assert_eq!(shown(Auth::None).expect("no header"), None);
        for auth in [
            Auth::Bearer(value("a\nb")),
            Auth::Bearer(value("")),
            Auth::Basic { login: value("a:b"), password: value("c") },
            Auth::Basic { login: value(""), password: value("c") },
            Auth::Bearer(Secret::File("/dev/null/none".into())),
        ] {
            assert_eq!(shown(auth).expect_err("no header").kind, ErrorKind::Credentials);
        }
    }
}

//! The address of a server: `http://HOST[:PORT][/PREFIX]` or `https://…`.

use std::fmt;

use http::Uri;

/// The scheme of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption.
    Http,
    /// Over TLS.
    Https,
}

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The scheme.
    pub scheme: Scheme,
    /// The host, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path that every request begins with; it does not end with a slash.
    pub prefix: String,
}

/// A text that is not the address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {why}; expected an address such as https://store.example.org:9000")]
pub struct EndpointError {
    text: String,
    why: &'static str,
}

impl Scheme {
    /// The port where none is given.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    /// It has no known scheme or no host, or has a user, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let wrong = |why| EndpointError { text: text.to_owned(), why };
        if text.contains(['#', '@']) {
            return Err(wrong("a user or a fragment does not belong here"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("this is no URL"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(wrong("the scheme is neither http nor https")),
        };
        if uri.query().is_some() {
            return Err(wrong("a query does not belong here"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("there is no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        // A port that is no number is left out by the parser, though it is there.
        let has_port = uri.authority().is_some_and(|authority| authority.as_str().len() > authority.host().len());
        let port = match uri.port_u16() {
            None if has_port => return Err(wrong("the port is no number up to 65535")),
            None => scheme.port(),
            Some(port) => port,
        };
        Ok(Self { scheme, host, port, prefix: uri.path().trim_end_matches('/').to_owned() })
    }

    /// The value of `Host`: the host, and the port unless it is that of the scheme.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown() {
        for (text, shown, authority) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000", "127.0.0.1:9000"),
            ("https://S3.Example.org/", "https://s3.example.org", "s3.example.org"),
            ("https://x:443/a/b/", "https://x/a/b", "x"),
            ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080"),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!((endpoint.to_string().as_str(), endpoint.authority().as_str()), (shown, authority));
        }
    }

    #[test]
    fn a_wrong_address_is_named_with_the_reason() {
        for (text, why) in [
            ("", "no URL"),
            ("minio:9000", "scheme"),
            ("ftp://x", "scheme"),
            ("//x", "scheme"),
            ("http://", "no URL"),
            ("http://u:p@x", "user"),
            ("http://x?a", "query"),
            ("http://x#a", "fragment"),
            ("http://x:99999", "port"),
            ("http://x:", "port"),
        ] {
            let error = Endpoint::parse(text).expect_err(text).to_string();
            assert!(error.contains(why) && error.contains("expected an address"), "{error}");
        }
    }
}

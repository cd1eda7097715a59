//! The address of a file: a server, and a path on it.

use http::Uri;

use crate::{
    error::{Error, ErrorKind},
    http::{Endpoint, Scheme},
};

/// The address of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The server, without a prefix.
    pub(crate) site: Endpoint,
    /// The path and the query.
    pub(crate) target: String,
}

impl Address {
    /// The path `encoded` below the prefix of `endpoint`.
    pub(crate) fn below(endpoint: &Endpoint, encoded: &str) -> Self {
        let site = Endpoint { prefix: String::new(), ..endpoint.clone() };
        Self { site, target: format!("{}{encoded}", endpoint.prefix) }
    }

    /// Reads a URL. `dav` and `davs` are other words for `http` and `https`.
    ///
    /// # Errors
    /// It is no URL of that kind.
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            let detail =
                format!("{url:?}: {why}; expected an address that begins with http://, https://, dav:// or davs://");
            Error::new(ErrorKind::Unreachable, detail)
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("this is no URL"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "dav" => "http",
            "https" | "davs" => "https",
            _ => return Err(wrong("the scheme is not served")),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let site = Endpoint::parse(&format!("{scheme}://{authority}")).map_err(|error| wrong(&error.to_string()))?;
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        target.parse::<Uri>().map_err(|_| wrong("the path has a character that must be escaped"))?;
        Ok(Self { site, target })
    }

    /// The address that a redirect from this one leads to.
    ///
    /// # Errors
    /// `location` is no address.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, Error> {
        let scheme = scheme_of(&self.site);
        if location.contains("://") && !location.starts_with('/') {
            return Self::parse(location);
        }
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        let target = if location.starts_with('/') {
            location.to_owned()
        } else {
            let path = self.target.split('?').next().unwrap_or_default();
            let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
            format!("{folder}{location}")
        };
        Self::parse(&format!("{scheme}://{}{target}", self.site.authority()))
    }

    /// Whether both are on the same server, so that one may get the credentials of the other.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        let origin = |address: &Self| (address.site.scheme, address.site.host.clone(), address.site.port);
        origin(self) == origin(other)
    }

    /// The whole URL.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", scheme_of(&self.site), self.site.authority(), self.target)
    }
}

fn scheme_of(site: &Endpoint) -> &'static str {
    match site.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown() {
        for (url, shown) in [
            ("http://x:80/a%20b", "http://x/a%20b"),
            ("DAVS://Pool.example.org:2880/a?b=c&d", "https://pool.example.org:2880/a?b=c&d"),
            ("dav://x", "http://x/"),
            ("https://x?y#z", "https://x/?y"),
            ("http://[::1]:8080/a:b", "http://[::1]:8080/a:b"),
        ] {
            assert_eq!(Address::parse(url).expect(url).url(), shown);
        }
        for url in ["", "/a", "root://x/a", "http://u:p@x/a", "http://x/a b", "http://x:99999/"] {
            let error = Address::parse(url).expect_err(url);
            assert!(
                error.detail.contains(&format!("{url:?}")) && error.detail.contains("expected an address"),
                "{error}"
            );
        }
        let endpoint = Endpoint::parse("http://x:1/dav/").expect("an endpoint");
        assert_eq!(Address::below(&endpoint, "/a").url(), "http://x:1/dav/a");
    }

    #[test]
    fn a_redirect_is_relative_to_the_address_it_came_from() {
        let from = Address::parse("https://door:2880/a/b?c").expect("an address");
        for (location, to, is_same) in [
            ("/d?e", "https://door:2880/d?e", true),
            ("d", "https://door:2880/a/d", true),
            ("//door/d", "https://door/d", false),
            ("http://door:2880/d", "http://door:2880/d", false),
            ("https://DOOR:2880/d", "https://door:2880/d", true),
            ("https://pool:2880/d?to=http://x", "https://pool:2880/d?to=http://x", false),
            ("/d?to=http://x", "https://door:2880/d?to=http://x", true),
        ] {
            let reached = from.redirected(location).expect(location);
            assert_eq!((reached.url().as_str(), from.has_origin_of(&reached)), (to, is_same), "{location}");
        }
        assert!(from.redirected("ftp://x/").is_err());
    }
}

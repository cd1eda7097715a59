//! Addresses to listen on, in the usual spellings.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
};

/// The spellings that [`Address::parse`] accepts, for messages.
pub const EXPECTED: &str = "an address such as :8080, 0.0.0.0:8080, [::]:8080, localhost:8080";

/// A parsed address. A host name in it has not been looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Address {
    /// `8080`, `:8080`, `0.0.0.0:8080`, `[::]:8080`, `localhost:8080`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
        // `u16` reads `+80` too.
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let port = port.parse().ok()?;
        let host = if host.is_empty() {
            Host::Ip(Ipv4Addr::UNSPECIFIED.into())
        } else if let Some(bracketed) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Host::Ip(bracketed.parse::<Ipv6Addr>().ok()?.into())
        } else if let Ok(ip) = host.parse::<Ipv4Addr>() {
            Host::Ip(ip.into())
        } else if is_host_name(host) {
            Host::Name(host.to_owned())
        } else {
            return None;
        };
        Some(Self { host, port })
    }

    /// Looks the name up. Prefers the first IPv4 address, which probes and sidecars use.
    ///
    /// # Errors
    /// The name has no address.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        match &self.host {
            Host::Ip(ip) => Ok(SocketAddr::new(*ip, self.port)),
            Host::Name(name) => {
                let found: Vec<_> = (name.as_str(), self.port).to_socket_addrs()?.collect();
                let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
                first.copied().ok_or_else(|| io::Error::other("the name has no address"))
            }
        }
    }
}

/// Letters, digits, dots, hyphens and underscores, with at least one letter: digits and dots alone are a mistyped IPv4
/// address.
fn is_host_name(host: &str) -> bool {
    host.len() <= 253
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_of_an_address_is_accepted() {
        for (text, wanted) in [
            ("8080", "0.0.0.0:8080"),
            (":8080", "0.0.0.0:8080"),
            (":0", "0.0.0.0:0"),
            ("127.0.0.1:65535", "127.0.0.1:65535"),
            ("[::]:80", "[::]:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            let address = Address::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(address.resolve().expect("no look-up").to_string(), wanted);
        }
        assert_eq!(
            Address::parse("localhost:80"),
            Some(Address { host: Host::Name("localhost".to_owned()), port: 80 })
        );
        assert!(Address::parse("localhost:80").expect("valid").resolve().expect("known").ip().is_loopback());
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", ":", "localhost", "a:b", ":65536", ":+80", ":-1", "1.2.3:80", "::1:80", "[::1]", "[x]:1", "a b:1"]
        {
            assert_eq!(Address::parse(text), None, "{text:?}");
        }
    }
}

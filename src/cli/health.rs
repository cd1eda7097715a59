//! `bandog health`: a probe for images without curl.
//!
//! It is run every few seconds for the whole life of a container. It therefore makes one request over one plain
//! connection, without TLS and without a thread.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use super::{FAILURE, fail, flags};
use crate::config::{Sources, setting};

pub(super) const EXAMPLES: &str = "Examples:
  bandog health                              is it alive? (at the address that serve would use)
  bandog health --ready --listen :9000
  bandog health --url http://10.0.0.7:8080/_/health

In an image:
  HEALTHCHECK CMD [\"/bandog\", \"health\"]";

/// The time for the whole probe. Probes in Kubernetes usually have 1 to 3 seconds.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes of a response that are read: enough for the head and a short reason.
const MAX_RESPONSE: usize = 16 * 1024;

/// The flags of `bandog health`.
#[derive(Debug, clap::Args)]
pub struct HealthFlags {
    /// Probe whether it accepts requests, not only whether it is alive
    #[arg(long)]
    pub ready: bool,
    /// The URL to probe instead of the bandog in this container; http only
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The address of the bandog in this container.
    #[command(flatten)]
    pub settings: ListenFlag,
}

/// `--listen` alone.
#[derive(Debug, Clone, Default)]
pub struct ListenFlag {
    /// Its value, by the name in [`setting`].
    pub values: std::collections::BTreeMap<&'static str, std::ffi::OsString>,
}

impl clap::FromArgMatches for ListenFlag {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        let value = matches.get_one::<std::ffi::OsString>(setting::LISTEN.name);
        self.values.extend(value.map(|value| (setting::LISTEN.name, value.clone())));
        Ok(())
    }
}

impl clap::Args for ListenFlag {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.arg(flags::flag(&setting::LISTEN).help_heading("Options").conflicts_with("url"))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Probes, and reports a failure on standard error.
pub(super) fn main(flags: &HealthFlags, sources: &Sources) -> ExitCode {
    match target(flags, sources).and_then(|target| probe(&target)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(FAILURE, &reason),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct ProbeTarget {
    address: SocketAddr,
    host: String,
    path: String,
}

fn target(flags: &HealthFlags, sources: &Sources) -> Result<ProbeTarget, String> {
    let path = if flags.ready { "/_/ready" } else { "/_/health" };
    let Some(url) = &flags.url else {
        let address = loopback(sources.listen().map_err(|mistakes| mistakes.to_string())?);
        return Ok(ProbeTarget { address, host: address.to_string(), path: path.to_owned() });
    };
    // The part before an @ may be a password.
    let quoted = if url.contains('@') { String::new() } else { format!(" {url:?}:") };
    let wrong = || format!("--url:{quoted} expected http://HOST[:PORT][/PATH]");
    let rest = url.strip_prefix("http://").or((!url.contains("://")).then_some(url)).ok_or_else(wrong)?;
    let (host, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if host.is_empty() || host.contains('@') || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(wrong());
    }
    let path = if rest.len() > 1 { rest } else { path };
    let has_port = host.rsplit_once(':').is_some_and(|(before, _)| !before.contains(':') || before.ends_with(']'));
    let with_port = if has_port { host.to_owned() } else { format!("{host}:80") };
    let address = with_port
        .to_socket_addrs()
        .map_err(|error| format!("cannot find {host}: {error}"))?
        .next()
        .ok_or_else(|| format!("cannot find {host}: the name has no address"))?;
    Ok(ProbeTarget { address, host: host.to_owned(), path: path.to_owned() })
}

/// The address at which a listener of this machine can be reached.
fn loopback(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn probe(target: &ProbeTarget) -> Result<(), String> {
    let ProbeTarget { address, host, path } = target;
    let response = exchange(target).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("no response from {address} within 3 seconds"),
        io::ErrorKind::ConnectionRefused => format!(
            "cannot reach {address}: {error}; no bandog listens there: name its address with --listen or --url, or see \
             its log"
        ),
        _ => format!("cannot reach {address}: {error}"),
    })?;
    let text = String::from_utf8_lossy(&response);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    let Some(status) = status else { return Err(format!("{address} does not speak HTTP")) };
    if (200..300).contains(&status) {
        return Ok(());
    }
    let reason = body.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
    Err(format!("http://{host}{path} answered {status}: {reason}").trim_end_matches([':', ' ']).to_owned())
}

fn exchange(target: &ProbeTarget) -> io::Result<Vec<u8>> {
    let start = Instant::now();
    // A socket takes zero for no limit.
    let left = || TIMEOUT.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
    let mut stream = TcpStream::connect_timeout(&target.address, TIMEOUT)?;
    stream.set_write_timeout(Some(left()))?;
    let ProbeTarget { host, path, .. } = target;
    // Written in one piece: formatted straight into the socket, each part would be a packet of its own.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bandog\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    let mut piece = [0; 4096];
    while response.len() < MAX_RESPONSE {
        if start.elapsed() >= TIMEOUT {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left()))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => response.extend_from_slice(&piece[..count]),
            // The server has sent its response, and then reset the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !response.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Typed;

    fn flags(ready: bool, url: Option<&str>) -> HealthFlags {
        HealthFlags { ready, url: url.map(str::to_owned), settings: ListenFlag::default() }
    }

    fn sources(listen: Option<&str>, environment: &[(&str, &str)]) -> Sources {
        let values = listen.map(|listen| ("listen", listen.into())).into_iter().collect();
        let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Sources { typed: Typed { values, ..Typed::default() }, environment, ..Sources::default() }
    }

    fn target_text(flags: &HealthFlags, sources: &Sources) -> String {
        target(flags, sources)
            .map_or_else(|error| error, |found| format!("{} {} {}", found.address, found.host, found.path))
    }

    #[test]
    fn the_default_address_is_that_of_serve_on_this_machine() {
        let alive = flags(false, None);
        assert_eq!(target_text(&alive, &sources(None, &[])), "127.0.0.1:8080 127.0.0.1:8080 /_/health");
        assert_eq!(target_text(&alive, &sources(None, &[("PORT", "9")])), "127.0.0.1:9 127.0.0.1:9 /_/health");
        let both = sources(None, &[("PORT", "9"), ("BANDOG_LISTEN", "[::]:10")]);
        assert_eq!(target_text(&flags(true, None), &both), "[::1]:10 [::1]:10 /_/ready");
        assert_eq!(target_text(&alive, &sources(Some("127.0.0.2:1"), &[])), "127.0.0.2:1 127.0.0.2:1 /_/health");
        assert!(target_text(&alive, &sources(Some("x"), &[])).starts_with("--listen: \"x\""));
    }

    #[test]
    fn a_url_has_the_address_and_perhaps_the_path() {
        let none = sources(None, &[]);
        for (url, wanted) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081 127.0.0.1:8081 /_/health"),
            ("127.0.0.1:8081/x?y", "127.0.0.1:8081 127.0.0.1:8081 /x?y"),
            ("http://127.0.0.1/", "127.0.0.1:80 127.0.0.1 /_/health"),
            ("http://[::1]/a", "[::1]:80 [::1] /a"),
        ] {
            assert_eq!(target_text(&flags(false, Some(url)), &none), wanted, "{url}");
        }
        for url in ["https://a", "http://", "http://a b", "http://me@a", "http://a\r\nX: y"] {
            assert!(target(&flags(false, Some(url)), &none).is_err(), "{url:?}");
        }
    }

    fn probed(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut request = [0; 1000];
            let count = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8_lossy(&request[..count]).into_owned()
        });
        let result = probe(&ProbeTarget { address, host: "me".to_owned(), path: "/_/health".to_owned() });
        let request = server.join().expect("served");
        assert!(request.starts_with("GET /_/health HTTP/1.1\r\nHost: me\r\n"), "{request}");
        result.map_err(|error| error.replace(&address.to_string(), "ADDRESS"))
    }

    #[test]
    fn only_a_2xx_status_is_healthy() {
        assert_eq!(probed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"), Ok(()));
        assert_eq!(probed("HTTP/1.1 204 No Content\r\n\r\n"), Ok(()));
        let draining = probed("HTTP/1.1 503 Service Unavailable\r\n\r\ndraining\n");
        assert_eq!(draining, Err("http://me/_/health answered 503: draining".to_owned()));
        assert_eq!(probed("HTTP/1.1 429 Too Many\r\n\r\n"), Err("http://me/_/health answered 429".to_owned()));
        for answer in ["", "SSH-2.0-x\r\n", "HTTP/1.1", "HTTP/1.1 2", "HTTP/1.1 2xx\r\n\r\n"] {
            assert_eq!(probed(answer), Err("ADDRESS does not speak HTTP".to_owned()), "{answer:?}");
        }
    }

    #[test]
    fn a_closed_port_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let address = listener.local_addr().expect("address");
        drop(listener);
        let error = probe(&ProbeTarget { address, host: String::new(), path: "/".to_owned() }).expect_err("closed");
        assert!(error.starts_with(&format!("cannot reach {address}: ")), "{error}");
    }
}

//! The lines at the start that say what was started, and how to call it.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use crate::{
    config::{Auth, Config, Mode, Token},
    invocation::Command,
};

/// The mode, the function, and the callers that are let in.
pub(super) fn summary(config: &Config) -> String {
    let name = Mode::NAMES.iter().find(|(_, mode)| *mode == config.mode).map_or("", |(name, _)| *name);
    let command = config.function.command.as_ref().map(Command::description);
    let target = &config.target;
    let function = match (config.mode, command, &target.upstream, &target.static_dir) {
        (Mode::Static, _, _, Some(dir)) => format!("files of {}", dir.display()),
        (Mode::Http, None, Some(upstream), _) => format!("requests go to {upstream}"),
        (Mode::Http, Some(command), ..) => format!("{command}, as a server"),
        (_, Some(command), ..) => format!("{command}, once for each request"),
        (_, None, ..) => "actions alone".to_owned(),
    };
    let callers = match &config.listener.auth {
        Auth { token: Some(_), .. } => "callers need the token".to_owned(),
        Auth { jwt: Some(jwt), .. } => format!("callers need a token of {}", jwt.issuer),
        Auth { token: None, jwt: None } => "no token is asked for".to_owned(),
    };
    format!("mode {name}: {function}; {callers}")
}

/// A command for a shell that calls what listens at `address`.
pub(super) fn curl(config: &Config, address: SocketAddr) -> String {
    let mut words = vec!["curl".to_owned()];
    match &config.listener.auth {
        Auth { token: Some(Token::File(path)), .. } => {
            let path = shell_words::quote(&path.to_string_lossy()).into_owned();
            words.push(format!("-H \"Authorization: Bearer $(cat {path})\""));
        }
        Auth { token: Some(Token::Value(_)), .. } | Auth { jwt: Some(_), .. } => {
            words.push("-H \"Authorization: Bearer $BANDOG_TOKEN\"".to_owned());
        }
        Auth { token: None, jwt: None } => {}
    }
    let path = match (config.mode, &config.function.command, &config.target.static_dir) {
        (Mode::Static, _, Some(dir)) => format!("/{}", file_of(dir).unwrap_or_default()),
        (Mode::Http, ..) if config.function.command.is_some() || config.target.upstream.is_some() => {
            config.target.ready_path.clone().unwrap_or_else(|| "/".to_owned())
        }
        (_, None, _) => "/_/actions".to_owned(),
        (_, Some(_), _) => {
            // Plain text would be 400 where a body is decoded.
            let body = if config.decodes() {
                "-H 'Content-Type: application/json' -d '{\"hello\":\"world\"}'"
            } else {
                "-d hello"
            };
            words.push(body.to_owned());
            "/".to_owned()
        }
    };
    let url = format!("http://{}{path}", reachable(address));
    words.push(shell_words::quote(&url).into_owned());
    words.join(" ")
}

/// The address for a client on the same host.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// The name of a file in a directory, as it stands in a URL; empty for its index.
fn file_of(dir: &Path) -> Option<String> {
    if dir.join("index.html").is_file() {
        return None;
    }
    let is_plain = |name: &String| {
        !name.starts_with('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let files = fs::read_dir(dir).ok()?.flatten().filter(|entry| entry.path().is_file());
    files.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_plain).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_to_call_is_shown_as_one_that_is() {
        for (bound, shown) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ] {
            assert_eq!(reachable(bound.parse().expect("an address")).to_string(), shown);
        }
    }

    #[test]
    fn a_directory_is_shown_by_a_file_of_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(file_of(dir.path()), None);
        for name in [".hidden", "a b", "z.txt", "b.txt"] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        assert_eq!(file_of(dir.path()).as_deref(), Some("b.txt"));
        fs::write(dir.path().join("index.html"), "").expect("written");
        assert_eq!(file_of(dir.path()), None);
    }
}

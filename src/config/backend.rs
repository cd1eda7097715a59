//! Where requests go in the modes in which none has a process of its own: [`Mode::Http`] and [`Mode::Static`].

use std::path::{self, Path, PathBuf};

use http::{Uri, uri::Authority};

use super::{
    Mode,
    report::Mistake,
    resolve::{Given, Resolver},
    setting,
};

/// Where a function that speaks HTTP listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Host and port.
    pub authority: Authority,
    /// What every target begins with; empty, or a path without a slash at its end.
    pub prefix: String,
}

impl Upstream {
    /// The port, 80 if none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(80)
    }

    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?.clone();
        let is_plain = uri.scheme_str() == Some("http") && uri.query().is_none();
        let has_port = authority.port_u16() != Some(0);
        (is_plain && has_port && !authority.host().is_empty())
            .then(|| Self { authority, prefix: uri.path().trim_end_matches('/').to_owned() })
    }
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

/// What the mode asks for beside a command.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) upstream: Option<Upstream>,
    pub(super) ready_path: Option<String>,
    pub(super) static_dir: Option<PathBuf>,
}

impl Resolver<'_> {
    /// `None` if one of them is a mistake.
    pub(super) fn places(&mut self, mode: Mode) -> Option<Places> {
        let upstream = self.optional(&setting::UPSTREAM, mode == Mode::Http, "http", |given| {
            let expected = "expected a URL such as http://127.0.0.1:3000; other schemes are not spoken";
            given.value.to_str().map(str::trim).and_then(Upstream::parse).ok_or_else(|| expected.to_owned())
        });
        let ready_path = self.optional(&setting::READY_PATH, mode == Mode::Http, "http", |given| {
            let path = given.value.to_str().map(str::trim).filter(|path| path.starts_with('/'));
            let path = path.filter(|path| path.parse::<Uri>().is_ok());
            path.map(str::to_owned).ok_or_else(|| "expected a path such as /healthz".to_owned())
        });
        let static_dir = self.static_dir(mode);
        Some(Places { upstream: upstream?, ready_path: ready_path?, static_dir: static_dir? })
    }

    /// The directory of `--mode static`: what is typed without a flag, or `--static-dir`.
    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn static_dir(&mut self, mode: Mode) -> Option<Option<PathBuf>> {
        let typed = &self.sources.typed;
        let typed = typed.script.clone().filter(|_| mode == Mode::Static);
        let given = match typed {
            Some(value) if self.given(&setting::STATIC_DIR).is_none() => {
                Some(Given { value, origin: super::Origin::Argument })
            }
            Some(value) => {
                let given = Given { value, origin: super::Origin::Argument };
                self.wrong(&setting::STATIC_DIR, Some(given), "given twice; keep one of them");
                return None;
            }
            None => None,
        };
        if let Some(given) = given {
            self.note(&setting::STATIC_DIR, given.value.to_string_lossy(), given.origin.clone());
            return self.directory(given).map(Some);
        }
        let found = self.optional(&setting::STATIC_DIR, mode == Mode::Static, "static", |given| {
            let is_path = !given.value.is_empty();
            if is_path { Ok(given.clone()) } else { Err("expected a directory".to_owned()) }
        })?;
        match (found, mode) {
            (Some(given), _) => self.directory(given).map(Some),
            (None, Mode::Static) => {
                self.wrong(&setting::STATIC_DIR, None, "no directory is given; bandog --mode static DIR serves one");
                None
            }
            (None, _) => Some(None),
        }
    }

    fn directory(&mut self, given: Given) -> Option<PathBuf> {
        let path = path::absolute(&given.value).ok();
        let path = path.filter(|path| Path::is_dir(path));
        if path.is_none() {
            self.wrong(&setting::STATIC_DIR, Some(given), "expected a directory that is there");
        }
        path
    }

    /// A setting that may be absent, and has a meaning in one mode only; the outer `None` is a mistake.
    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    fn optional<T>(
        &mut self,
        setting: &'static setting::Setting,
        wanted: bool,
        mode: &str,
        parse: impl FnOnce(&Given) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(None);
        };
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        match parse(&given) {
            Ok(value) if wanted => Some(Some(value)),
            Ok(_) => {
                self.warn(format!("{}: ignored; it is of --mode {mode}", setting.flag()));
                Some(None)
            }
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                None
            }
        }
    }

    /// What is wrong with a command where there is nothing to run.
    pub(super) fn no_command_in_static(&self) -> Option<Mistake> {
        let first = self.sources.typed.command.first()?;
        Some(Mistake {
            name: "COMMAND".to_owned(),
            value: Some(first.to_string_lossy().into_owned()),
            origin: super::Origin::Argument,
            advice: "--mode static runs nothing; leave the command out".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_plain_http_with_a_host() {
        for (text, authority, prefix) in [
            ("http://127.0.0.1:3000", "127.0.0.1:3000", ""),
            ("http://127.0.0.1:3000/", "127.0.0.1:3000", ""),
            ("http://[::1]:80/api/v1/", "[::1]:80", "/api/v1"),
            ("http://model", "model", ""),
        ] {
            let upstream = Upstream::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((upstream.authority.as_str(), upstream.prefix.as_str()), (authority, prefix), "{text}");
        }
        assert_eq!(Upstream::parse("http://model").map(|upstream| upstream.port()), Some(80));
        for text in ["", "127.0.0.1:3000", "https://x", "http://", "http://x?y", "http://a@b", "/x", "http://x:0"] {
            assert_eq!(Upstream::parse(text), None, "{text}");
        }
    }
}

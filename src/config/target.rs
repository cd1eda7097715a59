//! Where requests go in the modes that start no process for each of them: [`Mode::Http`] and [`Mode::Static`].

use std::path::{self, Path, PathBuf};

use http::{Uri, uri::Authority};

use super::{
    mode::Mode,
    reader::{RawValue, Reader},
    report::Origin,
    setting::{self, Setting},
};

/// The address of a function that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Host and port.
    pub authority: Authority,
    /// The beginning of every request target; empty, or a path without a slash at its end.
    pub prefix: String,
}

impl Upstream {
    /// The port; 80 by default.
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

/// Where requests go in the modes that start no process for each of them.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// `--upstream`: where the function of [`Mode::Http`] listens.
    pub upstream: Option<Upstream>,
    /// `--ready-path`: the path that the function of [`Mode::Http`] answers with 2xx when it is ready.
    pub ready_path: Option<String>,
    /// `--static-dir`: the directory that [`Mode::Static`] serves; never `None` in that mode.
    pub static_dir: Option<PathBuf>,
}

/// Reads the group.
pub(super) fn read(reader: &mut Reader<'_>, mode: Mode) -> Option<Target> {
    let upstream = read_for_mode(reader, &setting::UPSTREAM, mode == Mode::Http, "http", |raw| {
        let expected = "expected a URL such as http://127.0.0.1:3000; other schemes are not supported";
        raw.value.to_str().map(str::trim).and_then(Upstream::parse).ok_or_else(|| expected.to_owned())
    });
    let ready_path = read_for_mode(reader, &setting::READY_PATH, mode == Mode::Http, "http", |raw| {
        let path = raw.value.to_str().map(str::trim).filter(|path| path.starts_with('/'));
        let path = path.filter(|path| path.parse::<Uri>().is_ok());
        path.map(str::to_owned).ok_or_else(|| "expected a path such as /healthz".to_owned())
    });
    let static_dir = read_static_dir(reader, mode);
    Some(Target { upstream: upstream?, ready_path: ready_path?, static_dir: static_dir? })
}

/// The directory of `--mode static`: the argument without a flag, or `--static-dir`.
#[expect(clippy::option_option, reason = "a mistake, no directory and a directory are three things")]
fn read_static_dir(reader: &mut Reader<'_>, mode: Mode) -> Option<Option<PathBuf>> {
    let setting = &setting::STATIC_DIR;
    let argument = reader.sources.typed.script.clone().filter(|_| mode == Mode::Static);
    if let Some(value) = argument {
        let raw = RawValue { value, origin: Origin::Argument };
        if reader.raw(setting).is_some() {
            reader.wrong(setting, Some(raw), "given twice; keep one of them");
            return None;
        }
        reader.note(setting, raw.value.to_string_lossy(), raw.origin.clone());
        return existing_directory(reader, raw).map(Some);
    }
    let raw = read_for_mode(reader, setting, mode == Mode::Static, "static", |raw| {
        let is_path = !raw.value.is_empty();
        if is_path { Ok(raw.clone()) } else { Err("expected a directory".to_owned()) }
    })?;
    match (raw, mode) {
        (Some(raw), _) => existing_directory(reader, raw).map(Some),
        (None, Mode::Static) => {
            reader.wrong(setting, None, "no directory is given; bandog --mode static DIR serves one");
            None
        }
        (None, _) => Some(None),
    }
}

fn existing_directory(reader: &mut Reader<'_>, raw: RawValue) -> Option<PathBuf> {
    let path = path::absolute(&raw.value).ok().filter(|path| Path::is_dir(path));
    reader.accept(&setting::STATIC_DIR, Some(raw), path.ok_or("expected an existing directory"))
}

/// A setting that may be absent, and that other modes than `mode` ignore. The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake, no value and a value are three things")]
fn read_for_mode<T>(
    reader: &mut Reader<'_>,
    setting: &'static Setting,
    is_used: bool,
    mode: &str,
    parse: impl FnOnce(&RawValue) -> Result<T, String>,
) -> Option<Option<T>> {
    let Some(raw) = reader.raw_and_noted(setting) else { return Some(None) };
    let value = parse(&raw);
    let value = reader.accept(setting, Some(raw), value)?;
    if !is_used {
        reader.warn(format!("{}: ignored; it belongs to --mode {mode}", setting.flag()));
    }
    Some(Some(value).filter(|_| is_used))
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

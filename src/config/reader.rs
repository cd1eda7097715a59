//! Reads one setting at a time: finds the source that gives its value, parses the text, and records both for `check`.
//!
//! A mistake does not end the reading. It is recorded, and the next setting is read, so that all mistakes are reported
//! at once. Nothing here reads the process environment.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt::Write as _,
    fs::File,
    io::Read as _,
    net::SocketAddr,
    path::{self, Path, PathBuf},
    time::Duration,
};

use super::{
    Sources,
    address::Address,
    quantity::{self, DURATION_EXPECTED, SIZE_EXPECTED},
    report::{Entry, Mistake, Origin},
    setting::{Fallback, Setting},
};
use crate::platform::non_empty;

/// The text of a value, and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawValue {
    pub(crate) value: OsString,
    pub(crate) origin: Origin,
}

impl RawValue {
    /// The text without the blanks around it. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> String {
        self.value.to_string_lossy().trim_ascii().to_owned()
    }
}

/// The values that have been read so far, and what is to be reported about them.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    /// The values that the variables of a replaced program give, by setting.
    pub(super) replaced: BTreeMap<&'static str, RawValue>,
    /// The values of the configuration file, by key.
    pub(super) file: BTreeMap<&'static str, RawValue>,
    pub(super) entries: Vec<Entry>,
    pub(super) warnings: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            replaced: BTreeMap::new(),
            file: BTreeMap::new(),
            entries: Vec::new(),
            warnings: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    // ---- sources ----

    /// The value of a setting, from the first source that has one: flag, variable, replaced program, platform, file.
    pub(super) fn raw(&self, setting: &'static Setting) -> Option<RawValue> {
        if let Some(value) = self.sources.typed.value(setting.name) {
            return Some(RawValue { value: value.to_owned(), origin: Origin::Flag });
        }
        let environment = &self.sources.environment;
        let own = setting.variable();
        if let Some(value) = environment.get(OsStr::new(&own)) {
            return Some(RawValue { value: value.clone(), origin: Origin::Variable(own) });
        }
        if let Some(raw) = self.replaced.get(setting.name) {
            return Some(raw.clone());
        }
        // A platform's template may leave a variable empty. An empty variable with bandog's own name is a mistake, and
        // must not be taken for the default.
        for name in setting.platform {
            if let Some(value) = non_empty(environment, name) {
                return Some(RawValue { value: value.to_owned(), origin: Origin::Variable((*name).to_owned()) });
            }
        }
        self.file.get(setting.key?).cloned()
    }

    /// The value of a setting, or its default if that is a text.
    pub(super) fn raw_or_default(&self, setting: &'static Setting) -> Option<RawValue> {
        self.raw(setting).or(match setting.default {
            Fallback::Text(text) => Some(RawValue { value: text.into(), origin: Origin::Default }),
            Fallback::Described(_) => None,
        })
    }

    /// The value of a setting without a default, recorded.
    pub(super) fn raw_and_noted(&mut self, setting: &'static Setting) -> Option<RawValue> {
        let raw = self.raw(setting);
        match &raw {
            Some(raw) => self.note(setting, raw.value.to_string_lossy(), raw.origin.clone()),
            None => self.note_unset(setting),
        }
        raw
    }

    // ---- the record ----

    pub(super) fn note(&mut self, setting: &Setting, value: impl Into<String>, origin: Origin) {
        let value = if setting.secret { "***".to_owned() } else { value.into() };
        self.enter(setting.flag(), value, origin);
    }

    pub(super) fn note_unset(&mut self, setting: &Setting) {
        self.enter(setting.flag(), "-".to_owned(), Origin::Default);
    }

    /// Adds a line of `check` that is not about a setting.
    pub(super) fn enter(&mut self, name: String, value: String, origin: Origin) {
        self.entries.push(Entry { name, value, origin });
    }

    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// Records a mistake in the value of a setting.
    pub(super) fn wrong(&mut self, setting: &Setting, raw: Option<RawValue>, advice: impl Into<String>) {
        let (value, origin) = match raw {
            Some(raw) => (Some(raw.value.to_string_lossy().into_owned()), raw.origin),
            None => (None, Origin::Default),
        };
        let value = value.filter(|_| !setting.secret);
        self.mistakes.push(Mistake { name: setting.flag(), value, origin, advice: advice.into() });
    }

    /// The value, or `None` with the advice recorded as a mistake.
    pub(super) fn accept<T>(
        &mut self,
        setting: &Setting,
        raw: Option<RawValue>,
        value: Result<T, impl Into<String>>,
    ) -> Option<T> {
        value.map_err(|advice| self.wrong(setting, raw, advice)).ok()
    }

    // ---- values ----

    /// Parses the text of a setting that has a default. A mounted file or a YAML block may leave a newline at its end.
    pub(super) fn parse<T>(
        &mut self,
        setting: &'static Setting,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let raw = self.raw_or_default(setting)?;
        let text = raw.text();
        self.note(setting, text.clone(), raw.origin.clone());
        let value = parse(&text).ok_or_else(|| format!("expected {expected}"));
        self.accept(setting, Some(raw), value)
    }

    pub(super) fn duration(&mut self, setting: &'static Setting) -> Option<Duration> {
        self.parse(setting, DURATION_EXPECTED, quantity::duration)
    }

    /// A duration that 0 makes unlimited. The outer `None` is a mistake, the inner one no limit.
    #[expect(clippy::option_option, reason = "a mistake, no limit and a limit are three things")]
    pub(super) fn timeout(&mut self, setting: &'static Setting) -> Option<Option<Duration>> {
        self.duration(setting).map(|duration| (!duration.is_zero()).then_some(duration))
    }

    pub(super) fn size(&mut self, setting: &'static Setting) -> Option<u64> {
        self.parse(setting, SIZE_EXPECTED, quantity::size)
    }

    pub(super) fn count(&mut self, setting: &'static Setting) -> Option<usize> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.parse(setting, "a whole number such as 0 or 16", |text| text.parse().ok().filter(|_| digits(text)))
    }

    pub(super) fn switch(&mut self, setting: &'static Setting) -> Option<bool> {
        self.parse(setting, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    pub(super) fn choice<T: Copy>(&mut self, setting: &'static Setting, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let mut expected = match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        let meant = self.raw(setting).and_then(|raw| nearest(&raw.text().to_ascii_lowercase(), &names));
        if let Some(meant) = meant {
            let _ = write!(expected, "; did you mean {meant}?");
        }
        self.parse(setting, &expected, |text| {
            choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        })
    }

    /// A path that may be absent, made absolute. The outer `None` is a mistake.
    #[expect(clippy::option_option, reason = "a mistake, no path and a path are three things")]
    pub(super) fn path(&mut self, setting: &'static Setting) -> Option<Option<PathBuf>> {
        let Some(raw) = self.raw_and_noted(setting) else { return Some(None) };
        let path = path::absolute(&raw.value).map_err(|_| "expected a path");
        self.accept(setting, Some(raw), path).map(Some)
    }

    /// An address to listen on. A host name is looked up.
    pub(super) fn address(
        &mut self,
        setting: &'static Setting,
        raw: RawValue,
        text: &str,
        expected: &str,
    ) -> Option<SocketAddr> {
        self.note(setting, text, raw.origin.clone());
        let address = Address::parse(text).ok_or_else(|| format!("expected {expected}"));
        let address = address.and_then(|address| {
            address.resolve().map_err(|error| format!("cannot find the address of that name: {error}"))
        });
        self.accept(setting, Some(raw), address)
    }
}

/// The name that a mistyped one means: at most a third of its letters differ.
fn nearest<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    let nearest = names.iter().map(|name| (strsim::damerau_levenshtein(name, text), *name)).min();
    nearest.filter(|(steps, name)| *steps <= name.len() / 3).map(|(_, name)| name)
}

/// The whole of a file of at most `max` bytes, or how to correct the problem. No more than that is read: the path may
/// name a device.
pub(super) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > max {
        return Err(format!("expected a file of at most {}", quantity::size_text(max)));
    }
    Ok(bytes)
}

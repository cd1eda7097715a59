//! What somebody gave for a setting, read as what it has to be, and noted for `check`.

use std::{
    ffi::OsStr,
    path::{self, PathBuf},
    time::Duration,
};

use super::{Given, Resolver};
use crate::config::{
    function,
    quantity::{self, DURATION_EXPECTED, SIZE_EXPECTED},
    report::{Entry, Mistake, Origin},
    setting::{Fallback, Setting},
};

impl Resolver<'_> {
    /// What was given for a setting: flag, variable, platform, file.
    pub(in crate::config) fn given(&self, setting: &'static Setting) -> Option<Given> {
        if let Some(value) = self.sources.typed.value(setting.name) {
            return Some(Given { value: value.to_owned(), origin: Origin::Flag });
        }
        let environment = &self.sources.environment;
        let own = setting.variable();
        if let Some(value) = environment.get(OsStr::new(&own)) {
            return Some(Given { value: value.clone(), origin: Origin::Variable(own) });
        }
        if let Some(given) = self.platform.get(setting.name) {
            return Some(given.clone());
        }
        // An empty variable of the platform is one that its template left empty; an empty one of bandog's own name is
        // a mistake that must not be taken for a default.
        for name in setting.platform {
            if let Some(value) = function::non_empty(environment, name) {
                return Some(Given { value: value.to_owned(), origin: Origin::Variable((*name).to_owned()) });
            }
        }
        let (key, (document, file)) = (setting.key?, self.document.as_ref()?);
        let value = match key {
            "name" => document.name.as_ref(),
            "log_level" => document.log_level.as_ref(),
            _ => None,
        }?;
        Some(Given { value: value.into(), origin: Origin::File { key, file: file.clone() } })
    }

    pub(super) fn given_or_default(&self, setting: &'static Setting) -> Option<Given> {
        self.given(setting).or(match setting.default {
            Fallback::Text(text) => Some(Given { value: text.into(), origin: Origin::Default }),
            Fallback::Described(_) => None,
        })
    }

    pub(in crate::config) fn note(&mut self, setting: &Setting, value: impl Into<String>, origin: Origin) {
        let value = if setting.secret { "***".to_owned() } else { value.into() };
        self.entries.push(Entry { name: setting.flag(), value, origin });
    }

    pub(in crate::config) fn note_unset(&mut self, setting: &Setting) {
        self.entries.push(Entry { name: setting.flag(), value: "-".to_owned(), origin: Origin::Default });
    }

    /// A line of `check` that is no setting.
    pub(in crate::config) fn enter(&mut self, name: String, value: String, origin: Origin) {
        self.entries.push(Entry { name, value, origin });
    }

    pub(in crate::config) fn mistaken(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    pub(in crate::config) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    pub(in crate::config) fn wrong(&mut self, setting: &Setting, given: Option<Given>, advice: impl Into<String>) {
        let (value, origin) = match given {
            Some(given) => (Some(given.value.to_string_lossy().into_owned()), given.origin),
            None => (None, Origin::Default),
        };
        let value = value.filter(|_| !setting.secret);
        self.mistakes.push(Mistake { name: setting.flag(), value, origin, advice: advice.into() });
    }

    /// Reads the text of a setting that has a default. Blanks around it, such as the newline that a mounted file or a
    /// YAML block leaves, are no part of it.
    pub(in crate::config) fn read<T>(
        &mut self,
        setting: &'static Setting,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let given = self.given_or_default(setting)?;
        let text = given.value.to_string_lossy().trim_ascii().to_owned();
        self.note(setting, text.clone(), given.origin.clone());
        let value = parse(&text);
        if value.is_none() {
            self.wrong(setting, Some(given), format!("expected {expected}"));
        }
        value
    }

    pub(in crate::config) fn duration(&mut self, setting: &'static Setting) -> Option<Duration> {
        self.read(setting, DURATION_EXPECTED, quantity::duration)
    }

    pub(in crate::config) fn size(&mut self, setting: &'static Setting) -> Option<u64> {
        self.read(setting, SIZE_EXPECTED, quantity::size)
    }

    pub(in crate::config) fn count(&mut self, setting: &'static Setting) -> Option<usize> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.read(setting, "a whole number such as 0 or 16", |text| text.parse().ok().filter(|_| digits(text)))
    }

    pub(in crate::config) fn switch(&mut self, setting: &'static Setting) -> Option<bool> {
        self.read(setting, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    pub(in crate::config) fn choice<T: Copy>(&mut self, setting: &'static Setting, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.read(setting, &names.join(" or "), |text| {
            choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
        })
    }

    /// A path that may be absent; the outer `None` is a mistake.
    #[expect(clippy::option_option, reason = "a mistake, nothing, and something are three things")]
    pub(super) fn path(&mut self, setting: &'static Setting) -> Option<Option<PathBuf>> {
        let Some(given) = self.given(setting) else {
            self.note_unset(setting);
            return Some(None);
        };
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        let path = path::absolute(&given.value).ok();
        if path.is_none() {
            self.wrong(setting, Some(given), "expected a path");
        }
        path.map(Some)
    }
}

//! The one table of settings. Flags, variables, `check`, `--help` and docs/settings.md are generated from it, so that they
//! agree.

use std::fmt::Write as _;

mod bodies;
mod confinement;
mod function;
mod lifecycle;
mod limits;
mod listener;
mod storage;
mod target;
mod telemetry;

pub use bodies::{ANSWER_TYPE, COMBINE_OUTPUT, DECODE, ENCODE, FORMS};
pub use confinement::{
    ALLOW_WRITE, MAX_CPU_TIME, MAX_MEMORY, MAX_OPEN_FILES, MAX_OUTPUT, MAX_PROCESSES, NICE, SANDBOX, USER,
};
pub use function::{ACTIONS, ACTIONS_LENIENT, CONFIG, MODE, SCRIPT, SERVICE, STDIN, WORKSPACE};
pub use lifecycle::{COMPAT, DRAIN_TIMEOUT, SHUTDOWN_DELAY, WATCH};
pub use limits::{
    EXEC_TIMEOUT, IDLE_TIMEOUT, KILL_GRACE, MAX_BODY, MAX_INFLIGHT, MAX_LOGS, MAX_QUEUE, QUEUE_TIMEOUT, READ_TIMEOUT,
    RETRIES, SEND_TIMEOUT,
};
pub use listener::{ADDRESS_FILE, CA_FILE, JWT_FUNCTION, JWT_ISSUER, LISTEN, PATHS, TOKEN, TOKEN_FILE};
pub use storage::{ALLOW_LOOP, EVENT_ANSWER, KEEP_FAILED, TRANSFER_PARALLEL, UPLOAD_ON_FAILURE};
pub use target::{READY_PATH, STATIC_DIR, UPSTREAM};
pub use telemetry::{FORWARD_LOGS, LOG_FORMAT, LOG_LEVEL, METRICS};

/// A setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag, without `--`.
    pub name: &'static str,
    /// The placeholder of its value in the help; `None` for a switch.
    pub value: Option<&'static str>,
    /// The words that shells complete; the only values, or the usual ones.
    pub choices: &'static [&'static str],
    /// The part of the help that lists it.
    pub group: Group,
    /// The variables in which platforms give its value; the first that is set and not empty wins.
    pub platform: &'static [&'static str],
    /// The key in the configuration file.
    pub key: Option<&'static str>,
    /// The value if no source gives one.
    pub default: Fallback,
    /// Its meaning, as a sentence fragment.
    pub meaning: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Whether the flag may be repeated; the values are joined with `:`, as in `PATH`.
    pub repeated: bool,
    /// Whether only a server has a use for it. `run` takes it too, so that one environment fits both, and ignores it.
    pub server_only: bool,
}

/// The value of a setting that no source gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, parsed like any other source.
    Text(&'static str),
    /// No fixed value; the description for the help.
    Described(&'static str),
}

impl Fallback {
    /// The text for the help.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Text(text) | Self::Described(text) => text,
        }
    }
}

/// A part of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The function and how it is run.
    Function,
    /// The address, and the callers that are let in.
    Listener,
    /// Sizes, times and numbers.
    Limits,
    /// The resources that one function may use, and its user.
    Confinement,
    /// Files that come from and go to object storage.
    Storage,
    /// Logs and metrics.
    Logs,
    /// The shutdown.
    Lifecycle,
    /// Settings for the names of replaced programs.
    Faces,
}

impl Group {
    /// The heading.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::Listener => "Listener",
            Self::Limits => "Limits",
            Self::Confinement => "Confinement",
            Self::Storage => "Storage",
            Self::Logs => "Logs and metrics",
            Self::Lifecycle => "Lifecycle",
            Self::Faces => "Faces",
        }
    }
}

impl Setting {
    /// The variable: `BANDOG_` and the flag in upper snake case.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("BANDOG_{}", self.name.replace('-', "_").to_ascii_uppercase())
    }

    /// The flag with its hyphens: `--name`.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }
}

const PLAIN: Setting = Setting {
    name: "",
    value: Some("VALUE"),
    choices: &[],
    group: Group::Function,
    platform: &[],
    key: None,
    default: Fallback::Described("none"),
    meaning: "",
    secret: false,
    repeated: false,
    server_only: false,
};

/// Every setting, in the order of the help.
pub static ALL: [&Setting; 57] = [
    &SCRIPT,
    &ACTIONS,
    &ACTIONS_LENIENT,
    &MODE,
    &UPSTREAM,
    &READY_PATH,
    &STATIC_DIR,
    &DECODE,
    &FORMS,
    &ENCODE,
    &ANSWER_TYPE,
    &COMBINE_OUTPUT,
    &STDIN,
    &WORKSPACE,
    &SERVICE,
    &CONFIG,
    &LISTEN,
    &ADDRESS_FILE,
    &PATHS,
    &TOKEN,
    &TOKEN_FILE,
    &JWT_ISSUER,
    &JWT_FUNCTION,
    &CA_FILE,
    &MAX_BODY,
    &EXEC_TIMEOUT,
    &RETRIES,
    &KILL_GRACE,
    &READ_TIMEOUT,
    &IDLE_TIMEOUT,
    &SEND_TIMEOUT,
    &MAX_INFLIGHT,
    &MAX_QUEUE,
    &QUEUE_TIMEOUT,
    &MAX_LOGS,
    &MAX_MEMORY,
    &MAX_CPU_TIME,
    &MAX_PROCESSES,
    &MAX_OPEN_FILES,
    &MAX_OUTPUT,
    &NICE,
    &USER,
    &SANDBOX,
    &ALLOW_WRITE,
    &UPLOAD_ON_FAILURE,
    &KEEP_FAILED,
    &TRANSFER_PARALLEL,
    &ALLOW_LOOP,
    &EVENT_ANSWER,
    &LOG_LEVEL,
    &LOG_FORMAT,
    &FORWARD_LOGS,
    &METRICS,
    &SHUTDOWN_DELAY,
    &DRAIN_TIMEOUT,
    &WATCH,
    &COMPAT,
];

/// The settings that most users change: those of `-h`.
pub static USUAL: [&Setting; 8] =
    [&MODE, &LISTEN, &TOKEN_FILE, &MAX_BODY, &EXEC_TIMEOUT, &MAX_INFLIGHT, &MAX_QUEUE, &LOG_LEVEL];

/// The table of docs/settings.md: flag, variables and key, default, meaning.
#[must_use]
pub fn markdown() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut table = "| flag | also from | default | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in ALL {
        let value = setting.value.map(|value| format!(" {value}")).unwrap_or_default();
        let mut sources: Vec<String> = setting.platform.iter().copied().map(|name| format!("`{name}`")).collect();
        sources.extend(setting.key.map(|key| format!("`{key}` in the file")));
        let default = match setting.default {
            Fallback::Text(text) => format!("`{text}`"),
            Fallback::Described(text) => text.to_owned(),
        };
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            cell(&format!("{}{value}", setting.flag())),
            sources.join(", "),
            cell(&default),
            cell(setting.meaning),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_settings_share_a_name_and_every_one_is_explained() {
        let names: BTreeSet<_> = ALL.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), ALL.len());
        for setting in ALL {
            assert!(setting.meaning.len() > 10, "{}", setting.name);
            assert!(!setting.meaning.ends_with('.'), "{}", setting.name);
            assert!(setting.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", setting.name);
        }
    }

    #[test]
    fn every_choice_in_the_help_is_completed() {
        for setting in ALL {
            let words =
                setting.value.unwrap_or_default().split('|').filter(|word| word.chars().all(char::is_lowercase));
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            assert!(words.is_empty() || words == setting.choices, "{}", setting.name);
        }
        assert_eq!(MODE.choices, crate::config::Mode::NAMES.map(|(name, _)| name));
        assert!(LOG_LEVEL.choices.iter().all(|word| word.parse::<crate::logs::Level>().is_ok()));
    }

    #[test]
    fn the_table_of_the_documentation_has_a_row_for_each_setting() {
        let table = markdown();
        assert_eq!(table.lines().count(), ALL.len() + 2);
        assert!(table.contains("| `--listen ADDR` | `PORT` | `0.0.0.0:8080` | the address"), "{table}");
        assert!(table.contains("| `--metrics ADDR\\|on\\|off` |"), "{table}");
    }
}

//! The one table of settings. The flags, the environment names, `check`, `--help` and the table of the README come
//! from it, so that none of them can forget or contradict the others.

use std::fmt::Write as _;

mod backend;
mod confinement;
mod modes;

pub use backend::{READY_PATH, STATIC_DIR, UPSTREAM};
pub use confinement::{
    ALLOW_WRITE, MAX_CPU_TIME, MAX_MEMORY, MAX_OPEN_FILES, MAX_OUTPUT, MAX_PROCESSES, NICE, SANDBOX, USER,
};
pub use modes::{ANSWER_TYPE, COMBINE_OUTPUT, DECODE, ENCODE};

/// Something that can be set.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag, without `--`.
    pub name: &'static str,
    /// What stands for its value in the help; `None` for a switch.
    pub value: Option<&'static str>,
    /// What a person would call this part of the settings.
    pub group: Group,
    /// Environment names of the platforms, the first that is set and not empty wins.
    pub platform: &'static [&'static str],
    /// The key in the configuration file.
    pub key: Option<&'static str>,
    /// The value if nothing is given.
    pub default: Fallback,
    /// What it does, as a sentence fragment.
    pub meaning: &'static str,
    /// Whether the value is never shown.
    pub secret: bool,
    /// Whether the flag may be given several times; the values are joined with `:`, as in `PATH`.
    pub repeated: bool,
}

/// The value of a setting that nobody has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, read as if it had been typed.
    Text(&'static str),
    /// There is none, or it is found; the words for the help.
    Described(&'static str),
}

impl Fallback {
    /// For the help.
    #[must_use]
    pub fn shown(self) -> &'static str {
        match self {
            Self::Text(text) | Self::Described(text) => text,
        }
    }
}

/// The headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What is run and how.
    Function,
    /// Who may call.
    Listener,
    /// How much, how long.
    Limits,
    /// What one function may use, and as whom.
    Confinement,
    /// What is logged.
    Logs,
    /// Start and end.
    Lifecycle,
    /// Under another name.
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

    /// The flag as typed: `--name`.
    #[must_use]
    pub fn flag(&self) -> String {
        format!("--{}", self.name)
    }
}

const PLAIN: Setting = Setting {
    name: "",
    value: Some("VALUE"),
    group: Group::Function,
    platform: &[],
    key: None,
    default: Fallback::Described("none"),
    meaning: "",
    secret: false,
    repeated: false,
};

/// `--script`.
pub static SCRIPT: Setting = Setting {
    name: "script",
    value: Some("PATH"),
    default: Fallback::Described("$SCRIPT (base64), /oscar/config/script.sh, $fprocess"),
    meaning: "the script or program to run; without the execute permission it is run by /bin/sh",
    ..PLAIN
};

/// `--actions`.
pub static ACTIONS: Setting = Setting {
    name: "actions",
    value: Some("PATH"),
    default: Fallback::Described(
        "oms.yml, oms.yaml, microservice.yml or microservice.yaml in / or here, if there is one",
    ),
    meaning: "the file that says what actions there are (Open Microservice specification); `off` looks for none",
    ..PLAIN
};

/// `--mode`.
pub static MODE: Setting = Setting {
    name: "mode",
    value: Some("M"),
    default: Fallback::Text("files"),
    meaning: "how the function is talked to: `files`, `stdio`, `streaming`, `http` or `static`; see Modes",
    ..PLAIN
};

/// `--stdin`.
pub static STDIN: Setting = Setting {
    name: "stdin",
    value: Some("null|input"),
    default: Fallback::Text("null"),
    meaning: "what the function finds on its standard input: nothing, or the input file",
    ..PLAIN
};

/// `--workspace`.
pub static WORKSPACE: Setting = Setting {
    name: "workspace",
    value: Some("DIR"),
    platform: &["TMPDIR"],
    default: Fallback::Text("/tmp"),
    meaning: "where the private directories of the invocations are made; checked at start",
    ..PLAIN
};

/// `--service`.
pub static SERVICE: Setting = Setting {
    name: "service",
    value: Some("NAME"),
    platform: &["OSCAR_SERVICE_NAME", "K_SERVICE"],
    key: Some("name"),
    meaning: "the name of the service; if known, /run/OTHER is answered with 404",
    ..PLAIN
};

/// `--config`.
pub static CONFIG: Setting = Setting {
    name: "config",
    value: Some("PATH"),
    default: Fallback::Described("/oscar/config/function_config.yaml if it exists, $FUNCTION_CONFIG (base64)"),
    meaning: "the configuration file, in YAML; used of it: name, log_level, and under the names fwatchdog and supervisor file_stage_in",
    ..PLAIN
};

/// `--listen`.
pub static LISTEN: Setting = Setting {
    name: "listen",
    value: Some("ADDR"),
    group: Group::Listener,
    platform: &["PORT"],
    default: Fallback::Text("0.0.0.0:8080"),
    meaning: "the address to listen on; port 0 picks a free one",
    ..PLAIN
};

/// `--address-file`.
pub static ADDRESS_FILE: Setting = Setting {
    name: "address-file",
    value: Some("PATH"),
    group: Group::Listener,
    meaning: "a file that the bound address is written to",
    ..PLAIN
};

/// `--token`.
pub static TOKEN: Setting = Setting {
    name: "token",
    value: Some("T"),
    group: Group::Listener,
    meaning: "the Bearer token that callers must show; others on the machine can read a flag, so prefer the variable or the file",
    secret: true,
    ..PLAIN
};

/// `--token-file`.
pub static TOKEN_FILE: Setting = Setting {
    name: "token-file",
    value: Some("PATH"),
    group: Group::Listener,
    meaning: "a file that holds the Bearer token; read again when it changes",
    ..PLAIN
};

/// `--jwt-issuer`.
pub static JWT_ISSUER: Setting = Setting {
    name: "jwt-issuer",
    value: Some("URL"),
    group: Group::Listener,
    meaning: "callers must show a JSON Web Token of this OpenID provider, with a permission for --jwt-function",
    ..PLAIN
};

/// `--jwt-function`.
pub static JWT_FUNCTION: Setting = Setting {
    name: "jwt-function",
    value: Some("NAMESPACE:NAME"),
    group: Group::Listener,
    meaning: "how permissions in tokens name this function",
    ..PLAIN
};

/// `--max-body`.
pub static MAX_BODY: Setting = Setting {
    name: "max-body",
    value: Some("SIZE"),
    group: Group::Limits,
    default: Fallback::Text("1GiB"),
    meaning: "the largest body of a request, as sent and as decompressed; then 413; 0 for no limit",
    ..PLAIN
};

/// `--exec-timeout`.
pub static EXEC_TIMEOUT: Setting = Setting {
    name: "exec-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5m"),
    meaning: "how long the function may run; then it is ended and the answer is 504; 0 for no limit",
    ..PLAIN
};

/// `--retries`.
pub static RETRIES: Setting = Setting {
    name: "retries",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how often an action that fails with exit code 2 is tried once more, within --exec-timeout; then 503",
    ..PLAIN
};

/// `--kill-grace`.
pub static KILL_GRACE: Setting = Setting {
    name: "kill-grace",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5s"),
    meaning: "the time between SIGTERM and SIGKILL; 0 kills at once",
    ..PLAIN
};

/// `--read-timeout`.
pub static READ_TIMEOUT: Setting = Setting {
    name: "read-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("5m"),
    meaning: "how long a request may take to arrive; its headers alone have 30 seconds; 0 for no limit",
    ..PLAIN
};

/// `--send-timeout`.
pub static SEND_TIMEOUT: Setting = Setting {
    name: "send-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("1m"),
    meaning: "how long a client may take nothing of its answer; then the connection is ended; 0 for no limit",
    ..PLAIN
};

/// `--max-inflight`.
pub static MAX_INFLIGHT: Setting = Setting {
    name: "max-inflight",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how many invocations run at once; 0 for no limit",
    ..PLAIN
};

/// `--max-queue`.
pub static MAX_QUEUE: Setting = Setting {
    name: "max-queue",
    value: Some("N"),
    group: Group::Limits,
    default: Fallback::Text("0"),
    meaning: "how many requests wait for a place when all are taken; 0 for none",
    ..PLAIN
};

/// `--queue-timeout`.
pub static QUEUE_TIMEOUT: Setting = Setting {
    name: "queue-timeout",
    value: Some("D"),
    group: Group::Limits,
    default: Fallback::Text("30s"),
    meaning: "how long a request waits for a place; then 429; 0 for no limit",
    ..PLAIN
};

/// `--max-logs`.
pub static MAX_LOGS: Setting = Setting {
    name: "max-logs",
    value: Some("SIZE"),
    group: Group::Limits,
    default: Fallback::Text("64MiB"),
    meaning: "how much is kept of what one invocation prints; more is cut from the middle and marked; 0 for no limit",
    ..PLAIN
};

/// `--log-level`.
pub static LOG_LEVEL: Setting = Setting {
    name: "log-level",
    value: Some("L"),
    group: Group::Logs,
    platform: &["LOG_LEVEL"],
    key: Some("log_level"),
    default: Fallback::Text("INFO"),
    meaning: "DEBUG, INFO, WARNING, ERROR or CRITICAL, in any case",
    ..PLAIN
};

/// `--log-format`.
pub static LOG_FORMAT: Setting = Setting {
    name: "log-format",
    value: Some("text|json"),
    group: Group::Logs,
    default: Fallback::Text("text"),
    meaning: "the form of bandog's own log on stderr",
    ..PLAIN
};

/// `--forward-logs`.
pub static FORWARD_LOGS: Setting = Setting {
    name: "forward-logs",
    value: None,
    group: Group::Logs,
    default: Fallback::Text("false"),
    meaning: "the function's output goes to bandog's own log at any level, not only at DEBUG",
    ..PLAIN
};

/// `--metrics`.
pub static METRICS: Setting = Setting {
    name: "metrics",
    value: Some("ADDR|on|off"),
    group: Group::Logs,
    default: Fallback::Text("on"),
    meaning: "Prometheus metrics: on /_/metrics, nowhere, or on /metrics of an address of their own",
    ..PLAIN
};

/// `--shutdown-delay`.
pub static SHUTDOWN_DELAY: Setting = Setting {
    name: "shutdown-delay",
    value: Some("D"),
    group: Group::Lifecycle,
    default: Fallback::Text("0"),
    meaning: "how long requests are still taken after SIGTERM, for load balancers that notice late",
    ..PLAIN
};

/// `--drain-timeout`.
pub static DRAIN_TIMEOUT: Setting = Setting {
    name: "drain-timeout",
    value: Some("D"),
    group: Group::Lifecycle,
    default: Fallback::Text("25s"),
    meaning: "how long running invocations may take to finish after that; then they are ended; 0 ends them at once",
    ..PLAIN
};

/// `--compat`.
pub static COMPAT: Setting = Setting {
    name: "compat",
    value: Some("LIST"),
    group: Group::Faces,
    meaning: "under the names fwatchdog and supervisor: the ways of the replaced programs that are wanted back, with commas between them; docs/compatibility.md has them",
    ..PLAIN
};

/// Every setting, in the order of the help.
pub static ALL: [&Setting; 46] = [
    &SCRIPT,
    &ACTIONS,
    &MODE,
    &UPSTREAM,
    &READY_PATH,
    &STATIC_DIR,
    &DECODE,
    &ENCODE,
    &ANSWER_TYPE,
    &COMBINE_OUTPUT,
    &STDIN,
    &WORKSPACE,
    &SERVICE,
    &CONFIG,
    &LISTEN,
    &ADDRESS_FILE,
    &TOKEN,
    &TOKEN_FILE,
    &JWT_ISSUER,
    &JWT_FUNCTION,
    &MAX_BODY,
    &EXEC_TIMEOUT,
    &RETRIES,
    &KILL_GRACE,
    &READ_TIMEOUT,
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
    &LOG_LEVEL,
    &LOG_FORMAT,
    &FORWARD_LOGS,
    &METRICS,
    &SHUTDOWN_DELAY,
    &DRAIN_TIMEOUT,
    &COMPAT,
];

/// The table of the README: flag, variables and key, default, meaning.
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
    fn the_readme_table_has_a_row_for_each_setting() {
        let table = markdown();
        assert_eq!(table.lines().count(), ALL.len() + 2);
        assert!(table.contains("| `--listen ADDR` | `PORT` | `0.0.0.0:8080` | the address"), "{table}");
        assert!(table.contains("| `--metrics ADDR\\|on\\|off` |"), "{table}");
    }
}

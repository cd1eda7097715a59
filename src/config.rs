//! Sources → one validated, immutable [`Config`]; every mistake reported at once.
//!
//! The command line collects what was typed ([`Typed`]), and [`Sources::resolve`] finds out what is meant: a flag
//! before a `BANDOG_*` variable before the face's names before the platform's variables before the configuration file
//! before the default, by the one table in [`setting`].

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::{
    actions::{Service, openapi::Callers},
    invocation::{Command, Confinement, Stdin},
    logs::Level,
    telemetry::Format,
};

mod actions;
pub mod address;
mod backend;
mod callers;
pub mod compose;
mod confinement;
pub mod document;
mod environment;
mod face;
mod function;
mod function_settings;
mod modes;
mod platform;
mod report;
mod resolve;
pub mod setting;
mod supervisor;
#[cfg(test)]
mod tests;
mod user;
mod watchdog;

pub use backend::Upstream;
pub use environment::Environment;
pub use face::Face;
pub use modes::{Bodies, Mode};
pub use report::{Entry, Mistake, Mistakes, Origin, Resolution};
pub use supervisor::Supervisor;
pub use watchdog::Watchdog;

pub use bandog_codec::quantity;

pub use crate::platform::{Compat, LegacyBehaviour as Habit, openfaas::WatchdogKind as Original};

/// Everything a configuration is made from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The command line.
    pub typed: Typed,
    /// The environment.
    pub environment: Environment,
    /// The files that are looked for without being named.
    pub paths: Paths,
    /// The name that bandog was started under.
    pub face: Face,
}

/// What was typed, not yet understood.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The values of the flags, by the names in [`setting`].
    pub values: BTreeMap<&'static str, OsString>,
    /// The script given without a flag.
    pub script: Option<OsString>,
    /// What follows `--`.
    pub command: Vec<OsString>,
}

impl Typed {
    /// What was typed for a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }
}

/// Files that are looked for without being named: where OSCAR mounts them.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The configuration file.
    pub config: PathBuf,
    /// The script.
    pub script: PathBuf,
    /// The directories in which a file of actions is looked for.
    pub actions: Vec<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            config: PathBuf::from("/oscar/config/function_config.yaml"),
            script: PathBuf::from("/oscar/config/script.sh"),
            actions: vec![PathBuf::from("/"), PathBuf::from(".")],
        }
    }
}

impl Sources {
    /// Finds out what is meant. A resolution without a function has a mistake that says so.
    #[must_use]
    pub fn resolve(&self) -> Resolution {
        resolve::resolve(self)
    }

    /// The service of `--actions`, and nothing else: what is listed where its programs need not be. `None` without such
    /// a file.
    pub fn actions(&self) -> Result<Option<Service>, Mistakes> {
        resolve::actions(self).map_err(Mistakes)
    }

    /// The address to listen on, and nothing else: what a probe needs to know.
    pub fn listen(&self) -> Result<SocketAddr, Mistakes> {
        resolve::listen(self).map_err(Mistakes)
    }
}

/// Every parser of the configuration on the same bytes: for fuzzing, and to show that none panics.
#[doc(hidden)]
pub fn parse_anything(bytes: &[u8]) {
    let _ = document::Document::parse(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        if let Some(duration) = quantity::duration(text) {
            assert_eq!(quantity::duration(&quantity::duration_text(duration)), Some(duration));
        }
        if let Some(size) = quantity::size(text) {
            assert_eq!(quantity::size(&quantity::size_text(size)), Some(size));
        }
        let _ = (address::Address::parse(text), shell_words::split(text), text.parse::<Level>());
    }
}

/// Everything that can be set, resolved. After this nothing reads the environment again.
#[derive(Debug, Clone)]
pub struct Config {
    /// `--listen`: where the listener binds; port 0 for any free one.
    pub listen: SocketAddr,
    /// `--address-file`: where the bound address is written.
    pub address_file: Option<PathBuf>,
    /// `--metrics`.
    pub metrics: Metrics,
    /// What to run; `None` only where the mode, or the actions, can do without.
    pub command: Option<Command>,
    /// `--actions`: what the service says it can do; `None` without such a file.
    pub actions: Option<Arc<Service>>,
    /// What the commands in that file run.
    pub programs: Programs,
    /// `--retries`: how often an action that says that another try may help is tried once more.
    pub retries: usize,
    /// `--upstream`: where the function of [`Mode::Http`] listens.
    pub upstream: Option<Upstream>,
    /// `--ready-path`: what the function of [`Mode::Http`] answers with 2xx when it is ready.
    pub ready_path: Option<String>,
    /// `--static-dir`: what [`Mode::Static`] serves; never `None` there.
    pub static_dir: Option<PathBuf>,
    /// The environment that functions inherit: bandog's own, less its secrets and the names it always sets, and what the
    /// file of actions has defaults for.
    pub environment: Vec<(OsString, OsString)>,
    /// `--service`: the name that `/run/NAME` must have, if known.
    pub service: Option<String>,
    /// `--log-level`.
    pub log_level: Level,
    /// `--log-format`.
    pub log_format: Format,
    /// `--forward-logs`: the function's output goes to the container log at any level.
    pub forward_logs: bool,
    /// `--max-logs`: bytes captured per invocation; 0 for no limit.
    pub max_logs: u64,
    /// `--exec-timeout`; `None` for no limit.
    pub exec_timeout: Option<Duration>,
    /// `--kill-grace`: between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
    /// `--max-inflight`: invocations at once; 0 for no limit.
    pub max_inflight: usize,
    /// `--max-queue`: requests that wait for a place.
    pub max_queue: usize,
    /// `--queue-timeout`: how long they wait; `None` for no limit.
    pub queue_timeout: Option<Duration>,
    /// `--max-body`: bytes of a body, as sent and as decompressed; 0 for no limit.
    pub max_body: u64,
    /// `--read-timeout`: for a whole request; `None` for no limit.
    pub read_timeout: Option<Duration>,
    /// `--send-timeout`: how long a client may take nothing of its answer; `None` for no limit.
    pub send_timeout: Option<Duration>,
    /// `--token` or `--token-file`.
    pub token: Option<Token>,
    /// `--jwt-issuer` and `--jwt-function`.
    pub jwt: Option<Jwt>,
    /// `--workspace`: where workspaces are made; absolute, checked.
    pub workspace: PathBuf,
    /// `--shutdown-delay`.
    pub shutdown_delay: Duration,
    /// `--drain-timeout`.
    pub drain_timeout: Duration,
    /// `--mode`.
    pub mode: Mode,
    /// What becomes of bodies and answers.
    pub bodies: Bodies,
    /// `--stdin`; in the modes that are about it always [`Stdin::Input`].
    pub stdin: Stdin,
    /// What one function may use, and as whom.
    pub confinement: Confinement,
    /// `--compat`.
    pub compat: Compat,
    /// What the `fwatchdog` face has beside the settings; `None` under another name.
    pub watchdog: Option<Watchdog>,
    /// What is done in the place of OSCAR's supervisor; `None` where bandog does not take it.
    pub supervisor: Option<Supervisor>,
    /// What is odd but stops nothing, such as an unknown `BANDOG_*` variable; to be logged at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Whether what the sender says about a body decides what becomes of it; else it is stored as sent.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.bodies.decode || self.mode == Mode::Files
    }

    /// Who may call, as the description of the actions says it.
    #[must_use]
    pub fn callers(&self) -> Callers {
        match (&self.jwt, &self.token) {
            (Some(_), _) => Callers::WebTokenHolders,
            (None, Some(_)) => Callers::TokenHolders,
            (None, None) => Callers::Anybody,
        }
    }

    /// Whether every method invokes the function: in of-watchdog's own modes.
    #[must_use]
    pub fn takes_any_method(&self) -> bool {
        let is_of = self.watchdog.as_ref().is_some_and(|watchdog| watchdog.original == Original::Of);
        is_of && self.mode != Mode::Files
    }

    /// Whether an answer is encoded, in the form that its caller asks for; else it is sent as it is.
    #[must_use]
    pub fn encodes(&self) -> bool {
        self.bodies.encode || self.mode == Mode::Files
    }
}

/// Where metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// On `/_/metrics` of the one listener.
    On,
    /// Nowhere.
    Off,
    /// On `/metrics` of a listener of their own.
    At(SocketAddr),
}

/// Where the token that callers must show comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// The token itself.
    Value(String),
    /// A file that holds it, read again when it changes.
    File(PathBuf),
}

/// Whose JSON Web Tokens let a caller in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The URL that the provider's `.well-known/openid-configuration` is below.
    pub issuer: String,
    /// How permissions name this function: `NAMESPACE:NAME`.
    pub function: String,
    /// Whether the provider and its keys are named in the log.
    pub debug: bool,
}

impl std::fmt::Debug for Token {
    /// Never shows the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// What the commands in the file of actions run, resolved at start as a function is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// By the names of the command actions, all of which are there. The arguments are those up to the program's own
    /// name; what follows it is in the action.
    pub actions: BTreeMap<String, Command>,
    /// `lifecycle.startup.command`, with all its words.
    pub startup: Option<Command>,
    /// `lifecycle.shutdown.command`, with all its words.
    pub shutdown: Option<Command>,
}

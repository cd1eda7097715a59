//! The configuration: all sources of settings → one validated, immutable [`Config`], with every mistake reported at
//! once.
//!
//! The command line collects the arguments ([`Typed`]), and [`Sources::resolve`] interprets them. By the one table in
//! [`setting`], the first of these sources gives a value: flag, `BANDOG_*` variable, variable of a replaced program,
//! variable of a platform, configuration file, default.
//!
//! Each group of settings has a file with a `read` function; `resolve` composes them. The layers below take settings
//! of their own types ([`Config::function_settings`]), and none of them knows this module.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
};

use crate::{
    actions::{Service, openapi::Authentication},
    invocation::Confinement,
    platform::InvokedAs,
};

mod actions;
pub mod address;
mod auth;
mod bodies;
pub mod compose;
mod config_file;
mod confinement;
pub mod document;
mod environment;
mod fprocess;
mod function;
mod function_settings;
mod lifecycle;
mod limits;
mod listener;
mod mode;
mod platform;
mod program;
mod reader;
mod replaced;
mod report;
mod resolve;
pub mod setting;
#[cfg(feature = "storage")]
mod storage;
mod target;
mod telemetry;
#[cfg(test)]
mod tests;
mod user;
mod workspace;

pub use actions::{Actions, Programs};
pub use auth::{Auth, Jwt, Token};
pub use bodies::Bodies;
pub use environment::Environment;
pub use function::FunctionConfig;
pub use lifecycle::Lifecycle;
pub use limits::Limits;
pub use listener::Listener;
pub use mode::Mode;
pub use replaced::Replaced;
pub use report::{Entry, Mistake, Mistakes, Origin, Resolution};
#[cfg(feature = "storage")]
pub use storage::Store;
pub use target::{Target, Upstream};
pub use telemetry::{Metrics, Telemetry};

pub use bandog_codec::quantity;

/// The sources of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The command line.
    pub typed: Typed,
    /// The environment.
    pub environment: Environment,
    /// The files that are found without being named.
    pub paths: Paths,
    /// The program that bandog was started as.
    pub invoked_as: InvokedAs,
}

/// The arguments of the command line, not yet interpreted.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The values of the flags, by the names in [`setting`].
    pub values: BTreeMap<&'static str, OsString>,
    /// The script, given without a flag.
    pub script: Option<OsString>,
    /// The words after `--`.
    pub command: Vec<OsString>,
    /// `bandog watch --from DIR --to DIR`, in place of the storage of the configuration file.
    pub watched: Option<WatchedDirs>,
}

/// A directory whose files are inputs, and the one that outputs go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedDirs {
    /// `--from`.
    pub from: PathBuf,
    /// `--to`.
    pub to: Option<PathBuf>,
}

impl Typed {
    /// The argument of a flag.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }
}

/// The files that are found without being named, where OSCAR mounts them.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The configuration file.
    pub config: PathBuf,
    /// The script.
    pub script: PathBuf,
    /// The directories that may contain an actions file.
    pub actions: Vec<PathBuf>,
    /// The directory with a directory of secrets for each storage provider.
    pub secrets: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            config: PathBuf::from("/oscar/config/function_config.yaml"),
            script: PathBuf::from("/oscar/config/script.sh"),
            actions: vec![PathBuf::from("/"), PathBuf::from(".")],
            secrets: PathBuf::from("/var/run/secrets/providers"),
        }
    }
}

impl Sources {
    /// Interprets all sources. A missing function is one of the mistakes.
    #[must_use]
    pub fn resolve(&self) -> Resolution {
        resolve::resolve(self)
    }

    /// Reads `--actions` alone, so that actions can be listed where their programs are not installed. `None` without
    /// such a file. With `--actions-lenient` the warnings follow, which name what is left out.
    ///
    /// # Errors
    /// The mistakes in the file.
    pub fn actions(&self) -> Result<(Option<Service>, Vec<String>), Mistakes> {
        resolve::actions(self).map_err(Mistakes)
    }

    /// Reads `--listen` alone, which is all that a probe needs.
    ///
    /// # Errors
    /// The mistake in the address.
    pub fn listen(&self) -> Result<SocketAddr, Mistakes> {
        resolve::listen(self).map_err(Mistakes)
    }
}

/// Runs every parser of the configuration on the same bytes, for tests and the fuzz target: none of them may panic.
///
/// # Panics
/// A parser panics, or reads back another value than it wrote.
#[cfg(any(test, feature = "testing"))]
pub fn parse_anything(bytes: &[u8]) {
    let _ = document::Document::parse(bytes, None);
    if let Ok(text) = str::from_utf8(bytes) {
        if let Some(duration) = quantity::duration(text) {
            assert_eq!(quantity::duration(&quantity::duration_text(duration)), Some(duration));
        }
        if let Some(size) = quantity::size(text) {
            assert_eq!(quantity::size(&quantity::size_text(size)), Some(size));
        }
        let _ = (address::Address::parse(text), shell_words::split(text), text.parse::<crate::logs::Level>());
    }
}

/// All settings, resolved. After this nothing reads the environment again.
#[derive(Debug, Clone)]
pub struct Config {
    /// `--mode`.
    pub mode: Mode,
    /// The bodies of requests and responses.
    pub bodies: Bodies,
    /// Where requests go in the modes that start no process for each of them.
    pub target: Target,
    /// The function and its surroundings.
    pub function: FunctionConfig,
    /// `--actions`.
    pub actions: Actions,
    /// The address, and the callers that are let in.
    pub listener: Listener,
    /// The limits on requests and invocations.
    pub limits: Limits,
    /// The resources that one function may use, and its user.
    pub confinement: Confinement,
    /// Logs and metrics.
    pub telemetry: Telemetry,
    /// The time that a shutdown takes.
    pub lifecycle: Lifecycle,
    /// The settings of the program that bandog replaces.
    pub replaced: Replaced,
    /// Oddities that do not prevent a start, such as an unknown `BANDOG_*` variable; logged at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Whether the headers of a request decide how its body is decoded. Otherwise it is stored as sent.
    #[must_use]
    pub fn decodes(&self) -> bool {
        self.bodies.decode || self.mode == Mode::Files
    }

    /// The callers that are let in, for the description of the actions.
    #[must_use]
    pub fn callers(&self) -> Authentication {
        match self.listener.auth {
            Auth { jwt: Some(_), .. } => Authentication::Jwt,
            Auth { token: Some(_), .. } => Authentication::Token,
            Auth { token: None, jwt: None } => Authentication::None,
        }
    }

    /// Whether a response is encoded in the form that the caller asks for. Otherwise it is sent as it is.
    #[must_use]
    pub fn encodes(&self) -> bool {
        self.bodies.encode || self.mode == Mode::Files
    }
}

//! The whole of a file: the service, with its actions and its life.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{action::Action, schema::Schema};

/// A service, as its file describes it. A file with a mistake in it makes none.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// The file.
    pub file: PathBuf,
    /// Which of the two the file is of.
    pub generation: Generation,
    /// Who it is.
    pub info: Info,
    /// In the order of the file; no two of one name.
    pub actions: Vec<Arc<Action>>,
    /// How the process behind its HTTP actions is started and stopped.
    pub lifecycle: Lifecycle,
    /// How that process says that it is ready.
    pub health: Option<Health>,
    /// The variables that it needs.
    pub environment: Vec<Variable>,
    /// Paths whose traffic goes straight through to that process.
    pub forwards: Vec<Forward>,
    /// Where that process has metrics of its own.
    pub metrics: Option<ScrapeTarget>,
}

/// A generation of the specification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Generation {
    /// `omg: 1`, of 2018.
    Omg,
    /// `oms: 1`, of 2019.
    #[default]
    Oms,
}

impl Generation {
    /// Whether a connection to a server serves one request of an action only.
    #[must_use]
    pub fn closes_connections(self) -> bool {
        match self {
            Self::Omg => true,
            Self::Oms => false,
        }
    }
}

/// Who a service is; all of it for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whom to ask: name, URL and address, each if there is one.
    pub contact: [Option<String>; 3],
    /// The terms: name and URL, each if there is one.
    pub license: [Option<String>; 2],
}

/// How the process behind HTTP actions is started and stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// `startup.command` in words, the program first; empty if somebody else starts it.
    pub startup: Vec<String>,
    /// `startup.port` of 2018: where it listens, for actions that name no port.
    pub port: Option<u16>,
    /// What is run to stop it; then, or without it, it is sent SIGTERM, and SIGKILL after the grace period.
    pub shutdown: Option<Shutdown>,
}

/// What is run to stop the service's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// In words, the program first; not empty.
    pub command: Vec<String>,
    /// How long that may take; `--kill-grace` if nothing is said.
    pub timeout: Option<Duration>,
}

/// What the service's process answers with 2xx or 3xx when it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its port.
    pub port: u16,
    /// The path to ask for.
    pub path: String,
}

/// A variable of the environment that the service needs.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name, in upper case.
    pub name: String,
    /// What its text has to be.
    pub schema: Schema,
    /// Without it, and without a default, there is no start.
    pub required: bool,
    /// What the service finds if nobody has set it.
    pub default: Option<String>,
    /// Its value is never shown.
    pub sensitive: bool,
    /// Nobody should set it any more.
    pub deprecated: bool,
    /// What it is for.
    pub help: Option<String>,
}

/// A path whose traffic goes straight through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub help: Option<String>,
    /// The port of the service's process.
    pub port: u16,
    /// The path, and with it all below.
    pub path: String,
}

/// Where the service's process has metrics of its own, in the Prometheus text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeTarget {
    /// Its port.
    pub port: u16,
    /// The path to ask for.
    pub path: String,
}

impl Service {
    /// What it is in one line, for the operator.
    #[must_use]
    pub fn summary(&self) -> String {
        let (count, file) = (self.actions.len(), self.file.display());
        format!("{count} action{} of {file}", if count == 1 { "" } else { "s" })
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Arc<Action>> {
        self.actions.iter().find(|action| action.name == name)
    }
}

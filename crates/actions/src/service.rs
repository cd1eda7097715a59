//! The content of a file of actions: the service, its actions, and the process behind them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{action::Action, schema::Schema};

/// A service as its file describes it. A file with a mistake yields none.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// The path of the file.
    pub file: PathBuf,
    /// The generation of the specification that the file follows.
    pub generation: Generation,
    /// The title and other information for people.
    pub info: Info,
    /// In the order of the file; names are unique.
    pub actions: Vec<Arc<Action>>,
    /// How the process behind HTTP actions is started and stopped.
    pub lifecycle: Lifecycle,
    /// The readiness check of that process.
    pub health: Option<Health>,
    /// The environment variables that the service needs.
    pub environment: Vec<Variable>,
    /// Paths whose traffic is forwarded to that process.
    pub forwards: Vec<Forward>,
    /// The metrics of that process.
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
    /// Whether each request of an action uses a connection of its own.
    #[must_use]
    pub fn closes_connections(self) -> bool {
        match self {
            Self::Omg => true,
            Self::Oms => false,
        }
    }
}

/// Information about a service, for people only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Its purpose.
    pub description: Option<String>,
    /// The contact: name, URL and e-mail address, each optional.
    pub contact: [Option<String>; 3],
    /// The licence: name and URL, each optional.
    pub license: [Option<String>; 2],
}

/// How the process behind HTTP actions is started and stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// The words of `startup.command`, the program first; empty if the process is started elsewhere.
    pub startup: Vec<String>,
    /// `startup.port` of 2018: the port it listens on, for actions that name none.
    pub port: Option<u16>,
    /// The command that stops it. After it, or without one, the process gets SIGTERM, and SIGKILL after the grace
    /// period.
    pub shutdown: Option<Shutdown>,
}

/// The command that stops the service's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// Its words, the program first; not empty.
    pub command: Vec<String>,
    /// The time it may take; `None` for `--kill-grace`.
    pub timeout: Option<Duration>,
}

/// The readiness check: the service's process is ready if it responds with 2xx or 3xx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The port.
    pub port: u16,
    /// The path to request.
    pub path: String,
}

/// An environment variable that the service needs.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name, in upper case.
    pub name: String,
    /// The schema of its text.
    pub schema: Schema,
    /// Whether bandog refuses to start without it, unless there is a default.
    pub required: bool,
    /// The value if it is not set.
    pub default: Option<String>,
    /// Whether its value is never shown.
    pub sensitive: bool,
    /// Operators should no longer set it.
    pub deprecated: bool,
    /// A description for people.
    pub help: Option<String>,
}

/// A path whose traffic is forwarded to the service's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// Its name.
    pub name: String,
    /// A description for people.
    pub help: Option<String>,
    /// The port of the service's process.
    pub port: u16,
    /// The path; all paths below it are forwarded too.
    pub path: String,
}

/// The metrics of the service's process, in the Prometheus text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrapeTarget {
    /// The port.
    pub port: u16,
    /// The path to request.
    pub path: String,
}

impl Service {
    /// A summary in one line, for the operator.
    #[must_use]
    pub fn summary(&self) -> String {
        let counted = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let (actions, forwards) = (self.actions.len(), self.forwards.len());
        let count =
            if actions == 0 && forwards > 0 { counted(forwards, "forward") } else { counted(actions, "action") };
        format!("{count} of {}", self.file.display())
    }

    /// The action of this name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Arc<Action>> {
        self.actions.iter().find(|action| action.name == name)
    }
}

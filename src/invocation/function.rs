//! What is run for each request, and under which rules.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use super::{action::Task, bounds::Bounds, stdout};
use crate::{
    actions::Action,
    config::{self, Command, Config, Stdin, Supervisor},
    logs::Level,
    output::Reader,
    process::{self, Program, Rules},
    workspace::{Root, Workspace},
};

/// What all functions of one bandog stand on. Clones share it.
#[derive(Debug, Clone)]
pub struct Ground {
    bounds: Arc<Bounds>,
    empty_input: Arc<OwnedFd>,
    workspaces: Arc<Root>,
}

impl Ground {
    /// Prepares the configured bounds, for functions in workspaces below `workspaces`. To be made once: a cgroup is
    /// looked for, and bandog may move in it.
    ///
    /// # Errors
    /// The bounds cannot be prepared, or there is no descriptor left.
    pub fn new(config: &Config, workspaces: Arc<Root>) -> io::Result<Self> {
        let bounds = Arc::new(Bounds::new(&config.confinement)?);
        Ok(Self { bounds, empty_input: Arc::new(process::empty_input()?), workspaces })
    }
}

/// What to run, and under which rules: the same for every invocation.
#[derive(Debug)]
pub struct Function {
    pub(super) program: Program,
    pub(super) rules: Rules,
    pub(super) bounds: Arc<Bounds>,
    pub(super) stdin: Stdin,
    /// How its standard output becomes the answer, if it does.
    pub(super) stdout: Option<stdout::Rules>,
    /// What the function finds on its standard input under [`Stdin::Null`].
    pub(super) empty_input: Arc<OwnedFd>,
    pub(super) max_body: u64,
    pub(super) log_level: Level,
    pub(super) max_logs: u64,
    pub(super) forward_logs: bool,
    /// The logs' own lines are wanted apart.
    pub(super) own_lines: bool,
    /// What it has written to standard output is told though it failed.
    pub(super) tells_failed_output: bool,
    pub(super) supervisor: Option<Supervisor>,
    pub(super) workspaces: Arc<Root>,
    /// The action that it does, if it does one.
    pub(super) task: Option<Task>,
    /// Where the script is that was given in the environment; removed with the function.
    _script: Option<Workspace>,
}

impl Function {
    /// Prepares the configured function.
    ///
    /// # Errors
    /// No function is configured, an argument or a variable holds a NUL byte, or an inline script cannot be written.
    pub fn new(config: &Config, ground: &Ground) -> io::Result<Self> {
        let configured = config.command.as_ref().ok_or_else(|| io::Error::other("no function is configured"))?;
        let (command, script) = match &configured.inline_script {
            None => (configured.clone(), None),
            // From here on it is a script like any other.
            Some(text) => {
                let script = ground.workspaces.workspace()?;
                let path = script.add_script(text)?;
                // OSCAR runs its own by the shell whatever they begin with; the image may not have what they name.
                let how = if config.supervisor.is_some() { config::shell_script } else { config::script };
                let command = how(&path, configured.origin).map_err(io::Error::other)?;
                if let Some(user) = &config.confinement.user {
                    script.lend_script(user.gid)?;
                }
                (command, Some(script))
            }
        };
        Ok(Self { _script: script, ..Self::of_command(config, ground, &command)? })
    }

    /// Prepares a command to run as the function is.
    fn of_command(config: &Config, ground: &Ground, command: &Command) -> io::Result<Self> {
        let Ground { bounds, empty_input, workspaces } = ground.clone();
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment(config))?,
            rules: Rules { timeout: config.exec_timeout, grace: config.kill_grace },
            bounds,
            stdin: config.stdin,
            stdout: stdout::Rules::of(config),
            empty_input,
            max_body: config.max_body,
            log_level: config.captured_level(),
            max_logs: config.max_logs,
            forward_logs: config.forward_logs,
            own_lines: config.watchdog.as_ref().is_some_and(|watchdog| watchdog.combine_output == Some(true)),
            tells_failed_output: config.tells_failed_output(),
            supervisor: config.supervisor.clone(),
            workspaces,
            task: None,
            _script: None,
        })
    }

    /// Prepares a command of the service's own: its process, or what stops that within `limit`.
    ///
    /// # Errors
    /// An argument or a variable holds a NUL byte.
    pub fn of_service(
        config: &Config,
        ground: &Ground,
        command: &Command,
        limit: Option<Duration>,
    ) -> io::Result<Self> {
        // Where it listens is for the file to say.
        let environment = environment(config).into_iter().filter(|(name, _)| name != PORT);
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment)?,
            rules: Rules { timeout: limit, grace: config.kill_grace },
            stdin: Stdin::Null,
            supervisor: None,
            ..Self::of_command(config, ground, command)?
        })
    }

    /// Prepares the command of an action; `program` is what its first word means.
    ///
    /// # Errors
    /// An argument or a variable holds a NUL byte.
    pub fn of_action(config: &Config, ground: &Ground, action: &Arc<Action>, program: &Command) -> io::Result<Self> {
        Ok(Self {
            stdin: Stdin::Null,
            stdout: Some(stdout::Rules::of_action(config)),
            log_level: config.log_level,
            own_lines: false,
            tells_failed_output: false,
            supervisor: None,
            task: Some(Task { action: Arc::clone(action), retries: config.retries }),
            ..Self::of_command(config, ground, program)?
        })
    }

    /// Whether its answer can be taken while it writes it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.is_live)
    }

    /// Whether its answer is sent as it is, whatever its caller accepts.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.is_bare)
    }

    /// The media type of its standard output, where that is the answer.
    #[must_use]
    pub fn answer_type(&self) -> &str {
        self.stdout.as_ref().map_or("text/plain", |rules| &rules.media_type)
    }

    /// On whose behalf its output is read.
    pub(super) fn reader(&self) -> Option<Reader> {
        self.bounds.limits.user.as_ref().map(|user| Reader { uid: user.uid })
    }

    /// Where its workspaces are.
    #[must_use]
    pub fn workspaces(&self) -> &Arc<Root> {
        &self.workspaces
    }
}

/// What functions inherit, with what belongs to their own user and sandbox in place of bandog's.
fn environment(config: &Config) -> Vec<(OsString, OsString)> {
    let mut variables = config.environment.clone();
    if config.mode == config::Mode::Http {
        // bandog's own.
        variables.retain(|(name, _)| name != PORT);
    }
    if config.confinement.sandbox {
        // It gets one of its own each time.
        variables.retain(|(name, _)| name != TMPDIR);
    }
    if let Some(user) = &config.confinement.user {
        variables.retain(|(name, _)| !["HOME", "USER", "LOGNAME"].iter().any(|own| name == own));
        let home = user.home.as_ref().map_or(OsStr::new("/"), |home| home.as_os_str());
        variables.push(("HOME".into(), home.into()));
        for name in ["USER", "LOGNAME"] {
            variables.extend(user.name.as_ref().map(|value| (name.into(), value.into())));
        }
    }
    variables
}

/// Where programs make their temporary files.
pub(super) const TMPDIR: &str = "TMPDIR";

/// Where a function that speaks HTTP is to listen.
pub const PORT: &str = "PORT";

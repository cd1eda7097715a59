//! What is run for each request, and under which rules.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use super::{
    action::Task,
    bounds::Bounds,
    command::{Command, Interpreter},
    settings::{Confinement, FunctionSettings, Logging, OwnLines, Stdin, Timeouts},
    stdout,
};
use crate::{
    actions::Action,
    input::InputFilter,
    output::FileAccess,
    process::{self, Program, Rules},
    workspace::{Workspace, WorkspaceRoot},
};

/// What all functions of one bandog stand on. Clones share it.
#[derive(Debug, Clone)]
pub struct Ground {
    bounds: Arc<Bounds>,
    empty_input: Arc<OwnedFd>,
    workspaces: Arc<WorkspaceRoot>,
}

impl Ground {
    /// Prepares the bounds, for functions in workspaces below `workspaces`. To be made once: a cgroup is
    /// looked for, and bandog may move in it.
    ///
    /// # Errors
    /// The bounds cannot be prepared, or there is no descriptor left.
    pub fn new(confinement: &Confinement, workspaces: Arc<WorkspaceRoot>) -> io::Result<Self> {
        let bounds = Arc::new(Bounds::new(confinement)?);
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
    pub(super) logging: Logging,
    /// Whether the response to a failed invocation contains what it wrote to standard output.
    pub(super) shows_failed_output: bool,
    pub(super) input_filter: Option<Arc<dyn InputFilter>>,
    pub(super) workspaces: Arc<WorkspaceRoot>,
    /// The action that it does, if it does one.
    pub(super) task: Option<Task>,
    /// Where the script is that was given in the environment; removed with the function.
    _script: Option<Workspace>,
}

impl Function {
    /// Prepares the function that `command` is.
    ///
    /// # Errors
    /// An argument or a variable contains a NUL byte, or an inline script cannot be written.
    pub fn new(settings: &FunctionSettings, ground: &Ground, command: &Command) -> io::Result<Self> {
        let Some(inline) = &command.inline_script else { return Self::of_command(settings, ground, command) };
        let script = ground.workspaces.workspace()?;
        let path = script.add_script(&inline.text)?;
        let command = match inline.interpreter {
            Interpreter::ByFirstLine => Command::script(&path, command.origin),
            Interpreter::Shell => Command::shell_script(&path, command.origin),
        };
        let command = command.map_err(io::Error::other)?;
        if let Some(user) = &settings.confinement.user {
            script.share_script(user.gid)?;
        }
        Ok(Self { _script: Some(script), ..Self::of_command(settings, ground, &command)? })
    }

    /// Prepares a command to run as the function is.
    fn of_command(settings: &FunctionSettings, ground: &Ground, command: &Command) -> io::Result<Self> {
        let Ground { bounds, empty_input, workspaces } = ground.clone();
        let Timeouts { exec, grace } = settings.timeouts;
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment(settings))?,
            rules: Rules { timeout: exec, grace },
            bounds,
            stdin: settings.stdin,
            stdout: stdout::Rules::of(settings),
            empty_input,
            max_body: settings.max_body,
            logging: settings.logging,
            shows_failed_output: settings.shows_failed_output,
            input_filter: settings.input_filter.clone(),
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
        settings: &FunctionSettings,
        ground: &Ground,
        command: &Command,
        limit: Option<Duration>,
    ) -> io::Result<Self> {
        // Where it listens is for the file to say.
        let environment = environment(settings).into_iter().filter(|(name, _)| name != PORT);
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment)?,
            rules: Rules { timeout: limit, grace: settings.timeouts.grace },
            stdin: Stdin::Null,
            input_filter: None,
            ..Self::of_command(settings, ground, command)?
        })
    }

    /// Prepares the command of an action; `program` is what its first word means.
    ///
    /// # Errors
    /// An argument or a variable holds a NUL byte.
    pub fn of_action(
        settings: &FunctionSettings,
        ground: &Ground,
        action: &Arc<Action>,
        program: &Command,
    ) -> io::Result<Self> {
        Ok(Self {
            stdin: Stdin::Null,
            stdout: Some(stdout::Rules::of_action(settings)),
            logging: Logging { own_lines: OwnLines::Among, ..settings.logging },
            shows_failed_output: false,
            input_filter: None,
            task: Some(Task { action: Arc::clone(action), retries: settings.retries }),
            ..Self::of_command(settings, ground, program)?
        })
    }

    /// Whether its answer can be taken while it writes it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.policy.is_live)
    }

    /// Whether its answer is sent as it is, whatever its caller accepts.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.policy.is_bare)
    }

    /// The media type of its standard output, where that is the answer.
    #[must_use]
    pub fn answer_type(&self) -> &str {
        self.stdout.as_ref().map_or("text/plain", |rules| &rules.policy.media_type)
    }

    /// On whose behalf its output is read.
    pub(super) fn reader(&self) -> Option<FileAccess> {
        self.bounds.limits.user.as_ref().map(|user| FileAccess { uid: user.uid })
    }

    /// Where its workspaces are.
    #[must_use]
    pub fn workspaces(&self) -> &Arc<WorkspaceRoot> {
        &self.workspaces
    }
}

/// What functions inherit, with what belongs to their own user and sandbox in place of bandog's.
fn environment(settings: &FunctionSettings) -> Vec<(OsString, OsString)> {
    let mut variables = settings.environment.clone();
    if settings.confinement.sandbox {
        // Each invocation gets a directory of its own.
        variables.retain(|(name, _)| name != TMPDIR);
    }
    if let Some(user) = &settings.confinement.user {
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

//! The function: the program that runs for each request, and its rules.

mod limits;

use std::{
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};

use self::limits::FunctionLimits;
use super::{
    action::ActionCommand,
    command::{Command, Interpreter},
    settings::{Confinement, FunctionSettings, Logging, OwnLines, Stdin, Timeouts},
    stdout::StdoutRules,
};
use crate::storage::Storage;
use crate::{
    actions::Action,
    input::InputFilter,
    output::FileAccess,
    process::{self, Program, Rules},
    workspace::{Workspace, WorkspaceRoot},
};

/// The resources that all functions of one bandog share. A clone refers to the same resources.
#[derive(Debug, Clone)]
pub struct FunctionContext {
    limits: Arc<FunctionLimits>,
    empty_input: Arc<OwnedFd>,
    workspaces: Arc<WorkspaceRoot>,
}

impl FunctionContext {
    /// Prepares the limits, for functions with workspaces below `workspaces`. To be called once: it looks for a cgroup,
    /// and may move bandog within it.
    ///
    /// # Errors
    /// The limits cannot be prepared, or no descriptor is left.
    pub fn new(confinement: &Confinement, workspaces: Arc<WorkspaceRoot>) -> io::Result<Self> {
        let limits = Arc::new(FunctionLimits::new(confinement)?);
        Ok(Self { limits, empty_input: Arc::new(process::empty_input()?), workspaces })
    }
}

/// The program to run and its rules, the same for every invocation.
#[derive(Debug)]
pub struct Function {
    pub(crate) program: Program,
    pub(crate) rules: Rules,
    pub(crate) limits: Arc<FunctionLimits>,
    pub(super) stdin: Stdin,
    /// How standard output becomes the response; `None` where it belongs to the logs.
    pub(super) stdout: Option<StdoutRules>,
    /// The standard input under [`Stdin::Null`].
    pub(crate) empty_input: Arc<OwnedFd>,
    pub(super) max_body: u64,
    pub(super) logging: Logging,
    /// Whether the response to a failed invocation contains its standard output.
    pub(super) shows_failed_output: bool,
    pub(super) input_filter: Option<Arc<dyn InputFilter>>,
    /// `None` where events are only bodies, and outputs only responses.
    pub(super) storage: Option<Arc<dyn Storage>>,
    pub(crate) workspaces: Arc<WorkspaceRoot>,
    /// `None` for a function that is not an action.
    pub(super) action: Option<ActionCommand>,
    /// The directory of the script that was given in the environment; removed with the function.
    _script: Option<Workspace>,
}

impl Function {
    /// Prepares a function that runs `command`.
    ///
    /// # Errors
    /// An argument or a variable contains a NUL byte, or an inline script cannot be written.
    pub fn new(settings: &FunctionSettings, context: &FunctionContext, command: &Command) -> io::Result<Self> {
        let Some(inline) = &command.inline_script else { return Self::of_command(settings, context, command) };
        let script = context.workspaces.workspace()?;
        let path = script.add_script(&inline.text)?;
        let command = match inline.interpreter {
            Interpreter::ByFirstLine => Command::script(&path, command.origin),
            Interpreter::Shell => Command::shell_script(&path, command.origin),
        };
        let command = command.map_err(io::Error::other)?;
        if let Some(user) = &settings.confinement.user {
            script.share_script(user.gid)?;
        }
        Ok(Self { _script: Some(script), ..Self::of_command(settings, context, &command)? })
    }

    /// Prepares a command with the settings of the function.
    fn of_command(settings: &FunctionSettings, context: &FunctionContext, command: &Command) -> io::Result<Self> {
        let FunctionContext { limits, empty_input, workspaces } = context.clone();
        let Timeouts { exec, grace } = settings.timeouts;
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment(settings))?,
            rules: Rules { timeout: exec, grace },
            limits,
            stdin: settings.stdin,
            stdout: StdoutRules::of(settings),
            empty_input,
            max_body: settings.max_body,
            logging: settings.logging,
            shows_failed_output: settings.shows_failed_output,
            input_filter: settings.input_filter.clone(),
            storage: settings.storage.clone(),
            workspaces,
            action: None,
            _script: None,
        })
    }

    /// Prepares a command of a service: its process, or the command that stops that process within `limit`.
    ///
    /// # Errors
    /// An argument or a variable contains a NUL byte.
    pub fn of_service(
        settings: &FunctionSettings,
        context: &FunctionContext,
        command: &Command,
        limit: Option<Duration>,
    ) -> io::Result<Self> {
        // The microservice file says on which port it listens.
        let environment = environment(settings).into_iter().filter(|(name, _)| name != PORT);
        Ok(Self {
            program: Program::new(&command.program, &command.arguments, environment)?,
            rules: Rules { timeout: limit, grace: settings.timeouts.grace },
            stdin: Stdin::Null,
            input_filter: None,
            storage: None,
            ..Self::of_command(settings, context, command)?
        })
    }

    /// Prepares the command of an action; `program` is the command that its first word names.
    ///
    /// # Errors
    /// An argument or a variable contains a NUL byte.
    pub fn of_action(
        settings: &FunctionSettings,
        context: &FunctionContext,
        action: &Arc<Action>,
        program: &Command,
    ) -> io::Result<Self> {
        Ok(Self {
            stdin: Stdin::Null,
            stdout: Some(StdoutRules::of_action(settings)),
            logging: Logging {
                own_lines: match settings.logging.own_lines {
                    OwnLines::Apart => OwnLines::Apart,
                    OwnLines::Among | OwnLines::CopiedApart | OwnLines::LeftOut => OwnLines::Among,
                },
                ..settings.logging
            },
            shows_failed_output: false,
            input_filter: None,
            storage: None,
            action: Some(ActionCommand { action: Arc::clone(action), retries: settings.retries }),
            ..Self::of_command(settings, context, program)?
        })
    }

    /// Whether its response can be sent while it is written.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.policy.is_live)
    }

    /// Whether its response is sent as it is, whatever encoding the caller accepts.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.stdout.as_ref().is_some_and(|rules| rules.policy.is_bare)
    }

    /// The media type of its standard output as a response.
    #[must_use]
    pub fn answer_type(&self) -> &str {
        self.stdout.as_ref().map_or("text/plain", |rules| &rules.policy.media_type)
    }

    /// The user whose permissions apply when its output is read; `None` for bandog's own.
    pub(super) fn reader(&self) -> Option<FileAccess> {
        self.limits.settings.user.as_ref().map(|user| FileAccess { uid: user.uid })
    }

    /// Whether the output files of a successful run are stored.
    pub(super) fn stores_output(&self) -> bool {
        cfg!(feature = "storage") && self.storage.as_ref().is_some_and(|storage| storage.takes_output(true))
    }

    /// The directory of its workspaces.
    #[must_use]
    pub fn workspaces(&self) -> &Arc<WorkspaceRoot> {
        &self.workspaces
    }
}

/// The variables that functions inherit, with those of their own user and sandbox in place of bandog's.
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

/// The variable for the directory of temporary files.
pub(crate) const TMPDIR: &str = "TMPDIR";

/// The variable for the port on which a function that speaks HTTP listens.
pub const PORT: &str = "PORT";

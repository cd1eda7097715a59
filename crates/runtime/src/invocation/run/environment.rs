//! The variables, the arguments and the standard input that a process is started with.

use std::{
    ffi::{CString, OsStr},
    io,
    os::fd::OwnedFd,
};

use rustix::fs::{Mode, OFlags};

use super::Invocation;
use crate::{
    input::Input,
    invocation::{action::ActionArguments, function::TMPDIR, outcome::Failure, settings::Stdin},
    logs::Level,
    process::{self, variable},
};

/// The variable that names the action.
const ACTION: &str = "ACTION";

/// The variable that names the file with the arguments of an action that are too long for a command line.
const ARGUMENTS_PATH: &str = "ARGUMENTS_PATH";

/// The parts of a process start that depend on the request. Each attempt uses the same.
#[derive(Debug, Default)]
pub(super) struct LaunchSpec {
    /// The variables in addition to the inherited ones.
    pub(super) variables: Vec<CString>,
    /// The arguments in place of the program's own.
    pub(super) arguments: Option<Vec<CString>>,
    /// The standard input; `None` for an empty one.
    pub(super) stdin: Option<OwnedFd>,
}

impl Invocation<'_> {
    /// Prepares the start of the process. From here on the workspace belongs to the function's user.
    pub(super) fn prepare(&mut self, input: &Input, arguments: Option<ActionArguments>) -> Result<LaunchSpec, Failure> {
        let function = self.function;
        let output_dir = self.workspace.output_path();
        let mut launch =
            LaunchSpec { variables: self.variables(input).map_err(Failure::Supervise)?, ..LaunchSpec::default() };
        let mut set = |name: &str, value: &OsStr| -> Result<(), Failure> {
            launch.variables.push(variable(OsStr::new(name), value).map_err(Failure::Supervise)?);
            Ok(())
        };
        set(process::TAG_VARIABLE, output_dir.as_os_str())?;
        if function.limits.settings.sandbox {
            let scratch = self.workspace.add_scratch().map_err(Failure::Workspace)?;
            set(TMPDIR, scratch.as_os_str())?;
        }
        if let (Some(command), Some(arguments)) = (&function.action, arguments) {
            set(ACTION, OsStr::new(&command.action.name))?;
            if let Some(json) = &arguments.json {
                let (path, reader) = self.workspace.add_arguments(json.as_bytes()).map_err(Failure::Workspace)?;
                set(ARGUMENTS_PATH, path.as_os_str())?;
                launch.stdin = Some(reader);
            }
            launch.arguments = Some([function.program.arguments(), &arguments.words].concat());
        }
        if self.log.keeps(Level::Debug) {
            let own = launch.variables.iter().map(|pair| name_of(pair));
            let names: Vec<_> = function.program.environment_names().chain(own).collect();
            self.log.note(Level::Debug, &format!("environment: {}", names.join(" ")));
        }
        if let (Stdin::Input, Some(path)) = (function.stdin, &input.path) {
            let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            launch.stdin = Some(opened.map_err(|error| Failure::Supervise(error.into()))?);
        }
        function.limits.hand_over(self.workspace)?;
        Ok(launch)
    }

    /// The variables that every function gets ("Environment" in docs/functions.md), except for [`process::TAG_VARIABLE`].
    fn variables(&self, input: &Input) -> io::Result<Vec<CString>> {
        let mut variables = Vec::with_capacity(self.call.variables.len() + 8);
        let mut set = |name: &str, value: &OsStr| -> io::Result<()> {
            variables.push(variable(OsStr::new(name), value)?);
            Ok(())
        };
        if let Some(path) = &input.path {
            set("INPUT_FILE_PATH", path.as_os_str())?;
        }
        set("TMP_INPUT_DIR", self.workspace.input_path().as_os_str())?;
        set("RESPONSE_HEADERS_PATH", self.workspace.headers_path().as_os_str())?;
        set("CALL_ID", OsStr::new(&self.call.id))?;
        if let Some(event) = &input.event {
            set("STORAGE_OBJECT_KEY", OsStr::new(&event.object_key))?;
            set("EVENT_TIME", OsStr::new(&event.time))?;
            set("EVENT", OsStr::new(&event.json))?;
        }
        for (name, value) in &input.variables {
            variables.push(variable(name, value)?);
        }
        variables.extend(self.call.variables.iter().cloned());
        Ok(variables)
    }
}

/// The name in `NAME=value`.
fn name_of(pair: &CString) -> std::borrow::Cow<'_, str> {
    let bytes = pair.as_bytes();
    String::from_utf8_lossy(bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes))
}

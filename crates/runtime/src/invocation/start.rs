//! What a process is started with: its variables, its words, its standard input.

use std::{
    ffi::{CString, OsStr},
    io,
    os::fd::OwnedFd,
};

use rustix::fs::{Mode, OFlags};

use super::{Failure, Run, action::Words, function::TMPDIR, settings::Stdin};
use crate::{
    input::Input,
    logs::Level,
    process::{self, variable},
};

/// The variable that names the action.
const ACTION: &str = "ACTION";

/// The variable that names the file with the arguments of an action, where they are too long for a command line.
const ARGUMENTS_PATH: &str = "ARGUMENTS_PATH";

/// What each attempt is started with.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// On top of what is inherited.
    pub(super) variables: Vec<CString>,
    /// In place of the program's own.
    pub(super) arguments: Option<Vec<CString>>,
    /// Where its standard input is not empty.
    pub(super) stdin: Option<OwnedFd>,
}

impl Run<'_> {
    /// Makes ready what the process is started with. What is in the workspace is its user's from here on.
    pub(super) fn prepare(&mut self, input: &Input, words: Option<Words>) -> Result<Start, Failure> {
        let function = self.function;
        let output_dir = self.workspace.output_path();
        let mut start = Start { variables: self.variables(input).map_err(Failure::Supervise)?, ..Start::default() };
        let mut set = |name: &str, value: &OsStr| -> Result<(), Failure> {
            start.variables.push(variable(OsStr::new(name), value).map_err(Failure::Supervise)?);
            Ok(())
        };
        set(process::TAG_VARIABLE, output_dir.as_os_str())?;
        if function.bounds.limits.sandbox {
            let scratch = self.workspace.add_scratch().map_err(Failure::Workspace)?;
            set(TMPDIR, scratch.as_os_str())?;
        }
        if let (Some(task), Some(words)) = (&function.task, words) {
            set(ACTION, OsStr::new(&task.action.name))?;
            if let Some(json) = &words.json {
                let (path, reader) = self.workspace.add_arguments(json.as_bytes()).map_err(Failure::Workspace)?;
                set(ARGUMENTS_PATH, path.as_os_str())?;
                start.stdin = Some(reader);
            }
            start.arguments = Some([function.program.arguments(), &words.arguments].concat());
        }
        if self.journal.keeps(Level::Debug) {
            let own = start.variables.iter().map(|pair| name_of(pair));
            let names: Vec<_> = function.program.environment_names().chain(own).collect();
            self.journal.note(Level::Debug, &format!("environment: {}", names.join(" ")));
        }
        if let (Stdin::Input, Some(path)) = (function.stdin, &input.path) {
            let opened = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
            start.stdin = Some(opened.map_err(|error| Failure::Supervise(error.into()))?);
        }
        function.bounds.hand_over(self.workspace)?;
        Ok(start)
    }

    /// The variables that every function finds ("Its environment" in the README), but for [`process::TAG_VARIABLE`].
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

fn name_of(pair: &CString) -> std::borrow::Cow<'_, str> {
    let bytes = pair.as_bytes();
    String::from_utf8_lossy(bytes.split(|byte| *byte == b'=').next().unwrap_or(bytes))
}

//! `--actions`: finds the actions file, reads it, and finds the programs and variables that it names.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use super::{
    program,
    reader::{RawValue, Reader, read_bounded},
    report::{Mistake, Origin},
    setting,
};
use crate::{
    actions::{self, Endpoint, Interface, ParsedFile, Service, Variable},
    invocation::Command,
};

/// The default names of the file, the newest first.
const NAMES: [&str; 4] = ["oms.yml", "oms.yaml", "microservice.yml", "microservice.yaml"];

/// The actions of the service, and the programs that they run.
#[derive(Debug, Clone, Default)]
pub struct Actions {
    /// The content of the actions file; `None` without one.
    pub service: Option<Arc<Service>>,
    /// The programs of its commands.
    pub programs: Programs,
}

/// The programs of the commands in the actions file, found at start as the function is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    /// By the name of the action; every command action has one. The arguments end with the name of the program; the
    /// action has the rest.
    pub actions: BTreeMap<String, Command>,
    /// `lifecycle.startup.command`, with all its words.
    pub startup: Option<Command>,
    /// `lifecycle.shutdown.command`, with all its words.
    pub shutdown: Option<Command>,
}

/// The result of reading `--actions`.
#[derive(Debug, Default)]
pub(super) struct ActionsFile {
    /// Whether there is a file, perhaps with mistakes in it.
    pub(super) is_present: bool,
    pub(super) actions: Actions,
    /// The defaults of variables that are not set.
    pub(super) defaults: Vec<(OsString, OsString)>,
}

/// Reads the file, and finds everything that it names.
pub(super) fn read(reader: &mut Reader<'_>) -> ActionsFile {
    let Some((file, reading)) = read_file(reader) else { return ActionsFile::default() };
    let ParsedFile { service, lines, .. } = reading;
    let mut result = ActionsFile { is_present: true, ..ActionsFile::default() };
    let Some(service) = service else { return result };
    let service = Arc::new(service);
    let mut names = Names { reader, file: &file, lines: &lines };
    let programs = &mut result.actions.programs;
    for action in &service.actions {
        let origin = names.origin(&[&format!("actions.{}", action.name), &format!("commands.{}", action.name)]);
        let value = names.interface(&action.name, &action.interface, programs);
        names.reader.enter(format!("action {}", action.name), value, origin);
    }
    programs.startup = names.lifecycle("startup", &service.lifecycle.startup);
    let shutdown = service.lifecycle.shutdown.as_ref();
    programs.shutdown = shutdown.and_then(|shutdown| names.lifecycle("shutdown", &shutdown.command));
    for variable in &service.environment {
        result.defaults.extend(names.variable(variable));
    }
    result.actions.service = Some(service);
    result
}

/// Finds and parses the file, and records its mistakes and warnings.
pub(super) fn read_file(reader: &mut Reader<'_>) -> Option<(PathBuf, ParsedFile)> {
    let setting = &setting::ACTIONS;
    let raw = reader.raw(setting);
    if raw.as_ref().is_some_and(|raw| raw.value.eq_ignore_ascii_case("off")) {
        reader.note(setting, "off", raw?.origin);
        return None;
    }
    let Some(raw) = raw.or_else(|| default_file(reader)) else {
        reader.note_unset(setting);
        return None;
    };
    reader.note(setting, raw.value.to_string_lossy(), raw.origin.clone());
    let file = path::absolute(&raw.value).map_err(|_| "expected a file, or off".to_owned());
    let content = file.and_then(|file| Ok((read_bounded(&file, actions::MAX_BYTES)?, file)));
    let Some((bytes, file)) = reader.accept(setting, Some(raw), content) else {
        return Some((PathBuf::new(), ParsedFile::default()));
    };
    let mut reading = Service::read(&file, &bytes);
    for warning in reading.warnings.drain(..) {
        reader.warn(format!("{}:{}: {warning}", file.display(), warning.line));
    }
    for actions::Diagnostic { line, path, value, advice } in reading.mistakes.drain(..) {
        let origin = Origin::Line { file: file.clone(), line };
        reader.mistakes.push(Mistake { name: path, value, origin, advice });
    }
    Some((file, reading))
}

/// The file with one of the default names. In the place of another program there is none: that program did not know
/// such files.
fn default_file(reader: &Reader<'_>) -> Option<RawValue> {
    if reader.sources.invoked_as.is_replacement() {
        return None;
    }
    let directories = &reader.sources.paths.actions;
    let mut files = directories.iter().flat_map(|directory| NAMES.map(|name| directory.join(name)));
    let file = files.find(|file| file.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()))?;
    let file = path::absolute(&file).unwrap_or(file);
    Some(RawValue { value: file.into(), origin: Origin::Default })
}

/// Looks for the programs and variables that a file names.
struct Names<'n, 'r> {
    reader: &'n mut Reader<'r>,
    file: &'n Path,
    lines: &'n BTreeMap<String, u64>,
}

impl Names<'_, '_> {
    /// The line of the first of these paths that the file has.
    fn origin(&self, paths: &[&str]) -> Origin {
        let line = paths.iter().find_map(|path| self.lines.get(*path)).copied().unwrap_or(1);
        Origin::Line { file: self.file.to_owned(), line }
    }

    fn wrong(&mut self, name: &str, value: Option<String>, origin: Origin, advice: String) {
        self.reader.mistakes.push(Mistake { name: name.to_owned(), value, origin, advice });
    }

    /// The interface of an action in words. The program of a command is added to `programs`.
    fn interface(&mut self, name: &str, interface: &Interface, programs: &mut Programs) -> String {
        match interface {
            Interface::Command(words) => {
                let words: Vec<String> = words.iter().map(ToString::to_string).collect();
                let paths = [
                    format!("actions.{name}.format.command"),
                    format!("commands.{name}.format.command"),
                    format!("actions.{name}"),
                    format!("commands.{name}"),
                ];
                let there = paths.iter().find(|path| self.lines.contains_key(*path)).unwrap_or(&paths[0]);
                let command = self.program(there, &words[..1], "action");
                programs.actions.extend(command.map(|command| (name.to_owned(), command)));
                shell_words::join(words)
            }
            Interface::Http(call) => match &call.endpoint {
                Endpoint::Service { port, path } => format!("{} {path} on port {port}", call.method),
                Endpoint::External { origin, path } => {
                    format!("{} {}{path}", call.method, origin.to_string().trim_end_matches('/'))
                }
            },
            Interface::Rpc | Interface::Events => format!("{}, described only", interface.name()),
        }
    }

    fn lifecycle(&mut self, name: &'static str, words: &[String]) -> Option<Command> {
        if words.is_empty() {
            return None;
        }
        let command = self.program(&format!("lifecycle.{name}.command"), words, name);
        let origin = self.origin(&[&format!("lifecycle.{name}.command")]);
        self.reader.enter(format!("lifecycle {name}"), shell_words::join(words), origin);
        command
    }

    /// The command of these words, if its program can be run.
    fn program(&mut self, path: &str, words: &[String], kind: &'static str) -> Option<Command> {
        let environment = &self.reader.sources.environment;
        let name = words.first()?;
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let found = program::find(environment, OsStr::new(name));
        match found.and_then(|file| Command::runnable(&file, &words, kind)) {
            Ok(command) => Some(command),
            Err(advice) => {
                let origin = self.origin(&[path]);
                self.wrong(path, Some(name.clone()), origin, advice);
                None
            }
        }
    }

    /// Checks a variable. Returns its default if it is not set.
    fn variable(&mut self, variable: &Variable) -> Option<(OsString, OsString)> {
        let Variable { name, schema, .. } = variable;
        let path = format!("environment.{name}");
        // The key may be in any case.
        let line = self.lines.iter().find(|(written, _)| written.eq_ignore_ascii_case(&path)).map(|(_, line)| *line);
        let place = Origin::Line { file: self.file.to_owned(), line: line.unwrap_or(1) };
        let set = self.reader.sources.environment.get(OsStr::new(name));
        let set = set.map(|value| value.to_string_lossy().into_owned());
        let shown = |text: &str| if variable.sensitive { "***".to_owned() } else { text.to_owned() };
        let (text, origin) = match (&set, &variable.default) {
            (Some(text), _) => (shown(text), Origin::Variable(name.clone())),
            (None, Some(text)) => (shown(text), place.clone()),
            (None, None) => ("-".to_owned(), Origin::Default),
        };
        self.reader.enter(format!("variable {name}"), text, origin);
        let Some(text) = set else {
            if variable.required && variable.default.is_none() {
                let help = variable.help.as_ref().map(|help| format!(" ({})", help.trim())).unwrap_or_default();
                let advice = format!("the variable {name} is not set; expected {}{help}", schema.expected());
                self.wrong(&path, None, place, advice);
            }
            return variable.default.as_ref().map(|text| (name.into(), text.into()));
        };
        if variable.deprecated {
            self.reader.warn(format!("{name}: deprecated according to {}", self.file.display()));
        }
        if schema.read_text(&text).is_err() {
            let advice = format!("the variable {name} does not fit; expected {}", schema.expected());
            self.wrong(&path, (!variable.sensitive).then_some(text), place, advice);
        }
        None
    }
}

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
    /// The variables to set: those that are set under a name in another case, and defaults of those that are not set.
    pub(super) defaults: Vec<(OsString, OsString)>,
}

/// Reads the file, and finds everything that it names.
pub(super) fn read(reader: &mut Reader<'_>) -> ActionsFile {
    let Some(FoundFile { file, reading, is_lenient }) = read_file(reader) else { return ActionsFile::default() };
    let ParsedFile { service, lines, has_left_out, .. } = reading;
    let mut result = ActionsFile { is_present: true, ..ActionsFile::default() };
    let Some(mut service) = service else { return result };
    let mut names = Names { reader, file: &file, lines: &lines };
    let programs = &mut result.actions.programs;
    let declared = service.actions.len();
    service.actions.retain(|action| {
        let before = names.reader.mistakes.len();
        let origin = names.origin(&[&format!("actions.{}", action.name), &format!("commands.{}", action.name)]);
        let value = names.interface(&action.name, &action.interface, programs);
        let is_left_out = is_lenient && names.reader.mistakes.len() > before;
        if is_left_out {
            let mistakes = names.reader.mistakes.split_off(before);
            let told = mistakes.iter().map(|mistake| format!("{mistake}; the action {} is left out", action.name));
            names.reader.warnings.extend(told);
        } else {
            names.reader.enter(format!("action {}", action.name), value, origin);
        }
        !is_left_out
    });
    let has_left_out = has_left_out || service.actions.len() < declared;
    if has_left_out && service.actions.is_empty() && service.forwards.is_empty() {
        let advice = "every action is left out, so there is nothing to call; the warnings name their mistakes";
        names.wrong("actions", None, Origin::Line { file: file.clone(), line: 1 }, advice.to_owned());
    }
    let service = Arc::new(service);
    programs.startup = names.lifecycle("startup", &service.lifecycle.startup);
    let shutdown = service.lifecycle.shutdown.as_ref();
    programs.shutdown = shutdown.and_then(|shutdown| names.lifecycle("shutdown", &shutdown.command));
    for variable in &service.environment {
        result.defaults.extend(names.variable(variable));
    }
    result.actions.service = Some(service);
    result
}

/// A file that has been found, and its content.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub(super) file: PathBuf,
    pub(super) reading: ParsedFile,
    /// `--actions-lenient`: actions with a mistake are left out.
    pub(super) is_lenient: bool,
}

/// Finds and parses the file, and records its mistakes and warnings.
pub(super) fn read_file(reader: &mut Reader<'_>) -> Option<FoundFile> {
    let found = find_file(reader);
    let is_lenient = reader.switch(&setting::ACTIONS_LENIENT).unwrap_or_default();
    let (file, bytes) = match found {
        FileSearch::None => return None,
        FileSearch::Unreadable => {
            return Some(FoundFile { file: PathBuf::new(), reading: ParsedFile::default(), is_lenient });
        }
        FileSearch::Found(file, bytes) => (file, bytes),
    };
    let mut reading = if is_lenient { Service::read_leniently(&file, &bytes) } else { Service::read(&file, &bytes) };
    for warning in reading.warnings.drain(..) {
        reader.warn(format!("{}:{}: {warning}", file.display(), warning.line));
    }
    for actions::Diagnostic { line, path, value, advice } in reading.mistakes.drain(..) {
        let origin = Origin::Line { file: file.clone(), line };
        reader.mistakes.push(Mistake { name: path, value, origin, advice });
    }
    Some(FoundFile { file, reading, is_lenient })
}

/// The outcome of looking for the file.
enum FileSearch {
    None,
    /// It is named, but cannot be read, which is recorded.
    Unreadable,
    /// Its path and its bytes.
    Found(PathBuf, Vec<u8>),
}

fn find_file(reader: &mut Reader<'_>) -> FileSearch {
    let setting = &setting::ACTIONS;
    let raw = reader.raw(setting);
    if raw.as_ref().is_some_and(|raw| raw.value.eq_ignore_ascii_case("off")) {
        reader.note(setting, "off", raw.map_or(Origin::Default, |raw| raw.origin));
        return FileSearch::None;
    }
    let Some(raw) = raw.or_else(|| default_file(reader)) else {
        reader.note_unset(setting);
        return FileSearch::None;
    };
    reader.note(setting, raw.value.to_string_lossy(), raw.origin.clone());
    let file = path::absolute(&raw.value).map_err(|_| "expected a file, or off".to_owned());
    let content = file.and_then(|file| Ok((read_bounded(&file, actions::MAX_BYTES)?, file)));
    match reader.accept(setting, Some(raw), content) {
        Some((bytes, file)) => FileSearch::Found(file, bytes),
        None => FileSearch::Unreadable,
    }
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
                    // The early form, where the command stands there itself.
                    format!("actions.{name}.format"),
                    format!("commands.{name}.format"),
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

    /// Checks a variable. Returns what to set it to: its value if that has a name in another case, as names are
    /// case-insensitive for the specification, or its default if it is not set.
    fn variable(&mut self, variable: &Variable) -> Option<(OsString, OsString)> {
        let Variable { name, schema, .. } = variable;
        let path = format!("environment.{name}");
        // The key may be in any case.
        let line = self.lines.iter().find(|(written, _)| written.eq_ignore_ascii_case(&path)).map(|(_, line)| *line);
        let place = Origin::Line { file: self.file.to_owned(), line: line.unwrap_or(1) };
        let environment = &self.reader.sources.environment;
        let exact = environment.get_key_value(OsStr::new(name));
        let found = exact.or_else(|| environment.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)));
        let found = found.map(|(found, value)| (found.to_string_lossy().into_owned(), value.clone()));
        let set = found.as_ref().map(|(_, value)| value.to_string_lossy().into_owned());
        let renamed = found.filter(|(found, _)| found != name);
        let shown = |text: &str| if variable.sensitive { "***".to_owned() } else { text.to_owned() };
        let (text, origin) = match (&set, &variable.default) {
            (Some(text), _) => {
                let origin = renamed.as_ref().map_or(name, |(found, _)| found);
                (shown(text), Origin::Variable(origin.clone()))
            }
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
        renamed.map(|(_, value)| (name.into(), value))
    }
}

//! The file of actions: where it is, what is in it, and whether what it names is there.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use super::{
    Face, Programs, function,
    report::{Mistake, Origin},
    resolve::{Given, Resolver, read_bounded},
    setting,
};
use crate::{
    actions::{self, Endpoint, Interface, Reading, Service, Variable},
    invocation::Command,
};

/// The names that are looked for, the newest first.
const NAMES: [&str; 4] = ["oms.yml", "oms.yaml", "microservice.yml", "microservice.yaml"];

/// What came of the setting.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// A file is named or there, though perhaps not right.
    pub(super) is_there: bool,
    pub(super) service: Option<Arc<Service>>,
    pub(super) programs: Programs,
    /// What the environment has not, and the file has a default for.
    pub(super) defaults: Vec<(OsString, OsString)>,
}

impl Resolver<'_> {
    /// Reads the file, and looks for all that it names.
    pub(super) fn actions(&mut self) -> Found {
        let Some((file, reading)) = self.read_actions() else { return Found::default() };
        let Reading { service, lines, .. } = reading;
        let mut found = Found { is_there: true, ..Found::default() };
        let Some(service) = service else { return found };
        let service = Arc::new(service);
        let mut names = Names { resolver: self, file: &file, lines: &lines };
        for action in &service.actions {
            let origin = names.origin(&[&format!("actions.{}", action.name), &format!("commands.{}", action.name)]);
            let value = names.interface(&action.name, &action.interface, &mut found.programs);
            names.resolver.enter(format!("action {}", action.name), value, origin);
        }
        found.programs.startup = names.lifecycle("startup", &service.lifecycle.startup);
        let shutdown = service.lifecycle.shutdown.as_ref();
        found.programs.shutdown = shutdown.and_then(|shutdown| names.lifecycle("shutdown", &shutdown.command));
        for variable in &service.environment {
            found.defaults.extend(names.variable(variable));
        }
        found.service = Some(service);
        found
    }

    /// Finds and reads the file, and notes all that is said of it.
    pub(super) fn read_actions(&mut self) -> Option<(PathBuf, Reading)> {
        let setting = &setting::ACTIONS;
        let given = self.given(setting);
        if given.as_ref().is_some_and(|given| given.value.eq_ignore_ascii_case("off")) {
            self.note(setting, "off", given?.origin);
            return None;
        }
        let Some(given) = given.or_else(|| self.lying_about()) else {
            self.note_unset(setting);
            return None;
        };
        self.note(setting, given.value.to_string_lossy(), given.origin.clone());
        let read = || -> Result<(Vec<u8>, PathBuf), String> {
            let file = path::absolute(&given.value).map_err(|_| "expected a file, or off".to_owned())?;
            Ok((read_bounded(&file, actions::MAX_BYTES)?, file))
        };
        let (bytes, file) = match read() {
            Ok(found) => found,
            Err(advice) => {
                self.wrong(setting, Some(given), advice);
                return Some((PathBuf::new(), Reading::default()));
            }
        };
        let mut reading = Service::read(&file, &bytes);
        for warning in reading.warnings.drain(..) {
            self.warn(format!("{}:{}: {warning}", file.display(), warning.line));
        }
        for actions::Remark { line, path, value, advice } in reading.mistakes.drain(..) {
            let origin = Origin::Line { file: file.clone(), line };
            self.mistaken(Mistake { name: path, value, origin, advice });
        }
        Some((file, reading))
    }

    /// The file that is where one belongs. What takes the place of something else does so without files that it did
    /// not know.
    fn lying_about(&self) -> Option<Given> {
        if self.sources.face != Face::Bandog {
            return None;
        }
        let places = &self.sources.paths.actions;
        let mut files = places.iter().flat_map(|place| NAMES.map(|name| place.join(name)));
        let file = files.find(|file| file.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()))?;
        let file = path::absolute(&file).unwrap_or(file);
        Some(Given { value: file.into(), origin: Origin::Default })
    }
}

/// What a file names, as it is looked for.
struct Names<'n, 'r> {
    resolver: &'n mut Resolver<'r>,
    file: &'n Path,
    lines: &'n BTreeMap<String, u64>,
}

impl Names<'_, '_> {
    /// Where the first of these paths that is there stands.
    fn origin(&self, paths: &[&str]) -> Origin {
        let line = paths.iter().find_map(|path| self.lines.get(*path)).copied().unwrap_or(1);
        Origin::Line { file: self.file.to_owned(), line }
    }

    fn wrong(&mut self, name: &str, value: Option<String>, origin: Origin, advice: String) {
        self.resolver.mistaken(Mistake { name: name.to_owned(), value, origin, advice });
    }

    /// How an action is done, in words.
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
                Endpoint::Elsewhere { origin, path } => {
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
        self.resolver.enter(format!("lifecycle {name}"), shell_words::join(words), origin);
        command
    }

    /// The command that these words are, if its program can be run.
    fn program(&mut self, path: &str, words: &[String], kind: &'static str) -> Option<Command> {
        let environment = &self.resolver.sources.environment;
        let name = words.first()?;
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let found = function::find(environment, OsStr::new(name));
        match found.and_then(|file| Command::runnable(&file, &words, kind)) {
            Ok(command) => Some(command),
            Err(advice) => {
                let origin = self.origin(&[path]);
                self.wrong(path, Some(name.clone()), origin, advice);
                None
            }
        }
    }

    /// Looks at a variable; what it is by default if nobody has set it.
    fn variable(&mut self, variable: &Variable) -> Option<(OsString, OsString)> {
        let Variable { name, schema, .. } = variable;
        let path = format!("environment.{name}");
        // The key may be written in any case.
        let line = self.lines.iter().find(|(written, _)| written.eq_ignore_ascii_case(&path)).map(|(_, line)| *line);
        let place = Origin::Line { file: self.file.to_owned(), line: line.unwrap_or(1) };
        let set = self.resolver.sources.environment.get(OsStr::new(name));
        let set = set.map(|value| value.to_string_lossy().into_owned());
        let shown = |text: &str| if variable.sensitive { "***".to_owned() } else { text.to_owned() };
        let (text, origin) = match (&set, &variable.default) {
            (Some(text), _) => (shown(text), Origin::Variable(name.clone())),
            (None, Some(text)) => (shown(text), place.clone()),
            (None, None) => ("-".to_owned(), Origin::Default),
        };
        self.resolver.enter(format!("variable {name}"), text, origin);
        let Some(text) = set else {
            if variable.required && variable.default.is_none() {
                let help = variable.help.as_ref().map(|help| format!(" ({})", help.trim())).unwrap_or_default();
                let advice = format!("the variable {name} is not set; expected {}{help}", schema.expected());
                self.wrong(&path, None, place, advice);
            }
            return variable.default.as_ref().map(|text| (name.into(), text.into()));
        };
        if variable.deprecated {
            self.resolver.warn(format!("{name}: deprecated, says {}", self.file.display()));
        }
        if schema.read_text(&text).is_err() {
            let advice = format!("the variable {name} does not fit; expected {}", schema.expected());
            self.wrong(&path, (!variable.sensitive).then_some(text), place, advice);
        }
        None
    }
}

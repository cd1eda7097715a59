//! The command of the function, found and checked before the first request, and the name of the service.

use std::{
    ffi::{OsStr, OsString},
    fmt::Write as _,
    path::{self, Path, PathBuf},
};

#[cfg(feature = "storage")]
use std::sync::Arc;

#[cfg(feature = "storage")]
use super::Store;
use super::{
    Sources, config_file,
    environment::non_empty,
    fprocess, program,
    reader::{RawValue, Reader},
    replaced,
    report::{Mistake, Origin},
    setting,
};
use crate::{
    actions::Service,
    invocation::{Command, Interpreter},
    platform::{Compat, ProcessRank, openfaas, oscar},
};

/// The function: its command and its surroundings.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// The command; `None` only where the mode, or the actions, do without one.
    pub command: Option<Command>,
    /// The variables that functions inherit: bandog's own without its secrets and the names that it sets itself, and
    /// the defaults of the actions file.
    pub environment: Vec<(OsString, OsString)>,
    /// `--workspace`: the directory in which workspaces are made; absolute, and checked if it is needed.
    pub workspace: PathBuf,
    /// Whether a call may need a workspace.
    pub needs_workspace: bool,
    /// `--service`: the only name that `/run/NAME` accepts, if it is known.
    pub service: Option<String>,
    /// The storage providers, inputs and outputs; `None` where events are only bodies, and outputs only responses.
    #[cfg(feature = "storage")]
    pub storage: Option<Arc<Store>>,
}

/// Reads the command. `None` if there is none, or if it is a mistake.
///
/// `actions` are those of the actions file, `None` if that `is_present` with mistakes in it.
pub(super) fn read_command(
    reader: &mut Reader<'_>,
    is_optional: bool,
    has_actions: bool,
    actions: Option<&Service>,
) -> Option<Command> {
    let script = reader.raw(&setting::SCRIPT);
    let typed = &reader.sources.typed;
    if !typed.command.is_empty() && typed.value("script").is_some() {
        reader.warn("--script: ignored, since a command is given after --".to_owned());
    }
    let in_file = reader.file.get(config_file::SCRIPT_KEY).cloned();
    match choose(reader.sources, script, in_file, replaced::compat(reader)) {
        Ok(Some((command, origin))) => {
            let words = command.arguments.iter().map(|word| word.to_string_lossy());
            let mut shown = shell_words::join(words);
            if command.inline_script.is_some() {
                let is_variable = command.origin == "SCRIPT";
                let place =
                    if is_variable { " (the script in SCRIPT)" } else { " (the script in the configuration file)" };
                shown.push_str(place);
            }
            // OSCAR runs its script by the shell, whatever the first line says; and `-- /bin/sh script` is an order.
            let ignored = command.ignored_interpreter().filter(|_| command.origin == SCRIPT_FILE);
            if let Some((interpreter, script)) = ignored {
                reader.warn(format!(
                    "{0} is run by /bin/sh, not by {interpreter} as its first line says, because it is not executable: \
                     chmod +x {0}",
                    script.display()
                ));
            }
            enter(reader, shown, origin);
            Some(command)
        }
        Ok(None) => {
            enter(reader, actions.map_or_else(|| "-".to_owned(), Service::summary), Origin::Default);
            if !is_optional {
                let mistake = nothing_to_run(reader);
                reader.mistakes.push(mistake);
            }
            None
        }
        Err(mut mistake) => {
            let word = typed.script.as_ref().and_then(|word| word.to_str());
            match (word, actions) {
                (Some(word), Some(service)) if service.action(word).is_some() => {
                    mistake.advice = format!("is an action, not a file; run it with bandog run {word}");
                }
                (Some(word), None) if has_actions && !word.contains('/') => {
                    mistake.advice.push_str("; if it is an action, correct the actions file and use bandog run");
                }
                (Some(_) | None, _) => {}
            }
            enter(reader, "-".to_owned(), mistake.origin.clone());
            reader.mistakes.push(mistake);
            None
        }
    }
}

/// Reports a command as a mistake, for a mode that runs nothing.
pub(super) fn refuse_command(reader: &mut Reader<'_>) -> Option<Command> {
    let first = reader.sources.typed.command.first()?;
    let advice = "--mode static runs nothing; leave the command out";
    reader.mistakes.push(Mistake::new("COMMAND", Some(first), Origin::Argument, advice));
    None
}

/// Reads `--service`.
#[expect(clippy::option_option, reason = "a mistake, no name and a name are three things")]
pub(super) fn read_service(reader: &mut Reader<'_>) -> Option<Option<String>> {
    let setting = &setting::SERVICE;
    // The watchdogs passed every path to the function, whatever name the platform gives it.
    let is_explicit = |raw: &RawValue| match &raw.origin {
        Origin::Flag => true,
        Origin::Variable(name) => *name == setting.variable(),
        _ => false,
    };
    let raw = reader.raw(setting).filter(|raw| reader.sources.invoked_as.heeds_platform_name() || is_explicit(raw));
    let Some(raw) = raw else {
        reader.note_unset(setting);
        return Some(None);
    };
    let text = raw.value.to_str().map(str::trim).unwrap_or_default().to_owned();
    reader.note(setting, text.clone(), raw.origin.clone());
    // It is compared with one segment of a path.
    let is_name = !text.is_empty() && !text.contains(|letter: char| letter == '/' || letter.is_control());
    reader.accept(setting, Some(raw), is_name.then_some(text).ok_or("expected a name without slashes")).map(Some)
}

/// Chooses the first command of: `-- COMMAND`, `--script` (or SCRIPT), `$SCRIPT`, the script of an FDL file, OSCAR's
/// script file, `$function_process` or `$fprocess`; `None` if there is none of them. In the place of a watchdog the last two come
/// before the script that OSCAR has for the supervisor.
fn choose(
    sources: &Sources,
    script: Option<RawValue>,
    in_file: Option<RawValue>,
    compat: Compat,
) -> Result<Option<(Command, Origin)>, Mistake> {
    let (typed, environment) = (&sources.typed, &sources.environment);
    if let Some(positional) = &typed.script {
        let other = if typed.command.is_empty() { "--script" } else { "-- COMMAND" };
        if !typed.command.is_empty() || typed.value("script").is_some() {
            let advice = format!("given together with {other}; keep one of them");
            return Err(Mistake::new("SCRIPT", Some(positional), Origin::Argument, advice));
        }
        return script_file(positional, Origin::Argument).map(Some);
    }
    if !typed.command.is_empty() {
        let command = program::command(environment, &typed.command, "COMMAND", "-- COMMAND", &Origin::Argument)?;
        return Ok(Some((command, Origin::Argument)));
    }
    if let Some(RawValue { value, origin }) = script {
        return script_file(&value, origin).map(Some);
    }
    let standard = &sources.paths.script;
    let process = openfaas::fprocess::line(environment);
    let rank = sources.invoked_as.process_rank();
    let run_process = |(name, line)| fprocess::command(environment, name, line, compat, standard).map(Some);
    if let Some((name, line)) = process
        && rank == ProcessRank::BeforeScript
        && !openfaas::fprocess::is_supervisor(line, compat)
    {
        return run_process((name, line));
    }
    if let Some(encoded) = non_empty(environment, "SCRIPT") {
        // OSCAR has always run it by the shell. The image may lack the program that its first line names.
        let is_oscars = oscar::settings::is_replaced(sources.invoked_as, environment, compat);
        return inline(encoded, if is_oscars { Interpreter::Shell } else { Interpreter::ByFirstLine }).map(Some);
    }
    if let Some(RawValue { value, origin }) = in_file {
        return match value.to_str().filter(|text| config_file::is_inline(text)) {
            Some(text) => Ok(Some((Command::inline(text.into(), Interpreter::ByFirstLine, "script"), origin))),
            None => script_file(&value, origin).map(Some),
        };
    }
    if standard.symlink_metadata().is_ok() {
        // OSCAR has always run it by the shell, whatever its mode and its first line.
        let command = Command::shell_script(standard, "/oscar/config/script.sh");
        let wrong = |advice| Mistake::new("script", Some(standard.as_os_str()), Origin::Default, advice);
        return Ok(Some((command.map_err(wrong)?, Origin::Path(standard.clone()))));
    }
    process.filter(|_| rank != ProcessRank::Never).map_or(Ok(None), run_process)
}

fn nothing_to_run(reader: &Reader<'_>) -> Mistake {
    // A setting of a mode that needs no function, without that mode.
    let forgotten = [(&setting::STATIC_DIR, "static"), (&setting::UPSTREAM, "http")];
    let forgotten = forgotten.iter().find(|(setting, _)| reader.raw(setting).is_some());
    if let Some((setting, mode)) = forgotten {
        let advice = format!("nothing to run; {} needs --mode {mode}", setting.flag());
        return Mistake::new("function", None, Origin::Default, advice);
    }
    let script = &reader.sources.paths.script;
    let advice = format!(
        "nothing to run; give a script (bandog ./script.sh, or --script PATH) or a command (bandog -- COMMAND ARG…), set SCRIPT \
         (base64) or fprocess, mount {}, or describe actions in a file (--actions FILE)",
        script.display()
    );
    Mistake::new("function", None, Origin::Default, advice)
}

/// The [`Command::origin`] of a script that the user has named.
const SCRIPT_FILE: &str = "--script";

fn script_file(value: &OsStr, origin: Origin) -> Result<(Command, Origin), Mistake> {
    let name = match origin {
        Origin::Argument => "SCRIPT",
        Origin::File { .. } => "script",
        _ => "--script",
    };
    match Command::script(Path::new(value), SCRIPT_FILE) {
        Ok(command) => Ok((command, origin)),
        Err(mut advice) => {
            let file = Path::new(value);
            if file.is_dir() {
                advice.push_str(", or serve its files with bandog --mode static DIR");
            } else if let Ok(whole) = path::absolute(file)
                && whole != file
                && !file.exists()
            {
                let _ = write!(advice, " ({})", whole.display());
                // A word in the place of the script, which names no file.
                if origin == Origin::Argument && !value.as_encoded_bytes().iter().any(|byte| b"/.".contains(byte)) {
                    advice.push_str("; a subcommand comes first (see bandog --help), and a command after --");
                }
            }
            Err(Mistake::new(name, Some(value), origin, advice))
        }
    }
}

fn inline(encoded: &OsStr, interpreter: Interpreter) -> Result<(Command, Origin), Mistake> {
    let origin = Origin::Variable("SCRIPT".to_owned());
    let text = base64_simd::forgiving_decode_to_vec(encoded.as_encoded_bytes());
    let Some(text) = text.ok().filter(|text| !text.is_empty()) else {
        let advice = "expected the script in base64, as `base64 script.sh` prints it";
        return Err(Mistake::new("SCRIPT", None, origin, advice));
    };
    Ok((Command::inline(text, interpreter, "SCRIPT"), origin))
}

/// Adds the function to the lines of `check`.
fn enter(reader: &mut Reader<'_>, value: String, origin: Origin) {
    reader.enter("function".to_owned(), value, origin);
}

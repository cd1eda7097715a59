//! Which program is run: found, and checked, before the first request.

use std::{
    ffi::{OsStr, OsString},
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{Compat, Environment, Face, Habit, Mistake, Origin, Sources, resolve::Given, supervisor, watchdog};
use crate::invocation::{Command, Interpreter, check_exists};

/// Where programs are looked for if there is no `PATH`: what container engines set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Chooses what to run, first come first served: `-- COMMAND`, `--script` (or SCRIPT), `$SCRIPT`, OSCAR's script file,
/// `$function_process` or `$fprocess`; `None` if there is none of them. In the place of a watchdog, what that is told
/// to run comes before what OSCAR has for the supervisor.
pub(super) fn choose(
    sources: &Sources,
    script: Option<Given>,
    compat: Compat,
) -> Result<Option<(Command, Origin)>, Mistake> {
    let typed = &sources.typed;
    if let Some(positional) = &typed.script {
        let other = if typed.command.is_empty() { "--script" } else { "-- COMMAND" };
        if !typed.command.is_empty() || typed.value("script").is_some() {
            return Err(mistake(
                "SCRIPT",
                Some(positional),
                Origin::Argument,
                &format!("given together with {other}; keep one of them"),
            ));
        }
        return script_given(positional, Origin::Argument).map(Some);
    }
    if let Some(name) = typed.command.first() {
        let command = program(&sources.environment, name, &typed.command, "-- COMMAND", &Origin::Argument)?;
        return Ok(Some((command, Origin::Argument)));
    }
    if let Some(Given { value, origin }) = script {
        return script_given(&value, origin).map(Some);
    }
    let process = watchdog::process(&sources.environment);
    if let Some((name, line)) = process
        && sources.face == Face::Fwatchdog
        && !is_supervisor(line, compat)
    {
        return watchdog_process(sources, name, line, compat).map(Some);
    }
    if let Some(encoded) = non_empty(&sources.environment, "SCRIPT") {
        // OSCAR has always run it by the shell. The image may lack the program that its first line names.
        let is_oscars = supervisor::is_taken(sources, compat);
        let interpreter = if is_oscars { Interpreter::Shell } else { Interpreter::ByFirstLine };
        return inline(encoded, interpreter).map(Some);
    }
    let standard = &sources.paths.script;
    if standard.symlink_metadata().is_ok() {
        let origin = Origin::Path(standard.clone());
        // Always by the shell, whatever its mode and first line: that is how OSCAR has always run it.
        let command = Command::shell_script(standard, "/oscar/config/script.sh")
            .map_err(|advice| mistake("script", Some(standard.as_os_str()), Origin::Default, &advice))?;
        return Ok(Some((command, origin)));
    }
    // The supervisor has nothing to do with what the watchdog before it was told.
    if let Some((name, line)) = process.filter(|_| sources.face != Face::Supervisor) {
        return watchdog_process(sources, name, line, compat).map(Some);
    }
    Ok(None)
}

/// What to do where [`choose`] finds nothing.
pub(super) fn nothing_to_run(sources: &Sources) -> Mistake {
    mistake(
        "function",
        None,
        Origin::Default,
        &format!(
            "nothing to run; give a script (bandog ./script.sh, or --script PATH) or a command (bandog -- COMMAND ARG…), set SCRIPT \
             (base64) or fprocess, mount {}, or describe actions in a file (--actions FILE)",
            sources.paths.script.display()
        ),
    )
}

fn script_given(value: &OsStr, origin: Origin) -> Result<(Command, Origin), Mistake> {
    let name = if origin == Origin::Argument { "SCRIPT" } else { "--script" };
    match Command::script(Path::new(value), "--script") {
        Ok(command) => Ok((command, origin)),
        Err(mut advice) => {
            // `bandog srve`, `bandog --listen :80 serve`: a word in the place of the script.
            if origin == Origin::Argument && !value.as_encoded_bytes().contains(&b'/') {
                advice.push_str("; if a subcommand was meant, it comes first (see bandog --help)");
            }
            Err(mistake(name, Some(value), origin, &advice))
        }
    }
}

fn inline(encoded: &OsStr, interpreter: Interpreter) -> Result<(Command, Origin), Mistake> {
    let origin = || Origin::Variable("SCRIPT".to_owned());
    let text = base64_simd::forgiving_decode_to_vec(encoded.as_encoded_bytes())
        .ok()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| {
            mistake("SCRIPT", None, origin(), "expected the script in base64, as `base64 script.sh` prints it")
        })?;
    Ok((Command::inline(text, interpreter, "SCRIPT"), origin()))
}

/// The words of a watchdog's process: as a shell splits them, or as the watchdogs did, at each single space.
fn words_of(line: &OsStr, compat: Compat) -> Option<Vec<String>> {
    let line = line.to_str()?;
    let words = if compat.has(Habit::SplitSpaces) {
        line.split(' ').map(str::to_owned).collect()
    } else {
        shell_words::split(line).ok()?
    };
    (!words.is_empty()).then_some(words)
}

/// Whether the process is OSCAR's supervisor, whose work bandog does itself.
pub(super) fn is_supervisor(line: &OsStr, compat: Compat) -> bool {
    let words = words_of(line, compat).unwrap_or_default();
    words.first().and_then(|word| Path::new(word).file_name()).is_some_and(|name| name == "supervisor")
}

fn watchdog_process(sources: &Sources, name: &str, line: &OsStr, compat: Compat) -> Result<(Command, Origin), Mistake> {
    let origin = Origin::Variable(name.to_owned());
    let words = words_of(line, compat);
    let Some(words) = words else {
        let advice =
            "expected a command line with its quotes closed; it is split as a shell would, but no shell runs it";
        return Err(mistake(name, Some(line), origin, advice));
    };
    if is_supervisor(line, compat) {
        let advice = format!(
            "names OSCAR's supervisor, whose work bandog does itself; mount the script at {} or set SCRIPT",
            sources.paths.script.display()
        );
        return Err(mistake(name, Some(line), origin, &advice));
    }
    let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    let command = program(&sources.environment, &words[0], &words, "fprocess", &origin)?;
    Ok((command, origin))
}

/// A command line: its program is looked up as a shell would, and the name it was given by is what it sees as its own.
fn program(
    environment: &Environment,
    name: &OsStr,
    words: &[OsString],
    kind: &'static str,
    origin: &Origin,
) -> Result<Command, Mistake> {
    let wrong = |advice: String| {
        let setting = if kind == "fprocess" { origin.to_string() } else { "COMMAND".to_owned() };
        mistake(&setting, Some(name), origin.clone(), &advice)
    };
    let file = find(environment, name).map_err(wrong)?;
    Command::runnable(&file, words, kind).map_err(wrong)
}

/// The file that `name` means: itself if it has a slash, else the first executable of that name in `PATH`.
pub(super) fn find(environment: &Environment, name: &OsStr) -> Result<PathBuf, String> {
    if name.is_empty() {
        return Err("the command is empty".to_owned());
    }
    if name.as_encoded_bytes().contains(&b'/') {
        let file = Path::new(name);
        check_exists(file)?;
        if access(file, Access::EXEC_OK).is_err() {
            return Err("cannot be executed; chmod +x it, or run it by its interpreter".to_owned());
        }
        return path::absolute(file).map_err(|error| format!("cannot be found: {error}"));
    }
    let search = non_empty(environment, "PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut without_permission = None;
    for directory in std::env::split_paths(search) {
        let file = directory.join(name);
        if !file.is_file() {
            continue;
        }
        if access(&file, Access::EXEC_OK).is_ok() {
            return path::absolute(&file).map_err(|error| format!("cannot be found: {error}"));
        }
        without_permission.get_or_insert(file);
    }
    Err(match without_permission {
        Some(file) => format!("found at {}, which cannot be executed; chmod +x it", file.display()),
        None => format!("not found in PATH ({}); install it in the image or give its path", search.display()),
    })
}

pub(super) fn non_empty<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
}

fn mistake(name: &str, value: Option<&OsStr>, origin: Origin, advice: &str) -> Mistake {
    Mistake {
        name: name.to_owned(),
        value: value.map(|value| value.to_string_lossy().into_owned()),
        origin,
        advice: advice.to_owned(),
    }
}

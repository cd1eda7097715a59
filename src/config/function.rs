//! Which program is run: found, and checked, before the first request.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read as _},
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::{Command, Compat, Environment, Face, Habit, Mistake, Origin, Sources, resolve::Given, watchdog};

/// The shell of everything that is not run as it is.
const SHELL: &str = "/bin/sh";

/// Where programs are looked for if there is no `PATH`: what container engines set.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Bytes looked at to tell a script without `#!` from a program, as shells do.
const PROBE: usize = 256;

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
        return inline(encoded).map(Some);
    }
    let standard = &sources.paths.script;
    if standard.symlink_metadata().is_ok() {
        let origin = Origin::Path(standard.clone());
        check_file(standard)
            .map_err(|advice| mistake("script", Some(standard.as_os_str()), Origin::Default, &advice))?;
        // Always by the shell, whatever its mode and first line: that is how OSCAR has always run it.
        let command = by_shell(standard, &[], "/oscar/config/script.sh")
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

/// The command that runs a script file: the file itself if it can be executed, else the shell. The advice on what to
/// do if neither works.
///
/// `origin` is kept for logs.
pub fn script(file: &Path, origin: &'static str) -> Result<Command, String> {
    check_file(file)?;
    let file = path::absolute(file).map_err(|error| format!("cannot be found: {error}"))?;
    runnable(&file, std::slice::from_ref(&file.clone().into_os_string()), origin)
}

/// The command by which OSCAR runs its scripts: always `/bin/sh FILE`, whatever the file's mode and first line. The
/// advice on what to do if it cannot.
pub fn shell_script(file: &Path, origin: &'static str) -> Result<Command, String> {
    check_file(file)?;
    by_shell(file, &[], origin)
}

fn script_given(value: &OsStr, origin: Origin) -> Result<(Command, Origin), Mistake> {
    let name = if origin == Origin::Argument { "SCRIPT" } else { "--script" };
    match script(Path::new(value), "--script") {
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

fn inline(encoded: &OsStr) -> Result<(Command, Origin), Mistake> {
    let origin = || Origin::Variable("SCRIPT".to_owned());
    let text = base64_simd::forgiving_decode_to_vec(encoded.as_encoded_bytes())
        .ok()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| {
            mistake("SCRIPT", None, origin(), "expected the script in base64, as `base64 script.sh` prints it")
        })?;
    let arguments = vec![SHELL.into()];
    Ok((Command { program: SHELL.into(), arguments, origin: "SCRIPT", inline_script: Some(text) }, origin()))
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
    runnable(&file, words, kind).map_err(wrong)
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

/// `words` run by `file`: itself, or by the shell if the kernel would not know what to do with it.
pub(super) fn runnable(file: &Path, words: &[OsString], origin: &'static str) -> Result<Command, String> {
    if access(file, Access::EXEC_OK).is_ok() && !is_bare_script(file) {
        let (program, arguments) = (file.to_owned(), words.to_vec());
        return Ok(Command { program, arguments, origin, inline_script: None });
    }
    by_shell(file, &words[1..], origin)
}

fn by_shell(file: &Path, rest: &[OsString], origin: &'static str) -> Result<Command, String> {
    if access(file, Access::READ_OK).is_err() {
        return Err("cannot be read; check its mode and owner".to_owned());
    }
    if access(SHELL, Access::EXEC_OK).is_err() {
        return Err(format!("cannot be executed by itself, and there is no {SHELL} here to run it; chmod +x it"));
    }
    let file = path::absolute(file).map_err(|error| format!("cannot be found: {error}"))?;
    let mut arguments = vec![SHELL.into(), file.into_os_string()];
    arguments.extend_from_slice(rest);
    Ok(Command { program: SHELL.into(), arguments, origin, inline_script: None })
}

/// Whether a file is text without a `#!` line, which execve(2) refuses (ENOEXEC) and every shell runs all the same.
fn is_bare_script(file: &Path) -> bool {
    let mut start = Vec::with_capacity(PROBE);
    let read = File::open(file).and_then(|file| file.take(PROBE as u64).read_to_end(&mut start));
    read.is_ok() && !start.starts_with(b"#!") && !start.contains(&0)
}

fn check_file(file: &Path) -> Result<(), String> {
    check_exists(file)?;
    // Root may read anything; for others a script without the permission is a file that cannot be opened later.
    if access(file, Access::READ_OK).is_err() && access(file, Access::EXEC_OK).is_err() {
        return Err("cannot be read; check its mode and owner".to_owned());
    }
    Ok(())
}

fn check_exists(file: &Path) -> Result<(), String> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => Err("is a directory; give the file in it".to_owned()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("no such file".to_owned()),
        Err(error) => Err(format!("cannot be opened: {error}")),
    }
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

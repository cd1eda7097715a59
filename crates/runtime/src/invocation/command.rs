//! The command that a function runs: a program that exists and can be executed, and its arguments.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _},
    os::unix::fs::FileTypeExt as _,
    path::{self, Path, PathBuf},
};

use rustix::fs::{Access, access};

/// The shell that runs the scripts that the kernel cannot execute.
const SHELL: &str = "/bin/sh";

/// Bytes read to distinguish a script without `#!` from a program, as shells do.
const PROBE: usize = 256;

/// The command of a function. The program has been found, and can be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The file that is executed; absolute.
    pub program: PathBuf,
    /// All arguments, beginning with the name that the program sees as its own.
    pub arguments: Vec<OsString>,
    /// The source of the command, for logs and `check`: a flag, a variable or a path.
    pub origin: &'static str,
    /// The text of a script without a file. It is written to a file at start, which then takes the place of `program`
    /// and `arguments`.
    pub inline_script: Option<InlineScript>,
}

/// The text of a script that has no file of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlineScript {
    /// The script.
    pub text: Vec<u8>,
    /// The program that runs it.
    pub interpreter: Interpreter,
}

/// The program that runs a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpreter {
    /// The one that the script's first line names, or `/bin/sh`.
    ByFirstLine,
    /// `/bin/sh`, whatever the first line says: the image may lack the program that it names.
    Shell,
}

impl Command {
    /// Runs a script file: the file itself if it can be executed, else by the shell.
    ///
    /// # Errors
    /// A way to correct the problem, if the file cannot be run in either way.
    pub fn script(file: &Path, origin: &'static str) -> Result<Self, String> {
        check_file(file)?;
        let file = path::absolute(file).map_err(|error| format!("cannot be found: {error}"))?;
        Self::runnable(&file, std::slice::from_ref(&file.clone().into_os_string()), origin)
    }

    /// Runs a script file by `/bin/sh FILE`, whatever its mode and its first line.
    ///
    /// # Errors
    /// A way to correct the problem, if the file cannot be run.
    pub fn shell_script(file: &Path, origin: &'static str) -> Result<Self, String> {
        check_file(file)?;
        Self::by_shell(file, &[], origin)
    }

    /// A script without a file.
    #[must_use]
    pub fn inline(text: Vec<u8>, interpreter: Interpreter, origin: &'static str) -> Self {
        let inline_script = Some(InlineScript { text, interpreter });
        Self { program: SHELL.into(), arguments: vec![SHELL.into()], origin, inline_script }
    }

    /// Runs `words` by `file`, or by the shell if the kernel cannot execute that file.
    ///
    /// # Errors
    /// A way to correct the problem, if the file cannot be run in either way.
    pub fn runnable(file: &Path, words: &[OsString], origin: &'static str) -> Result<Self, String> {
        if access(file, Access::EXEC_OK).is_ok() && !is_bare_script(file) {
            let (program, arguments) = (file.to_owned(), words.to_vec());
            return Ok(Self { program, arguments, origin, inline_script: None });
        }
        Self::by_shell(file, &words[1..], origin)
    }

    /// Returns the interpreter that the first line of the script names, if it is another than the shell, which runs the
    /// script nevertheless because it may not be executed; and the script.
    #[must_use]
    pub fn ignored_interpreter(&self) -> Option<(String, &Path)> {
        let script = Path::new(self.arguments.get(1)?);
        if self.program != Path::new(SHELL) || self.inline_script.is_some() || access(script, Access::EXEC_OK).is_ok() {
            return None;
        }
        let mut line = Vec::new();
        BufReader::new(File::open(script).ok()?.take(PROBE as u64)).read_until(b'\n', &mut line).ok()?;
        let interpreter = String::from_utf8_lossy(line.strip_prefix(b"#!")?).trim().to_owned();
        let is_shell = interpreter.split_whitespace().next().is_none_or(|name| [SHELL, "/usr/bin/sh"].contains(&name));
        (!is_shell && interpreter != "/usr/bin/env sh").then_some((interpreter, script))
    }

    /// Names the program for the operator, with the interpreter of a script. The other arguments may be secret.
    #[must_use]
    pub fn description(&self) -> String {
        let first_line = |start: &[u8]| {
            let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
            Some(String::from_utf8_lossy(line).trim().to_owned())
        };
        if let Some(script) = &self.inline_script {
            let named = match script.interpreter {
                Interpreter::ByFirstLine => first_line(&script.text),
                Interpreter::Shell => None,
            };
            return format!("the script in {}, run by {}", self.origin, named.as_deref().unwrap_or(SHELL));
        }
        let script = self.arguments.get(1).map(Path::new).filter(|script| script.is_absolute() && script.is_file());
        if let Some(script) = script.filter(|_| self.program == Path::new(SHELL)) {
            return format!("{}, run by {SHELL}", script.display());
        }
        let mut start = Vec::with_capacity(PROBE);
        let read = File::open(&self.program).and_then(|file| file.take(PROBE as u64).read_to_end(&mut start));
        match first_line(&start).filter(|_| read.is_ok()) {
            Some(interpreter) => format!("{}, run by {interpreter}", self.program.display()),
            None => self.program.display().to_string(),
        }
    }

    fn by_shell(file: &Path, rest: &[OsString], origin: &'static str) -> Result<Self, String> {
        if access(file, Access::READ_OK).is_err() {
            return Err("cannot be read; check its mode and owner".to_owned());
        }
        if access(SHELL, Access::EXEC_OK).is_err() {
            return Err(format!("cannot be executed by itself, and there is no {SHELL} here to run it; chmod +x it"));
        }
        let file = path::absolute(file).map_err(|error| format!("cannot be found: {error}"))?;
        let mut arguments = vec![SHELL.into(), file.into_os_string()];
        arguments.extend_from_slice(rest);
        Ok(Self { program: SHELL.into(), arguments, origin, inline_script: None })
    }
}

/// Whether a file is text without a `#!` line, which execve(2) refuses (ENOEXEC) but every shell runs.
fn is_bare_script(file: &Path) -> bool {
    let mut start = Vec::with_capacity(PROBE);
    let read = File::open(file).and_then(|file| file.take(PROBE as u64).read_to_end(&mut start));
    read.is_ok() && !start.starts_with(b"#!") && !start.contains(&0)
}

fn check_file(file: &Path) -> Result<(), String> {
    check_exists(file)?;
    // Root may read anything. For other users, a script without read permission could not be opened later.
    if access(file, Access::READ_OK).is_err() && access(file, Access::EXEC_OK).is_err() {
        return Err("cannot be read; check its mode and owner".to_owned());
    }
    Ok(())
}

/// Checks that a path names a file.
///
/// # Errors
/// A way to correct the problem, if it does not.
pub fn check_exists(file: &Path) -> Result<(), String> {
    match fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => Err("is a directory; give the file in it".to_owned()),
        Ok(metadata) if metadata.file_type().is_fifo() || metadata.file_type().is_socket() => {
            Err("is a pipe, as <(…) makes one, which can be read only once; give a file".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("no such file".to_owned()),
        Err(error) => Err(format!("cannot be opened: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_interpreter_of_a_script_that_may_be_executed_is_not_ignored() {
        let dir = tempfile::tempdir().expect("tempdir");
        let script = dir.path().join("script");
        fs::write(&script, "#!/usr/bin/env python3\n").expect("written");
        let command = Command::by_shell(&script, &[], "test").expect("readable");
        assert_eq!(command.ignored_interpreter(), Some(("/usr/bin/env python3".to_owned(), &*script)));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("set");
        assert_eq!(command.ignored_interpreter(), None, "the shell was asked for");
    }
}

//! The reason why a process could not be started, as far as the error number and a look at the program tell it.

use std::{
    ffi::{CStr, CString, OsStr},
    fs::{self, File},
    io::{self, Read as _},
    os::unix::{ffi::OsStrExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Access, Mode, OFlags, StatVfsMountFlags, access, statvfs},
    io::Errno,
};

use crate::sandbox::step::SetupStep;

/// The limit on one argument or variable, in bytes, with its name, `=` and NUL: `MAX_ARG_STRLEN` of execve(2).
const STRING_LIMIT: usize = 128 * 1024;

/// The number of bytes of a script's first line that the kernel reads (execve(2)).
const FIRST_LINE: usize = 256;

/// The reason why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The interpreter that the program needs does not exist.
    #[error("{}: its interpreter {interpreter:?} does not exist; {}", program.display(), remedy(interpreter))]
    NoInterpreter {
        /// The program.
        program: PathBuf,
        /// The interpreter in the first line of the script, or in the header of the binary.
        interpreter: PathBuf,
    },
    /// The program does not exist any more.
    #[error("{}: the file no longer exists", program.display())]
    Missing {
        /// The program.
        program: PathBuf,
    },
    /// The program or its interpreter may not be executed.
    #[error("{}: permission denied: {why}", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
        /// The obstacle.
        why: String,
    },
    /// The kernel does not recognise the format of the file.
    #[error("{}: not a program for this machine; it is built for another architecture, or is damaged", program.display())]
    WrongFormat {
        /// The program.
        program: PathBuf,
    },
    /// Another process has the program open for writing.
    #[error("{}: another process has it open for writing; try again when it is closed", program.display())]
    Busy {
        /// The program.
        program: PathBuf,
    },
    /// Arguments and environment exceed the kernel's limits.
    #[error("{}: {what}", program.display())]
    TooLarge {
        /// The program.
        program: PathBuf,
        /// The part that is too large.
        what: String,
    },
    /// There is not enough memory for a process.
    #[error("{}: not enough memory for another process", program.display())]
    NoMemory {
        /// The program.
        program: PathBuf,
    },
    /// A limit on the number of processes is reached.
    #[error("{}: no more processes can be started; a limit of the user, the container or the machine is reached", program.display())]
    NoProcess {
        /// The program.
        program: PathBuf,
    },
    /// The process could not be confined as configured.
    #[error("cannot {what}: {source}")]
    Confine {
        /// The step that failed.
        what: String,
        /// The error of the system call.
        source: io::Error,
    },
    /// Any other error.
    #[error("{}: {source}", program.display())]
    Other {
        /// The program.
        program: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
}

/// A failed start: the error number and the stage.
pub(crate) struct StartFailure {
    pub(crate) source: io::Error,
    pub(crate) stage: SpawnStage,
}

/// The stage at which a start failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SpawnStage {
    /// The process could not be created.
    Clone,
    /// The process could not take this step.
    Setup(SetupStep),
    /// The process could not execute the program.
    Exec,
}

impl StartFailure {
    pub(crate) fn is(&self, stage: SpawnStage, errno: Errno) -> bool {
        std::mem::discriminant(&self.stage) == std::mem::discriminant(&stage)
            && Errno::from_io_error(&self.source) == Some(errno)
    }
}

/// Finds the reason why `program` could not be started.
pub(crate) fn explain<'a>(
    program: &Path,
    arguments: &[CString],
    environment: impl Iterator<Item = &'a CStr>,
    refused: StartFailure,
) -> SpawnError {
    let StartFailure { source, stage } = refused;
    if let SpawnStage::Setup(step) = stage {
        return SpawnError::Confine { what: step.to_string(), source };
    }
    let program = program.to_owned();
    match source.raw_os_error() {
        Some(libc::ENOENT) => match interpreter(&program) {
            Ok(Some(interpreter)) => SpawnError::NoInterpreter { program, interpreter },
            Err(error) if error.kind() == io::ErrorKind::NotFound => SpawnError::Missing { program },
            Ok(None) | Err(_) => SpawnError::Other { program, source },
        },
        Some(libc::EACCES) => SpawnError::NotExecutable { why: obstacle(&program), program },
        Some(libc::ENOEXEC) => SpawnError::WrongFormat { program },
        Some(libc::ETXTBSY) => SpawnError::Busy { program },
        Some(libc::E2BIG) => SpawnError::TooLarge { program, what: largest(arguments, environment) },
        Some(libc::ENOMEM) => SpawnError::NoMemory { program },
        Some(libc::EAGAIN) => SpawnError::NoProcess { program },
        _ => SpawnError::Other { program, source },
    }
}

/// How to get at an interpreter that does not exist.
fn remedy(interpreter: &Path) -> &'static str {
    if interpreter.as_os_str().as_encoded_bytes().ends_with(b"\r") {
        "the lines of the script end as on Windows: sed -i 's/\\r$//' SCRIPT"
    } else {
        "install it in the image, or correct the first line"
    }
}

/// Returns the program that runs this one: the interpreter in a script's first line, or the loader that an ELF file
/// names.
fn interpreter(program: &Path) -> io::Result<Option<PathBuf>> {
    // Opening a FIFO would block until another process opens it as well.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(program, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut start = Vec::with_capacity(FIRST_LINE);
    (&file).take(FIRST_LINE as u64).read_to_end(&mut start)?;
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Only blanks and tabs end the name: the CR of a line from Windows is a part of it.
        let name = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty());
        return Ok(name.map(|name| Path::new(OsStr::from_bytes(name)).to_owned()));
    }
    Ok(loader(&file, &start))
}

/// Returns `PT_INTERP` of a 64-bit little-endian ELF file (elf(5)).
fn loader(file: &File, start: &[u8]) -> Option<PathBuf> {
    const PT_INTERP: u64 = 3;
    let number = |bytes: &[u8], at: usize, len: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + len)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if !start.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(start, 0x20, 8)?, number(start, 0x36, 2)?, number(start, 0x38, 2)?);
    for index in 0..count {
        let mut header = [0; 56];
        file.read_exact_at(&mut header, table.checked_add(index * size)?).ok()?;
        if number(&header, 0, 4)? == PT_INTERP {
            let length = usize::try_from(number(&header, 0x20, 8)?).ok()?.min(libc::PATH_MAX as usize);
            let mut name = vec![0; length];
            file.read_exact_at(&mut name, number(&header, 8, 8)?).ok()?;
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            return Some(Path::new(OsStr::from_bytes(name)).to_owned());
        }
    }
    None
}

/// Returns the reason why a program cannot be executed.
fn obstacle(program: &Path) -> String {
    let is_on_noexec = |path: &Path| statvfs(path).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC));
    let interpreter = interpreter(program).ok().flatten();
    for (path, is_itself) in [(Some(program), true), (interpreter.as_deref(), false)] {
        let Some(path) = path else { continue };
        let who = if is_itself { "it".to_owned() } else { format!("its interpreter {}", path.display()) };
        if is_on_noexec(path) {
            return format!("{who} is on a file system that is mounted noexec");
        }
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return format!("{who} is not a file");
        }
        if access(path, Access::EXEC_OK).is_err() {
            return format!("{who} does not have the execute permission; chmod +x it");
        }
    }
    "the function's user may not execute it; see the modes of the file and of the directories above it".to_owned()
}

/// Names the string that is too long; if there is none, reports the total size.
fn largest<'a>(arguments: &[CString], environment: impl Iterator<Item = &'a CStr>) -> String {
    let mut total = 0;
    for argument in arguments {
        let size = argument.as_bytes_with_nul().len();
        if size > STRING_LIMIT {
            return format!("an argument has {size} bytes; the kernel passes on at most {STRING_LIMIT}");
        }
        total += size;
    }
    let (of_arguments, mut count) = (total, 0);
    for variable in environment {
        let size = variable.to_bytes_with_nul().len();
        if size > STRING_LIMIT {
            let name = variable.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
            let name = String::from_utf8_lossy(name);
            return format!("the variable {name} has {size} bytes; the kernel passes on at most {STRING_LIMIT} in one");
        }
        total += size;
        count += 1;
    }
    format!(
        "its environment ({count} variables, {} bytes) and arguments ({of_arguments} bytes) are larger than the kernel passes \
         on",
        total - of_arguments
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_found_in_scripts_and_binaries() {
        let dir = tempfile::tempdir().expect("tempdir");
        let found = |content: &[u8]| {
            let path = dir.path().join("x");
            fs::write(&path, content).expect("written");
            interpreter(&path).expect("readable").map(|path| path.display().to_string())
        };
        assert_eq!(found(b"#!/no/such -x\n:"), Some("/no/such".to_owned()));
        assert_eq!(found(b"#! \t/no/such"), Some("/no/such".to_owned()));
        assert_eq!(found(b"#!\n"), None);
        assert_eq!(found(b"\x7fELF\x02\x01 but not whole"), None);
        assert_eq!(found(b""), None);
        let shell = interpreter(Path::new("/bin/sh")).expect("readable").expect("dynamic");
        assert!(shell.display().to_string().contains("/ld"), "{shell:?}");
        assert!(interpreter(&dir.path().join("none")).is_err());
    }

    #[test]
    fn what_is_too_large_is_named() {
        let variable = |name: &str, size: usize| CString::new(format!("{name}={}", "x".repeat(size))).expect("no NUL");
        let environment = [variable("SMALL", 1), variable("LARGE", STRING_LIMIT)];
        let said = largest(&[], environment.iter().map(CString::as_c_str));
        assert_eq!(said, "the variable LARGE has 131079 bytes; the kernel passes on at most 131072 in one");
        let said = largest(&[variable("a", STRING_LIMIT)], std::iter::empty());
        assert!(said.starts_with("an argument has 131075 bytes"), "{said}");
        let said = largest(&[variable("a", 1)], environment[..1].iter().map(CString::as_c_str));
        assert!(said.starts_with("its environment (1 variables, 8 bytes) and arguments (4 bytes)"), "{said}");
    }
}

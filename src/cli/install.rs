//! `bandog install`: copies itself into a directory that another container can read.
//!
//! Each file appears complete or not at all. An existing file is replaced, not overwritten: it may be running.

use std::{
    fs::{self, File, Permissions},
    io::{self, Seek as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ValueHint;

use super::{FAILURE, exit::print, fail};

pub(super) const EXAMPLES: &str = "Examples:
  bandog install /shared          in an init container; the other one starts /shared/bandog
  bandog install /usr/bin         in an image: RUN [\"/bandog\", \"install\", \"/usr/bin\"]

Installs bandog and, as links to it, fwatchdog and supervisor, so that it takes their places.";

/// The running program, even if its file has been replaced.
const SELF: &str = "/proc/self/exe";

/// The names of the programs that bandog replaces.
const REPLACED: [&str; 2] = ["fwatchdog", "supervisor"];

/// The flags of `bandog install`.
#[derive(Debug, clap::Args)]
pub struct InstallFlags {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}

/// The reason why a file is not installed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}", path.display())]
struct InstallError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl InstallError {
    fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

/// Installs the program, and lists the files.
pub(super) fn main(flags: &InstallFlags) -> ExitCode {
    let opened = File::open(SELF).map_err(InstallError::new("read", Path::new(SELF)));
    match opened.and_then(|own| install(own, &flags.dir)) {
        Ok(installed) => print(format!("{}\n", installed.join("\n")).as_bytes(), 0),
        Err(error) => fail(FAILURE, &error),
    }
}

/// Puts the program into the directory. Returns a line for each file.
fn install(mut program: File, dir: &Path) -> Result<Vec<String>, InstallError> {
    fs::create_dir_all(dir).map_err(|error| {
        let error = if dir.is_file() { io::Error::new(error.kind(), "it is a file; name a directory") } else { error };
        InstallError::new("make the directory", dir)(error)
    })?;
    let bandog = dir.join("bandog");
    copy(&mut program, &bandog)?;
    let mut installed = vec![bandog.display().to_string()];
    for name in REPLACED {
        let path = dir.join(name);
        // Some volumes have no hard links.
        let how = match link(&bandog, &path) {
            Ok(()) => "a link to bandog",
            Err(_) => copy(&mut program, &path).map(|()| "a copy")?,
        };
        installed.push(format!("{} ({how})", path.display()));
    }
    // The names must survive a crash of the node too. Not every volume supports that.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(installed)
}

fn copy(program: &mut File, path: &Path) -> Result<(), InstallError> {
    let mut write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".bandog-install-").tempfile_in(directory_of(path))?;
        program.rewind()?;
        io::copy(program, &mut file)?;
        // Not restricted by the umask: the other container may run as any user.
        file.as_file().set_permissions(Permissions::from_mode(0o755))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(InstallError::new("write", path))
}

fn link(bandog: &Path, path: &Path) -> io::Result<()> {
    let temporary = tempfile::Builder::new()
        .prefix(".bandog-install-")
        .make_in(directory_of(path), |name| fs::hard_link(bandog, name))?
        .into_temp_path();
    let name = temporary.to_path_buf();
    temporary.persist(path)?;
    // rename(2) keeps both names if they are already the same file.
    let _ = fs::remove_file(name);
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn program(dir: &Path, content: &str) -> File {
        let path = dir.join("program");
        fs::write(&path, content).expect("written");
        File::open(path).expect("open")
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .expect("dir")
            .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_name_is_the_program_and_can_be_executed_by_all() {
        let dir = tempfile::tempdir().expect("tempdir");
        let target = dir.path().join("not/there/yet");
        let lines = install(program(dir.path(), "content"), &target).expect("installed");
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(names(&target), ["bandog", "fwatchdog", "supervisor"]);
        for name in names(&target) {
            let path = target.join(name);
            assert_eq!(fs::read_to_string(&path).expect("content"), "content");
            let metadata = fs::metadata(&path).expect("metadata");
            assert_eq!(metadata.mode() & 0o7777, 0o755);
            assert_eq!(metadata.nlink(), 3);
        }
    }

    #[test]
    fn what_was_there_is_replaced_and_not_written_to() {
        let dir = tempfile::tempdir().expect("tempdir");
        let target = dir.path().join("bin");
        install(program(dir.path(), "old"), &target).expect("installed");
        let kept = dir.path().join("kept");
        fs::hard_link(target.join("bandog"), &kept).expect("linked");
        install(program(dir.path(), "new"), &target).expect("installed again");
        assert_eq!(fs::read_to_string(kept).expect("content"), "old", "whoever runs it keeps it");
        for name in ["bandog", "fwatchdog", "supervisor"] {
            assert_eq!(fs::read_to_string(target.join(name)).expect("content"), "new");
        }
        assert_eq!(names(&target).len(), 3, "nothing temporary is left");
    }

    #[test]
    fn a_failure_names_the_place_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let error =
            install(program(dir.path(), "x"), &dir.path().join("program/below")).expect_err("a file is no directory");
        assert!(error.to_string().starts_with("cannot make the directory /"), "{error}");
        let target = dir.path().join("bin");
        fs::create_dir_all(target.join("supervisor")).expect("made");
        let error = install(program(dir.path(), "x"), &target).expect_err("a directory is in the way");
        assert!(error.to_string().contains("bin/supervisor"), "{error}");
        assert_eq!(names(&target), ["bandog", "fwatchdog", "supervisor"]);
    }
}

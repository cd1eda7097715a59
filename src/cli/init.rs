//! `bandog init`: writes a small function that works, to begin with.

use std::{
    fmt::Write as _,
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{ValueEnum, ValueHint};

use super::{CANNOT_CREATE, exit::print, fail};

pub(super) const EXAMPLES: &str = "Examples:
  bandog init oscar my-function    a script, its Dockerfile, and the file that oscar-cli takes
  bandog init actions words        an oms.yml with an action, its script, its Dockerfile
  bandog init http my-server       a server in Python, its Dockerfile

No file is overwritten: one that is in the way is named, and nothing is written.";

/// The flags of `bandog init`.
#[derive(Debug, clap::Args)]
pub struct InitFlags {
    /// The kind of function
    #[arg(value_enum, value_name = "KIND")]
    pub template: Template,
    /// The directory; made if it is not there
    #[arg(value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}

/// The kinds of functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A script that runs once for each input, as a service of OSCAR or in any container
    Oscar,
    /// Actions with typed arguments, described in a file
    Actions,
    /// A server that is started once
    Http,
}

/// A file of a template.
struct TemplateFile {
    name: &'static str,
    content: &'static str,
}

impl TemplateFile {
    /// A program has the execute permission.
    fn mode(&self) -> u32 {
        if self.content.starts_with("#!") { 0o755 } else { 0o644 }
    }
}

macro_rules! files {
    ($dir:literal: $($name:literal),+) => {
        &[$(TemplateFile { name: $name, content: include_str!(concat!("init/", $dir, "/", $name)) }),+]
    };
}

impl Template {
    fn files(self) -> &'static [TemplateFile] {
        match self {
            Self::Oscar => files!("oscar": "script.sh", "fdl.yml", "Dockerfile"),
            Self::Actions => files!("actions": "oms.yml", "count.sh", "Dockerfile"),
            Self::Http => files!("http": "server.py", "Dockerfile"),
        }
    }

    /// The two commands that come next, in the directory.
    fn next(self) -> [&'static str; 2] {
        match self {
            Self::Oscar => {
                ["bandog run ./script.sh -i hello -o result.txt && cat result.txt", "docker build -t my-function ."]
            }
            Self::Actions => ["bandog run count -a text='to be or not to be'", "docker build -t my-function ."],
            Self::Http => ["bandog --mode http -- python3 server.py", "curl -d hello localhost:8080"],
        }
    }
}

/// Writes the files of the template, and says what comes next.
pub(super) fn main(flags: &InitFlags) -> ExitCode {
    let InitFlags { template, dir } = flags;
    if let Err(reasons) = write(dir, template.files()) {
        return fail(CANNOT_CREATE, &reasons);
    }
    let mut text = String::new();
    for file in template.files() {
        let _ = writeln!(text, "{}", dir.join(file.name).display());
    }
    text.push_str("\nNext:\n");
    let [first, second] = template.next();
    let here = dir == Path::new(".");
    let enter = if here { String::new() } else { format!("cd {} && ", shell_words::quote(&dir.to_string_lossy())) };
    let _ = write!(text, "  {enter}{first}\n  {second}\n");
    print(text.as_bytes(), 0)
}

/// Writes the files, or none of them. The error has a line for each file that is in the way.
fn write(dir: &Path, files: &[TemplateFile]) -> Result<(), String> {
    fs::create_dir_all(dir).map_err(|error| {
        let error = if dir.is_file() { "it is a file; name a directory".to_owned() } else { error.to_string() };
        format!("cannot make the directory {}: {error}", dir.display())
    })?;
    let paths: Vec<PathBuf> = files.iter().map(|file| dir.join(file.name)).collect();
    let in_the_way = paths.iter().filter(|path| path.symlink_metadata().is_ok());
    let lines: Vec<String> = in_the_way
        .map(|path| {
            format!("{} is there already; nothing is written: remove it, or name another directory", path.display())
        })
        .collect();
    if !lines.is_empty() {
        return Err(lines.join("\n"));
    }
    for (index, (path, file)) in paths.iter().zip(files).enumerate() {
        if let Err(error) = write_file(path, file) {
            // A file that is there in spite of the look above is not ours.
            let last = index + usize::from(error.kind() != io::ErrorKind::AlreadyExists);
            for written in &paths[..last] {
                let _ = fs::remove_file(written);
            }
            return Err(format!("cannot write {}: {error}", path.display()));
        }
    }
    Ok(())
}

fn write_file(path: &Path, file: &TemplateFile) -> io::Result<()> {
    let mut made = File::create_new(path)?;
    made.write_all(file.content.as_bytes())?;
    made.set_permissions(Permissions::from_mode(file.mode()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_way_is_kept_and_nothing_else_is_written() {
        let dir = tempfile::tempdir().expect("tempdir");
        for name in ["Dockerfile", "script.sh"] {
            fs::write(dir.path().join(name), "mine").expect("written");
        }
        let error = write(dir.path(), Template::Oscar.files()).expect_err("in the way");
        assert_eq!(error.lines().count(), 2, "{error}");
        assert!(
            error.contains("Dockerfile is there already") && error.contains("script.sh is there already"),
            "{error}"
        );
        assert!(!dir.path().join("fdl.yml").exists());
        assert_eq!(fs::read_to_string(dir.path().join("script.sh")).expect("kept"), "mine");
    }

    #[test]
    fn a_dangling_link_in_the_way_is_not_written_through() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), dir.path().join("server.py")).expect("a link");
        assert!(write(dir.path(), Template::Http.files()).is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }
}

//! A request: the workspace, the function, the one file it leaves, and the end of the workspace.

use std::{
    ffi::{CString, OsStr, OsString},
    fs::File,
    io::Write as _,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, bail, ensure};
use rustix::fs::{FileType, Mode, OFlags, RawDir, mkdir, open, rmdir, unlink};

use super::function::Function;
use crate::limit;

/// The parts that all requests share.
pub struct Invocations {
    function: Function,
    environment: Environment,
    /// Begins the path of every workspace; a number follows.
    prefix: PathBuf,
    next: AtomicU64,
}

impl Invocations {
    /// Workspaces are in `root`, and have names like that of the function that `told` its environment.
    pub fn new(root: &Path, told: &[OsString], function: &[OsString]) -> anyhow::Result<Self> {
        let environment = Environment::new(told)?;
        let theirs = &environment.workspace;
        let name = theirs.file_name().and_then(OsStr::to_str).context("bandog's workspaces have a name in UTF-8")?;
        let (name, _) = name.rsplit_once('-').context("bandog's workspaces are numbered")?;
        let length = |path: &Path| path.as_os_str().len();
        ensure!(
            theirs.parent().map(length) == Some(length(root)),
            "{} and the directory of {} differ in length",
            root.display(),
            theirs.display()
        );
        let prefix = root.join(format!("{name}-"));
        Ok(Self { function: Function::new(function)?, environment, prefix, next: AtomicU64::new(0) })
    }

    /// Runs the function on this body and returns its output. A workspace stays where something fails, which ends the
    /// measurement.
    pub fn run(&self, body: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut workspace = self.prefix.clone().into_os_string();
        workspace.push(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let workspace = PathBuf::from(workspace);
        let (input_dir, output_dir) = (workspace.join("in"), workspace.join("out"));
        for dir in [&workspace, &input_dir, &output_dir] {
            mkdir(dir, Mode::RWXU)?;
        }
        let input = input_dir.join(&self.environment.input);
        File::create_new(&input)?.write_all(body)?;
        self.function.run(&self.environment.of(&workspace)?)?;
        let output = output_dir.join(only_file(&output_dir)?);
        let content = content(&output)?;
        for file in [&input, &output] {
            unlink(file)?;
        }
        for dir in [&input_dir, &output_dir, &workspace] {
            rmdir(dir)?;
        }
        Ok(content)
    }
}

/// The environment that bandog gave a function: where that one's workspace is named, each request's own stands.
struct Environment {
    /// The workspace of that function.
    workspace: PathBuf,
    /// The name of the input file.
    input: OsString,
    /// Each variable, cut where the workspace is named.
    variables: Vec<Vec<Vec<u8>>>,
}

impl Environment {
    fn new(told: &[OsString]) -> anyhow::Result<Self> {
        let (input, output_dir) = (limit::value(told, "INPUT_FILE_PATH")?, limit::value(told, "TMP_OUTPUT_DIR")?);
        let workspace = output_dir.parent().context("the output directory is in a workspace")?.to_owned();
        let input = input.file_name().context("the input file has a name")?.to_owned();
        let name = workspace.as_os_str().as_bytes();
        let variables = told.iter().map(|variable| split(variable.as_bytes(), name)).collect();
        Ok(Self { workspace, input, variables })
    }

    /// For this workspace.
    fn of(&self, workspace: &Path) -> anyhow::Result<Vec<CString>> {
        let name = workspace.as_os_str().as_bytes();
        self.variables.iter().map(|pieces| Ok(CString::new(pieces.join(name))?)).collect()
    }
}

/// The parts of `text` before, between and after the occurrences of `name`.
fn split(text: &[u8], name: &[u8]) -> Vec<Vec<u8>> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        pieces.push(rest[..at].to_vec());
        rest = &rest[at + name.len()..];
    }
    pieces.push(rest.to_vec());
    pieces
}

/// The name of the one file in a directory.
fn only_file(dir: &Path) -> anyhow::Result<OsString> {
    let list = open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut entries = RawDir::new(&list, &mut buffer);
    let mut found = None;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        match entry.file_type() {
            FileType::RegularFile if found.is_none() => found = Some(OsStr::from_bytes(name).to_owned()),
            FileType::Directory if matches!(name, b"." | b"..") => {}
            _ => bail!("the function left more than one file"),
        }
    }
    found.context("the function left no file")
}

fn content(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = open(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let (mut content, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match rustix::io::read(&file, &mut piece)? {
            0 => return Ok(content),
            count => content.extend_from_slice(&piece[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_takes_the_place_of_the_one_that_was_told() {
        let told = ["HOME=/root", "TMP_OUTPUT_DIR=/w/bandog-1-0/out", "INPUT_FILE_PATH=/w/bandog-1-0/in/input", "A="];
        let environment = Environment::new(&told.map(OsString::from)).unwrap();
        assert_eq!(environment.workspace, Path::new("/w/bandog-1-0"));
        assert_eq!(environment.input, "input");
        let own = environment.of(Path::new("/v/bandog-1-23")).unwrap();
        let expected =
            [c"HOME=/root", c"TMP_OUTPUT_DIR=/v/bandog-1-23/out", c"INPUT_FILE_PATH=/v/bandog-1-23/in/input", c"A="];
        assert_eq!(own, expected.map(CString::from));
    }
}

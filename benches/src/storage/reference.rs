//! OSCAR's faas-supervisor: its provider code alone, in a Python that has started, or all of it as OSCAR starts it for each
//! event.

use std::{
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use super::store::Store;
use crate::{child::Child, peers::kit::Kit, server::ENVIRONMENT, setting::Setting};

/// How it is called in the report.
pub(super) const NAME: &str = "faas-supervisor on boto3";

/// Its provider code, timed.
const PROVIDERS: &str = include_str!("reference.py");

pub(super) struct Reference {
    python: PathBuf,
    home: TempDir,
}

impl Reference {
    /// Fails where it is not installed. Its first start also reads its files from the disk.
    pub(super) fn find(setting: &Setting) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let found = Self { python: Kit::new(setting, home.path())?.python()?, home };
        let mut command = found.command();
        command.args(["-c", "import boto3, faassupervisor.supervisor"]).stdout(Stdio::null()).stdin(Stdio::null());
        let status = Child::start(&mut command)?.process().wait()?;
        ensure!(status.success(), "its modules cannot be imported: {status}");
        Ok(found)
    }

    /// Fetches the input of `store` and stores it again, or the files of `outputs` in its place. The time is that of the
    /// provider code, without the start of Python.
    pub(super) fn transfer(&self, store: &Store, outputs: Option<&Path>) -> anyhow::Result<Duration> {
        let mut command = self.command();
        command.args(["-c", PROVIDERS]).args(outputs);
        let (_, output) = Self::run(&mut command, store)?;
        let seconds = output.trim().parse().with_context(|| format!("{NAME} said {output:?}"))?;
        Ok(Duration::try_from_secs_f64(seconds)?)
    }

    /// Runs a script for the input of `store`, as OSCAR does it. The time is that of the whole process.
    pub(super) fn invoke(&self, store: &Store, script: &str) -> anyhow::Result<Duration> {
        let mut command = self.command();
        command.args(["-m", "faassupervisor.supervisor"]).env("SCRIPT", STANDARD.encode(script));
        Ok(Self::run(&mut command, store)?.0)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env_clear().envs(ENVIRONMENT).env("TMPDIR", self.home.path()).current_dir(self.home.path());
        command.stderr(Stdio::null());
        command
    }

    fn run(command: &mut Command, store: &Store) -> anyhow::Result<(Duration, String)> {
        command.env("FUNCTION_CONFIG", STANDARD.encode(store.configuration()?.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let event = store.event(1)?;
        let began = Instant::now();
        let mut child = Child::start(command)?;
        let process = child.process();
        process.stdin.take().context("a pipe to it")?.write_all(event.as_bytes())?;
        let mut output = String::new();
        process.stdout.take().context("a pipe from it")?.read_to_string(&mut output)?;
        let status = process.wait()?;
        let whole = began.elapsed();
        ensure!(status.success(), "{NAME} ended with {status}: {output}");
        Ok((whole, output))
    }
}

/// The time of a bare script with this input file.
pub(super) fn bare_script(script: &str, input: &Path, outputs: &Path) -> anyhow::Result<Duration> {
    fs::create_dir_all(outputs)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).env_clear().envs(ENVIRONMENT);
    command.env("INPUT_FILE_PATH", input).env("TMP_OUTPUT_DIR", outputs).stdin(Stdio::null());
    let began = Instant::now();
    let status = Child::start(&mut command)?.process().wait()?;
    let taken = began.elapsed();
    ensure!(status.success(), "the script ended with {status}");
    Ok(taken)
}

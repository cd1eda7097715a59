//! bandog as a listener, started for a measurement.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{child::Child, setting::Setting};

/// How long a contender may take until it answers.
pub const START: Duration = Duration::from_secs(10);

/// The environment of every contender, and nothing else: the one of a container. One more variable costs a script
/// several percent, so all have the same.
pub const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("HOME", "/root")];

/// A listener. It ends when this is dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _home: TempDir,
}

impl Server {
    /// Starts `function` behind a listener with these flags, workspaces in `workspace`.
    pub fn start(setting: &Setting, workspace: &Path, flags: &[&str], function: &[&str]) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let file = home.path().join("address");
        let mut command = Command::new(&setting.bandog);
        command
            .env_clear()
            .envs(ENVIRONMENT)
            .args(["serve", "--listen", "127.0.0.1:0", "--address-file"])
            .arg(&file)
            .arg("--workspace")
            .arg(workspace)
            .args(flags)
            .arg("--")
            .args(function)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = Child::start(&mut command)?;
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&file).unwrap_or_default();
            if !text.trim().is_empty() {
                let address = text.trim().parse().with_context(|| format!("{text:?} is not an address"))?;
                return Ok(Self { child, address, _home: home });
            }
            child.check()?;
            ensure!(began.elapsed() < START, "bandog wrote no address in {START:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The most memory it has held so far, in bytes.
    pub fn peak(&self) -> anyhow::Result<u64> {
        self.child.peak()
    }
}

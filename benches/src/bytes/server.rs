//! A bandog of its own for each measurement.

use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{child, setting::Setting};

/// How long it may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// Told to stop when dropped.
pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
    /// Its workspaces, on tmpfs.
    _home: TempDir,
}

impl Server {
    /// Starts `script`, a line of shell, behind a listener with these flags.
    pub(super) fn start(setting: &Setting, flags: &[&str], script: &str) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let (file, workspaces) = (home.path().join("address"), home.path().join("workspaces"));
        fs::create_dir(&workspaces)?;
        let process = Command::new(&setting.bandog)
            .args(["serve", "--listen", "127.0.0.1:0", "--address-file"])
            .arg(&file)
            .arg("--workspace")
            .arg(&workspaces)
            .args(flags)
            .args(["--", "/bin/sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", setting.bandog.display()))?;
        let mut server = Self { process, address: SocketAddr::from(([0, 0, 0, 0], 0)), _home: home };
        let began = Instant::now();
        while server.address.port() == 0 {
            ensure!(began.elapsed() < START, "bandog gave no address within {START:?}");
            thread::sleep(Duration::from_millis(2));
            if let Ok(address) = fs::read_to_string(&file).unwrap_or_default().trim().parse() {
                server.address = address;
            }
        }
        Ok(server)
    }

    /// The most memory it has held so far, in bytes.
    pub(super) fn peak(&self) -> anyhow::Result<u64> {
        child::peak(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

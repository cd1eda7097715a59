//! The needs of every peer: its program, a port, scripts, a place for its files.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{server::ENVIRONMENT, setting::Setting};

/// Where the dynamic loader may be: it takes the libraries' place as an argument, so that no variable has to.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

pub struct Kit {
    /// The directory that `scripts/peers.sh` fills, `BENCH_PEERS` (`target/peers`).
    fetched: PathBuf,
    /// On tmpfs, for everything that the peers write.
    pub home: PathBuf,
}

impl Kit {
    pub fn new(setting: &Setting, home: &Path) -> anyhow::Result<Self> {
        let fetched = env::var_os("BENCH_PEERS").map_or_else(|| "target/peers".into(), PathBuf::from);
        let fetched = if fetched.is_dir() { fs::canonicalize(fetched)? } else { fetched };
        debug_assert!(home.starts_with(&setting.tmpfs));
        fs::create_dir_all(home.join("peers"))?;
        Ok(Self { fetched, home: home.join("peers") })
    }

    /// The environment of OSCAR's faas-supervisor.
    pub fn python(&self) -> anyhow::Result<PathBuf> {
        let python = self.fetched.join("venv/bin/python");
        if !self.fetched.join("venv/stamp").is_file() {
            bail!("not installed under {}; scripts/peers.sh does that", self.fetched.display());
        }
        Ok(python)
    }

    /// A directory of what was fetched, or the machine's own.
    pub fn directory(&self, path: &str) -> PathBuf {
        let fetched = self.fetched.join("root").join(path);
        if fetched.is_dir() { fetched } else { Path::new("/").join(path) }
    }

    /// This program, ready to be started: the fetched one, else the machine's own.
    pub fn command(&self, program: &str) -> anyhow::Result<Command> {
        let root = self.fetched.join("root");
        let fetched = ["usr/sbin", "usr/bin"].map(|place| root.join(place).join(program));
        let own = ["/usr/sbin", "/usr/bin"].map(|place| Path::new(place).join(program));
        let mut command = if let Some(program) = fetched.iter().find(|path| path.is_file()) {
            let libraries = root.join("usr/lib").join(format!("{}-linux-gnu", env::consts::ARCH));
            let loader = LOADERS.iter().find(|loader| Path::new(loader).exists());
            match loader.filter(|_| is_dynamic(program)) {
                Some(loader) => {
                    let mut command = Command::new(loader);
                    command.arg("--library-path").arg(libraries).arg(program);
                    command
                }
                None => Command::new(program),
            }
        } else {
            Command::new(own.iter().find(|path| path.is_file()).with_context(|| {
                format!("{program} is neither installed nor under {}; scripts/peers.sh fetches it", root.display())
            })?)
        };
        command.env_clear().envs(ENVIRONMENT).env("TMPDIR", &self.home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }

    /// A port that is free at this moment: these servers can't choose one themselves.
    pub fn free_port() -> anyhow::Result<SocketAddr> {
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
    }

    pub fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.home.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// An executable script with this body.
    pub fn script(&self, name: &str, body: &str) -> anyhow::Result<PathBuf> {
        let path = self.write(name, &format!("#!/bin/sh\n{body}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// The two scripts of a server that speaks CGI: the one that does the same work, and the one that does less.
    pub fn cgi_scripts(&self) -> anyhow::Result<[PathBuf; 2]> {
        const HEAD: &str = r"printf 'Content-Type: application/octet-stream\r\n\r\n'";
        let file = self.home.display();
        let same = format!("f={file}/$$\n{HEAD}\ncat > \"$f\"\ncat \"$f\"\nrm \"$f\"");
        let lean = format!("{HEAD}\ncat");
        Ok([self.script("same.cgi", &same)?, self.script("lean.cgi", &lean)?])
    }
}

/// Whether the loader can start it: a program without `/lib…/ld-…` in it is static.
fn is_dynamic(program: &Path) -> bool {
    let head = fs::read(program).map(|bytes| bytes[..bytes.len().min(4096)].to_vec()).unwrap_or_default();
    LOADERS.iter().any(|loader| head.windows(loader.len()).any(|window| window == loader.as_bytes()))
}

//! A store of S3 on loopback, started by `fixtures/servers/serve.py`.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{child::Child, server::ENVIRONMENT, setting::Setting};

/// The script that starts it, below the working directory.
const SERVE: &str = "fixtures/servers/serve.py";

/// The place of outputs in their bucket.
const FOLDER: &str = "made";

/// The name of the object that events are about.
pub(super) const INPUT: &str = "input";

/// An empty store. It ends when this is dropped, and its objects are gone with it.
pub(super) struct Store {
    _child: Child,
    info: Value,
    _home: TempDir,
}

impl Store {
    pub(super) fn start(setting: &Setting) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let mut command = Command::new("python3");
        command.arg(SERVE).arg("rclone-s3").env_clear().envs(ENVIRONMENT).env("TMPDIR", home.path());
        command.envs(env::var_os("CARGO_TARGET_DIR").map(|target| ("CARGO_TARGET_DIR", target)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = Child::start(&mut command)?;
        let output = child.process().stdout.take().context("a pipe from it")?;
        let mut line = String::new();
        // The script itself limits the time of a start.
        BufReader::new(output).read_line(&mut line)?;
        let info: Value = serde_json::from_str(&line).with_context(|| format!("{SERVE} said {line:?}"))?;
        for reason in ["missing", "failed"] {
            if let Some(reason) = info[reason].as_str() {
                bail!("{reason}; scripts/setup.sh installs it");
            }
        }
        Ok(Self { _child: child, info, _home: home })
    }

    /// A field of what the script said.
    pub(super) fn text(&self, name: &str) -> anyhow::Result<&str> {
        self.info[name].as_str().with_context(|| format!("{SERVE} said no {name}"))
    }

    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        let endpoint = self.text("endpoint")?;
        let address = endpoint.strip_prefix("http://").with_context(|| format!("{endpoint} is not on loopback"))?;
        Ok(address.parse()?)
    }

    /// The file of the object that events are about.
    pub(super) fn input(&self) -> anyhow::Result<PathBuf> {
        Ok(Path::new(self.text("root")?).join(self.text("bucket")?).join(INPUT))
    }

    /// The directory of the objects that outputs become.
    pub(super) fn outputs(&self) -> anyhow::Result<PathBuf> {
        Ok(Path::new(self.text("root")?).join(self.text("bucket_out")?).join(FOLDER))
    }

    /// The path of an output in an address.
    pub(super) fn path(&self, name: &str) -> anyhow::Result<String> {
        Ok(format!("/{}/{FOLDER}/{name}", self.text("bucket_out")?))
    }

    /// The configuration of a function that reads and writes here, which bandog and the reference understand alike.
    pub(super) fn configuration(&self) -> anyhow::Result<Value> {
        let output = format!("{}/{FOLDER}", self.text("bucket_out")?);
        Ok(json!({
            "name": "bench",
            "log_level": "CRITICAL",
            "input": [{"storage_provider": "minio.default", "path": self.text("bucket")?}],
            "output": [{"storage_provider": "minio.default", "path": output}],
            "storage_providers": {"minio": {"default": {
                "endpoint": self.text("endpoint")?,
                "region": self.text("region")?,
                "access_key": self.text("access_key")?,
                "secret_key": self.text("secret_key")?,
            }}},
        }))
    }

    /// The event that tells of the input, as MinIO sends it. Another number is another event.
    pub(super) fn event(&self, number: usize) -> anyhow::Result<String> {
        let bucket = self.text("bucket")?;
        let event = json!({"Records": [{
            "eventSource": "minio:s3",
            "eventName": "s3:ObjectCreated:Put",
            "eventTime": "2026-11-20T14:49:56.867Z",
            "s3": {
                "bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")},
                "object": {"key": INPUT, "sequencer": format!("{number:016X}")},
            },
        }]});
        Ok(event.to_string())
    }

    /// Removes the objects that outputs became, before others of the same names come.
    pub(super) fn forget_outputs(&self) -> anyhow::Result<()> {
        Ok(fs::remove_dir_all(self.outputs()?)?)
    }
}

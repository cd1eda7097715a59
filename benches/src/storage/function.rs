//! A bandog whose function reads and writes objects of a store.

use std::fs;

use tempfile::TempDir;

use super::{
    event::{self, Done},
    store::Store,
};
use crate::{server::Server, setting::Setting};

/// It ends when this is dropped.
pub(super) struct Function {
    server: Server,
    _home: TempDir,
}

impl Function {
    /// Starts `script`, a line of shell, with the configuration of `store`.
    pub(super) fn start(setting: &Setting, store: &Store, script: &str) -> anyhow::Result<Self> {
        let home = tempfile::tempdir_in(&setting.tmpfs)?;
        let (configuration, workspace) = (home.path().join("function_config.yaml"), home.path().join("workspaces"));
        fs::write(&configuration, store.configuration()?.to_string())?;
        fs::create_dir(&workspace)?;
        let configuration = configuration.display().to_string();
        let flags = ["--config", &configuration, "--max-body", "0"];
        let server = Server::start(setting, &workspace, &flags, &["/bin/sh", "-c", script])?;
        Ok(Self { server, _home: home })
    }

    /// Runs the function for the input of `store`. Each `number` is an event of its own.
    pub(super) fn run(&self, store: &Store, number: usize, stored: usize) -> anyhow::Result<Done> {
        event::send(self.server.address, &store.event(number)?, stored)
    }

    /// The most memory it has held so far, in bytes.
    pub(super) fn peak(&self) -> anyhow::Result<u64> {
        self.server.peak()
    }
}

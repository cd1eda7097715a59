//! Tests of the configuration as a whole, by subject.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::*;
use crate::invocation::Command;

mod actions;
mod function;
mod mistakes;
mod sources;
mod values;

/// Sources that set only a function.
struct World {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let mut world = Self::without_function();
        world.sources.typed.command = vec!["/bin/sh".into()];
        world
    }

    fn without_function() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let paths = Paths {
            config: dir.path().join("function_config.yaml"),
            script: dir.path().join("script.sh"),
            actions: vec![dir.path().join("root"), dir.path().to_owned()],
            secrets: dir.path().join("secrets"),
        };
        Self { dir, sources: Sources { paths, ..Sources::default() } }
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.sources.typed.values.insert(name, value.into());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.into(), value.into());
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.dir.path().join(name), content).expect("written");
        self
    }

    fn program(self, name: &str, content: &str) -> Self {
        let world = self.file(name, content);
        fs::set_permissions(world.dir.path().join(name), fs::Permissions::from_mode(0o755)).expect("chmod");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> Config {
        self.sources.resolve().into_config().expect("no mistake")
    }

    fn mistakes(&self) -> Vec<String> {
        self.sources.resolve().mistakes.iter().map(ToString::to_string).collect()
    }

    fn mistake(&self) -> String {
        let mistakes = self.mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        mistakes[0].clone()
    }

    fn command(&self) -> Command {
        self.config().function.command.expect("a function")
    }

    fn origin(&self, name: &str) -> String {
        let resolution = self.sources.resolve();
        resolution.entries.iter().find(|entry| entry.name == name).expect("listed").origin.to_string()
    }
}

fn words(command: &Command) -> Vec<String> {
    command.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

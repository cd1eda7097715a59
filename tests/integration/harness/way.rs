//! One case, three ways: over HTTP, through `bandog run` and through `bandog call`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Server, bandog, serve};

/// How a function is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A POST of base64 without `Content-Type`.
    Http,
    /// `bandog run --input … --output …`.
    Run,
    /// `bandog call URL --input … --output …`.
    Call,
}

/// All of them.
pub(crate) const WAYS: [Way; 3] = [Way::Http, Way::Run, Way::Call];

/// A function behind a listener, and the same one for `run`.
pub(crate) struct Crossing {
    function: PathBuf,
    server: Server,
}

impl Crossing {
    /// Starts the listener.
    #[track_caller]
    pub(crate) fn to(function: &Path) -> Self {
        Self { function: function.to_owned(), server: serve(function).quiet().start() }
    }

    /// Sends a file through the function; what it made of it, decoded. `output` is the name it is stored under, whose
    /// ending says `.zip` when several files are expected as one.
    #[track_caller]
    pub(crate) fn send(&self, way: Way, input: (&str, &[u8]), output: &str) -> Vec<u8> {
        let (name, content) = input;
        let command = match way {
            Way::Http => return self.server.post(super::encode(content)).send().expect(200).decoded(),
            Way::Run => bandog(["run", "--log-level", "CRITICAL", "--script"]).arg(&self.function).with_workspace(),
            Way::Call => bandog(["call", &self.server.url("/")]),
        };
        fs::write(command.home().join(name), content).expect("writable");
        let ran = command.args(["--input", name, "--output", output]).run().expect(0);
        let path = ran.home().join(output);
        fs::read(&path).unwrap_or_else(|error| panic!("{way:?}: cannot read {}: {error}{ran}", path.display()))
    }
}

//! The modes in which a body is standard input and standard output is the answer.

mod http2;
mod stdio;
mod streaming;

use crate::harness::{Builder, serve_command};

/// A listener in this mode for a shell command.
fn serve(mode: &str, command: &str) -> Builder {
    serve_command(command).args(["--mode", mode])
}

/// Both of them.
const MODES: [&str; 2] = ["stdio", "streaming"];

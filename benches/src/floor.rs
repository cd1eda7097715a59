//! The floor: the least that a server with bandog's promises can do, one system call after another.
//!
//! A thread for each connection reads a request, makes a workspace of three directories, writes the body to a file,
//! starts the script with a pipe, in a process group and with its own environment, waits for it, finds the one file it
//! left, removes everything and answers. It has no log, no cgroup, no limits, no timers, no cancellation, no watch for
//! a client that hangs up, no look for descendants, and knows no request and no output but those of the small case.
//!
//! It is a process of its own, this program started again, so that memory, scheduling and what it takes to start a
//! process are comparable with bandog's.

mod connection;
mod function;
mod invocation;

use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, ensure};

use crate::{child::Child, server::ENVIRONMENT};
use invocation::Invocations;

/// How the floor is called in the report.
pub const NAME: &str = "floor";

/// This program's first argument when it is to be the floor. A directory follows, the variables of a function's
/// environment, [`SEPARATOR`], and the function.
const ARGUMENT: &str = "floor";

const SEPARATOR: &str = "--";

/// The server. It ends when this is dropped.
pub struct Floor {
    _child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Floor {
    /// Starts `function` behind it, workspaces in `workspace`. `told` is the environment that bandog gave a function
    /// whose workspace was in a directory with a path of the same length.
    pub fn start(workspace: &Path, told: &[OsString], function: &[&str]) -> anyhow::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command
            .env_clear()
            .envs(ENVIRONMENT)
            .arg(ARGUMENT)
            .arg(workspace)
            .args(told)
            .arg(SEPARATOR)
            .args(function)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = Child::start(&mut command)?;
        let mut line = String::new();
        let output = child.process().stdout.take().context("the floor has an output")?;
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the floor told {line:?}, which is no address"))?;
        Ok(Self { _child: child, address })
    }
}

/// The arguments after [`ARGUMENT`], if this process is to be the floor.
pub fn asked_for() -> Option<Vec<OsString>> {
    let mut arguments = env::args_os().skip(1);
    (arguments.next()? == ARGUMENT).then(|| arguments.collect())
}

/// The life of that process: tells its address in one line, and serves until it is killed.
pub fn serve(arguments: &[OsString]) -> anyhow::Result<()> {
    let (workspace, rest) = arguments.split_first().context("the floor has no directory for workspaces")?;
    let end = rest.iter().position(|argument| argument == SEPARATOR).context("the floor has no function")?;
    let (told, function) = (&rest[..end], &rest[end + 1..]);
    ensure!(!function.is_empty(), "the floor has no function");
    let invocations = Arc::new(Invocations::new(Path::new(workspace), told, function)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut output = std::io::stdout();
    writeln!(output, "{}", listener.local_addr()?)?;
    output.flush()?;
    for stream in listener.incoming() {
        let (stream, invocations) = (stream?, Arc::clone(&invocations));
        thread::spawn(move || connection::serve(stream, &invocations));
    }
    Ok(())
}

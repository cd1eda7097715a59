//! The cost of loopback itself: the same client with other ends that are as simple as can be.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    client::{self, Thoroughness},
    content::Stretch,
};

/// Bytes read at once.
const READ: usize = 256 * 1024;

/// The client with an end that reads all of `body`, keeps nothing, and then sends it back out of its own block.
pub(super) fn store_nothing(body: &Stretch) -> anyhow::Result<Duration> {
    with_listener(body, Thoroughness::Sample, |mut stream| {
        let mut buffer = vec![0; READ];
        let mut left = body.len();
        while left > 0 {
            let read = stream.read(&mut buffer)?;
            ensure!(read > 0, "the body broke off");
            left -= read as u64;
        }
        Ok(body.write_to(&mut stream)?)
    })
}

/// The client with a shell command whose standard input and output are the socket, as inetd(8) starts it.
pub(super) fn through(command: &str, directory: &Path, body: &Stretch, how: Thoroughness) -> anyhow::Result<Duration> {
    with_listener(body, how, |stream| {
        let socket = OwnedFd::from(stream);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).current_dir(directory).stdin(socket.try_clone()?).stdout(socket);
        let mut child = shell.spawn().context("cannot start /bin/sh")?;
        // Its ends of the socket go with it: the client sees the end.
        drop(shell);
        ensure!(child.wait()?.success(), "{command} failed");
        Ok(())
    })
}

fn with_listener(
    body: &Stretch,
    how: Thoroughness,
    serve: impl FnOnce(TcpStream) -> anyhow::Result<()> + Send,
) -> anyhow::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            serve(stream)
        });
        let began = Instant::now();
        client::bounce(&client::connect(address)?, body, how)?;
        let taken = began.elapsed();
        serving.join().map_err(|_| anyhow::anyhow!("the other end panicked"))??;
        Ok(taken)
    })
}

//! What the store takes at most: sixteen connections that send requests made and signed beforehand, and read responses.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{content::Files, signature::Signer, store::Store};
use crate::answer::Answer;

/// Connections, each on a thread.
const CONNECTIONS: usize = 16;

/// Bytes that are read at once; a response has a few hundred.
const READ: usize = 4096;

/// The longest time in which nothing arrives.
const SILENCE: Duration = Duration::from_mins(1);

/// Stores these files as outputs. The time is that from the first connection to the last response.
pub(super) fn store(store: &Store, files: Files) -> anyhow::Result<Duration> {
    let address = store.address()?;
    let date = Command::new("date").args(["-u", "+%Y%m%dT%H%M%SZ"]).output()?.stdout;
    let signer = Signer {
        host: &address.to_string(),
        region: store.text("region")?,
        access_key: store.text("access_key")?,
        secret_key: store.text("secret_key")?,
        date: str::from_utf8(&date)?.trim(),
    };
    let request = |number| Ok(signer.put(&store.path(&Files::name(number))?, &files.bytes(number)));
    let requests: Vec<Vec<u8>> = (0..files.count).map(request).collect::<anyhow::Result<_>>()?;
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| send(address, &requests, &next))).collect();
        connections
            .into_iter()
            .try_for_each(|connection| connection.join().map_err(|_| anyhow::anyhow!("a connection panicked"))?)
    })?;
    Ok(began.elapsed())
}

/// Sends those of `requests` that no other connection has taken.
fn send(address: SocketAddr, requests: &[Vec<u8>], next: &AtomicUsize) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    let mut piece = [0; READ];
    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        stream.write_all(request)?;
        let mut bytes = Vec::new();
        let answer = loop {
            let count = stream.read(&mut piece)?;
            ensure!(count > 0, "the store closed a connection");
            bytes.extend_from_slice(&piece[..count]);
            if let Some(answer) = Answer::read(&bytes, false)? {
                break answer;
            }
        };
        let text = || String::from_utf8_lossy(&bytes).into_owned();
        ensure!(answer.status == 200 && !answer.closes, "the store answered {}", text());
        (answer.length == bytes.len()).then_some(()).with_context(|| format!("more than one answer: {}", text()))?;
    }
    Ok(())
}

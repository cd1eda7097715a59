//! Clients that cost little: a blocking socket each, one buffer, no parsing beyond the length of the answer.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::AsFd as _,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};

use super::server::PATIENCE;

/// A request without a body, to the function or to a page of bandog's own.
pub(super) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench/1\r\nAccept: */*\r\n\r\n")
}

/// One connection that is kept.
pub(super) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// From `source`, so that ports of one address do not run short. Closed, it leaves nothing behind in the kernel.
    pub(super) fn connect(source: Ipv4Addr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        // A reset instead of a minute in TIME_WAIT.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        bind(socket.as_fd(), &SocketAddr::from((source, 0)))?;
        connect(socket.as_fd(), &address).with_context(|| format!("cannot connect to {address}"))?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends `request` and reads the whole answer; its status.
    pub(super) fn ask(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut piece = [0; 4096];
        loop {
            let count = self.stream.read(&mut piece)?;
            ensure!(count > 0, "the connection ended within the answer");
            self.buffer.extend_from_slice(&piece[..count]);
            if let Some(whole) = whole(&self.buffer)?
                && self.buffer.len() >= whole
            {
                break;
            }
        }
        let status = self.buffer.get(9..12).and_then(|digits| str::from_utf8(digits).ok());
        Ok(status.context("no status")?.parse()?)
    }

    /// Sends `head` and `length` zeros after it, and reads the answer to its end while it does.
    pub(super) fn exchange(&mut self, head: &str, piece: &[u8], pieces: usize) -> anyhow::Result<u64> {
        let mut writer = self.stream.try_clone()?;
        let head = head.to_owned();
        thread::scope(|scope| {
            let sending = scope.spawn(move || -> anyhow::Result<()> {
                writer.write_all(head.as_bytes())?;
                (0..pieces).try_for_each(|_| Ok(writer.write_all(piece)?))
            });
            let mut buffer = vec![0; 256 * 1024];
            let (mut came, mut whole_length) = (0, None);
            while whole_length.is_none_or(|whole| came < whole) {
                let count = self.stream.read(&mut buffer)?;
                ensure!(count > 0, "the connection ended within the answer");
                if whole_length.is_none() {
                    // The head is small and comes in one piece.
                    whole_length = whole(&buffer[..count])?.map(|whole| whole as u64);
                    ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer[..count]));
                }
                came += count as u64;
            }
            sending.join().expect("a client does not panic")?;
            Ok(came)
        })
    }
}

/// Bytes of the answer that begins here, once its head is there.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")).context("an answer without length")?;
    Ok(Some(end + 4 + length.trim().parse::<usize>()?))
}

/// Has `clients` send `count` requests to the function in all; how many a second.
pub(super) fn load(address: SocketAddr, clients: usize, count: usize) -> anyhow::Result<f64> {
    let request = get("/");
    let (left, done) = (AtomicUsize::new(count), AtomicUsize::new(0));
    let started = Instant::now();
    thread::scope(|scope| {
        let all: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    let mut client = Client::connect(Ipv4Addr::LOCALHOST, address)?;
                    let take = |left: usize| left.checked_sub(1);
                    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                        let status = client.ask(request.as_bytes())?;
                        ensure!(status == 200, "the function answered {status}");
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        all.into_iter().try_for_each(|client| client.join().expect("a client does not panic"))
    })?;
    ensure!(done.into_inner() == count, "not every request was answered");
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

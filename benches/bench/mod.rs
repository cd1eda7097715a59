//! What every benchmark needs: a listener, and a lean client.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the listener may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// One connection that is kept open.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a TCP option");
        Self(BufReader::new(stream))
    }

    /// One request without a body, and the whole answer; its status.
    pub(crate) fn status(&mut self) -> u16 {
        let request = b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n";
        self.0.get_mut().write_all(request).expect("a request sent");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a status line");
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut length = None;
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("a field");
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse().expect("a length"));
            }
        }
        let mut body = vec![0; length.expect("captured logs have a known length")];
        self.0.read_exact(&mut body).expect("a body");
        status
    }
}

/// The listener, told to stop at the end.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: String,
}

impl Server {
    /// Starts `function` behind a listener with these flags.
    pub(crate) fn start(flags: &[&str], function: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let file = home.path().join("address");
        let process = Command::new(env!("CARGO_BIN_EXE_bandog"))
            .args(["serve", "--listen", "127.0.0.1:0", "--address-file"])
            .arg(&file)
            .args(flags)
            .arg("--")
            .args(function)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bandog starts");
        let mut server = Self { process, address: String::new() };
        let began = Instant::now();
        while server.address.is_empty() {
            assert!(began.elapsed() < START, "no address after {START:?}");
            thread::sleep(Duration::from_millis(5));
            fs::read_to_string(&file).unwrap_or_default().trim().clone_into(&mut server.address);
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            // It may have ended by itself, which the measurement has then said already.
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

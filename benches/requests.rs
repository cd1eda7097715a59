//! Requests per second through the whole listener, beside a loop that does nothing but start and await the same
//! program: the speed the kernel allows.
//!
//! Both are measured in turns within one run, so that a busy machine slows both; the medians over the rounds are
//! printed with their ratio, and the slowest and fastest round, so that one can see what the medians are worth.
//! `BENCH_ROUNDS` (9) and `BENCH_REQUESTS` (200 a round) make it shorter or longer.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What every invocation runs: it ends at once, so that all that is measured is the way there and back.
const PROGRAM: &str = "/bin/true";

/// How many ask at once in the second measurement.
const CLIENTS: usize = 8;

/// How long the listener may take to say where it listens.
const START: Duration = Duration::from_secs(10);

fn main() {
    let rounds = setting("BENCH_ROUNDS", 9);
    let requests = setting("BENCH_REQUESTS", 200);
    let server = Server::start();
    println!("{rounds} rounds of {requests} × {PROGRAM}");
    for clients in [1, CLIENTS] {
        let mut bare = Vec::new();
        let mut through = Vec::new();
        // The first round of each warms caches and is not counted.
        for round in 0..=rounds {
            let spawned = rate(clients, requests, || spawn_and_wait);
            let answered = rate(clients, requests, || {
                let mut connection = Connection::open(&server.address);
                move || connection.ask()
            });
            if round > 0 {
                bare.push(spawned);
                through.push(answered);
            }
        }
        let bare = Summary::of(bare);
        let through = Summary::of(through);
        println!("{clients} at once:");
        println!("  bare posix_spawn  {bare}");
        println!("  through bandog    {through}");
        println!("  ratio of medians  {:.2}", through.median / bare.median);
    }
}

/// A number from the environment.
fn setting(name: &str, default: usize) -> usize {
    match std::env::var(name) {
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")),
        Err(_) => default,
    }
}

/// How often a second `clients` threads together do `total` repetitions of what `prepare` makes for each of them.
fn rate<W: FnMut()>(clients: usize, total: usize, prepare: impl Fn() -> W + Sync) -> f64 {
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut work = prepare();
                for _ in 0..total / clients {
                    work();
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let done = (total / clients * clients) as f64;
    done / began.elapsed().as_secs_f64()
}

/// The standard library starts this with `posix_spawn`.
fn spawn_and_wait() {
    let status = Command::new(PROGRAM).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("the program starts").success());
}

/// The rounds of one measurement.
struct Summary {
    slowest: f64,
    median: f64,
    fastest: f64,
}

impl Summary {
    fn of(mut rates: Vec<f64>) -> Self {
        rates.sort_by(f64::total_cmp);
        Self { slowest: rates[0], median: rates[rates.len() / 2], fastest: rates[rates.len() - 1] }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:7.0}/s  (rounds from {:.0} to {:.0})", self.median, self.slowest, self.fastest)
    }
}

/// One connection that is kept open.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("a TCP option");
        Self(BufReader::new(stream))
    }

    /// One request without a body, and the whole answer.
    fn ask(&mut self) {
        let request = b"POST / HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n\r\n";
        self.0.get_mut().write_all(request).expect("a request sent");
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a status line");
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
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
    }
}

/// The listener, told to stop at the end.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let file = home.path().join("address");
        let process = Command::new(env!("CARGO_BIN_EXE_bandog"))
            .args(["serve", "--listen", "127.0.0.1:0", "--address-file"])
            .arg(&file)
            .args(["--", PROGRAM])
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

//! Requests per second through the whole listener, beside a loop that does nothing but start and await the same
//! program: the speed the kernel allows.
//!
//! Both are measured in turns within one run, so that a busy machine slows both; the medians over the rounds are
//! printed with their ratio, and the slowest and fastest round, so that one can see what the medians are worth.
//! `BENCH_ROUNDS` (9) and `BENCH_REQUESTS` (200 a round) make it shorter or longer.

mod bench;

use std::{
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use bench::{Connection, Server};

/// What every invocation runs: it ends at once, so that all that is measured is the way there and back.
const PROGRAM: &str = "/bin/true";

/// How many ask at once in the second measurement.
const CLIENTS: usize = 8;

fn main() {
    let rounds = setting("BENCH_ROUNDS", 9);
    let requests = setting("BENCH_REQUESTS", 200);
    let server = Server::start(&[], &[PROGRAM]);
    println!("{rounds} rounds of {requests} × {PROGRAM}");
    for clients in [1, CLIENTS] {
        let mut bare = Vec::new();
        let mut through = Vec::new();
        // The first round of each warms caches and is not counted.
        for round in 0..=rounds {
            let spawned = rate(clients, requests, || spawn_and_wait);
            let answered = rate(clients, requests, || {
                let mut connection = Connection::open(&server.address);
                move || assert_eq!(connection.status(), 200)
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

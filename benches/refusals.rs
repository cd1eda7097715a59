//! What refusing costs: how long a refusal takes while 1,000 connections are open, and what is left of the accepted
//! work's throughput while 2,000 connections are refused.
//!
//! Measured in turns, undisturbed and disturbed; medians over the rounds. The work is a function that waits, so that
//! what is seen is bandog's own part and not the intruders' share of the processors, and one that computes, where both
//! compete for the same ones. `BENCH_ROUNDS` (5) makes it shorter or longer.

mod bench;

use std::{
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use bench::{Connection, Server};

/// Connections that do nothing.
const OPEN: usize = 1000;

/// Refusals that are timed among them.
const TIMED: usize = 2000;

/// Connections that are refused beside the work.
const INTRUDERS: usize = 2000;

/// How long the work is watched, and the intruders take.
const SPAN: Duration = Duration::from_secs(4);

fn main() {
    let rounds = std::env::var("BENCH_ROUNDS").map_or(5, |value| value.parse().expect("BENCH_ROUNDS is a number"));
    refusal();
    work("waits 20 ms", "sleep 0.02", rounds);
    work("computes", "cat /etc/passwd >\"$TMP_OUTPUT_DIR/x\"", rounds);
}

/// How long a refusal takes.
fn refusal() {
    let server = Server::start(&["--max-inflight", "1"], &["sleep", "60"]);
    let busy = thread::spawn({
        let address = server.address.clone();
        // Ended with the listener.
        move || drop(std::panic::catch_unwind(|| Connection::open(&address).status()))
    });
    thread::sleep(Duration::from_millis(500));
    let open: Vec<TcpStream> = (0..OPEN).map(|_| TcpStream::connect(&server.address).expect("a connection")).collect();
    let mut took: Vec<Duration> = (0..TIMED)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(Connection::open(&server.address).status(), 429);
            began.elapsed()
        })
        .collect();
    took.sort();
    let [half, most, all] = [TIMED / 2, TIMED * 99 / 100, TIMED - 1].map(|at| took[at].as_secs_f64() * 1e3);
    println!("{TIMED} refusals on new connections beside {} open ones:", open.len());
    println!("  p50 {half:.2} ms, p99 {most:.2} ms, slowest {all:.2} ms");
    drop((open, server));
    let _ = busy.join();
}

/// What refusing costs the work.
fn work(kind: &str, script: &str, rounds: usize) {
    let server = Server::start(&["--max-inflight", "2", "--max-queue", "2"], &["sh", "-c", script]);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    let mut refused = 0;
    for _ in 0..rounds {
        alone.push(throughput(&server, 0).0);
        let (rate, turned_away) = throughput(&server, INTRUDERS);
        beside.push(rate);
        refused += turned_away;
    }
    let [alone, beside] = [alone, beside].map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    });
    println!("a function that {kind}, two at once:");
    println!("  undisturbed {alone:.0}/s, beside {} refusals in {SPAN:?} {beside:.0}/s", refused / rounds);
    println!("  ratio of medians {:.2}", beside / alone);
}

/// Answers a second to four clients for two places and two turns, while intruders come one after the other; and how
/// many of those were refused.
fn throughput(server: &Server, intruders: usize) -> (f64, usize) {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let began = Instant::now();
    let refused = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = Connection::open(&server.address);
                while !stop.load(Ordering::Relaxed) {
                    match connection.status() {
                        200 => drop(done.fetch_add(1, Ordering::Relaxed)),
                        // An intruder was quicker.
                        _ => thread::sleep(Duration::from_millis(1)),
                    }
                }
            });
        }
        let mut refused = 0;
        for number in 0..intruders {
            let due = SPAN * u32::try_from(number).expect("few") / u32::try_from(intruders).expect("few");
            thread::sleep(due.saturating_sub(began.elapsed()));
            match Connection::open(&server.address).status() {
                200 => drop(done.fetch_add(1, Ordering::Relaxed)),
                _ => refused += 1,
            }
        }
        thread::sleep(SPAN.saturating_sub(began.elapsed()));
        stop.store(true, Ordering::Relaxed);
        refused
    });
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let done = done.load(Ordering::Relaxed) as f64;
    (done / began.elapsed().as_secs_f64(), refused)
}

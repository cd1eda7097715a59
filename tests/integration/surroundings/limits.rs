//! Limits that bandog was started with: what is refused is the error of a call, and what cannot work is refused at start.

use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::harness::{
    Answer, Builder, Server, command::BINARY, did_not_run, eventually, noise, program, serve_command,
};
use crate::upstream::proxy;

/// A server as a user of its own: the kernel exempts root from the limit on processes and threads.
pub(crate) fn with_few_rights(builder: Builder, user: u32) -> Server {
    limited(builder, user, &[])
}

/// The same, started by these words, which may limit it.
fn limited(builder: Builder, user: u32, words: &[&str]) -> Server {
    if !is_root() {
        return builder.start();
    }
    let workspace = builder.workspace();
    let home = workspace.parent().expect("a directory").to_owned();
    for place in [&home, &workspace, &home.join("scratch")] {
        std::os::unix::fs::chown(place, Some(user), Some(user)).expect("chown");
    }
    let reuid = format!("--reuid={user}");
    builder.under(&[&["setpriv", &reuid, "--clear-groups"], words].concat()).start()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Leaves the server no further thread. It must not be root's. Without capabilities only its own user may do that.
pub(crate) fn limit_to_no_thread(server: &Server) {
    limit_threads(server, "0:0");
}

/// Sets the limit on processes and threads.
fn limit_threads(server: &Server, limit: &str) {
    let user = std::fs::metadata(format!("/proc/{}", server.pid())).expect("it runs").uid();
    let (reuid, pid) = (format!("--reuid={user}"), format!("--pid={}", server.pid()));
    let words = ["setpriv", &reuid, "--clear-groups", "prlimit", &pid, &format!("--nproc={limit}")];
    let words = if is_root() { &words[..] } else { &words[3..] };
    program("env").args(words).run().expect(0);
}

fn limit_to(server: &Server, resource: Resource, limit: u64) {
    let pid = Pid::from_raw(server.pid().try_into().expect("a process id"));
    prlimit(pid, resource, Rlimit { current: Some(limit), maximum: Some(limit) }).expect("limited");
}

/// Without the handler for SIGXFSZ, in `signals::reset`, it was killed with all its calls.
#[test]
fn a_body_larger_than_the_limit_on_files_is_the_error_of_its_call() {
    for limit in [50 * 1024, 0] {
        let server = serve_command("wc -c <$INPUT_FILE_PATH").quiet().start();
        limit_to(&server, Resource::Fsize, limit);
        let large = noise(1_000_000);
        let problem = server.post(&large).media("application/octet-stream").send().problem(500);
        assert_eq!(problem["type"], "urn:bandog:error:input-not-stored", "{problem}");
        if limit > 0 {
            let answer = server.post("12345").media("application/octet-stream").send().expect(200);
            assert_eq!(answer.text().trim(), "5");
        }
    }
}

/// With tokio's blocking pool, in `service::shutdown`, it panicked: 101.
#[test]
fn it_ends_well_without_another_thread() {
    let mut server = with_few_rights(serve_command("true"), 54781);
    limit_to_no_thread(&server);
    server.signal(Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn a_call_for_which_there_is_no_thread_is_503() {
    let server = with_few_rights(serve_command("true"), 54782);
    limit_to_no_thread(&server);
    let answer = server.post("").send();
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
    assert_eq!(answer.problem(503)["type"], "urn:bandog:error:overloaded");
}

/// Without the later attempts, in `ManagedServer::begin`, it took the function for ended: 503 until a restart.
#[test]
fn a_server_for_which_there_was_no_thread_is_started_later() {
    if !is_root() {
        did_not_run("threads that are refused at start", "only root may start bandog as a user that has no processes");
        return;
    }
    // The first thread, the network's and the log's.
    let server = limited(proxy(), 54784, &["prlimit", "--nproc=3:100"]);
    server.log_line("it is tried again", |line| line.contains("bandog tries again"));
    limit_threads(&server, "100:100");
    eventually("the function", || (server.get("/").send().status == 200).then_some(()));
}

/// Without the look at the limits, in `config::limits`, it started, and answered every call with 500, or was aborted.
#[test]
fn limits_with_which_nothing_can_work_are_refused_at_start_with_the_number_needed() {
    for (limit, named) in [
        ("-n 16", "ulimit -n: \"16\": expected at least 40"),
        ("-v 30000", "ulimit -v: \"30000\": expected at least"),
        ("-d 20000", "ulimit -d: \"20000\": expected at least"),
    ] {
        for command in ["serve --listen 127.0.0.1:0", "run -i x", "check"] {
            let line = format!("ulimit {limit}; exec {BINARY} {command} -- true");
            let ran = program("dash").args(["-c", &line]).run();
            let said = format!("{}{}", ran.text(), ran.complaint());
            assert!(ran.code() == 78 && said.contains(named), "{limit}: {ran}");
        }
    }
}

/// Without the look at the memory that is left, in `workers`, an allocation failed, and that was the end of it.
#[test]
fn many_calls_in_little_memory_are_answered_or_sent_away() {
    let server = serve_command("sleep 0.2; echo done").quiet().after_command("ulimit -v 122880").start();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..60).map(|_| scope.spawn(|| server.post("").send())).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    let done = answers.iter().filter(|answer| answer.status == 200 && answer.text() == "done\n").count();
    let turned_away = answers.iter().filter(|answer| answer.status == 503).count();
    assert!(done > 0 && done + turned_away == answers.len(), "{done} + {turned_away}: {server}");
    assert_eq!(server.post("").send().expect(200).text(), "done\n");
}

#[test]
fn more_calls_than_there_are_files_for_are_a_warning() {
    let check = |inflight: &str| {
        let line = format!("ulimit -n 128; exec {BINARY} check --workspace /tmp --max-inflight {inflight} -- true");
        program("dash").args(["-c", &line]).run().expect(0)
    };
    let ran = check("6");
    assert!(
        ran.text().contains("warning: --max-inflight: 6: the limit on open files (ulimit -n) leaves room for 5"),
        "{ran}"
    );
    assert!(!check("5").text().contains("warning"));
}

/// Without the bound in `config::compose` those for which there were no files were 500.
#[test]
fn many_calls_with_few_files_are_answered_or_sent_away() {
    let server = serve_command("sleep 0.2; echo done").quiet().after_command("ulimit -n 128").start();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..30).map(|_| scope.spawn(|| server.post("").send())).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    let done = answers.iter().filter(|answer| answer.status == 200 && answer.text() == "done\n").count();
    let turned_away = answers.iter().filter(|answer| answer.status == 429).count();
    assert!(done > 0 && done + turned_away == answers.len(), "{done} + {turned_away}: {server}");
}

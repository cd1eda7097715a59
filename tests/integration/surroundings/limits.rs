//! Limits that bandog was started with: what is refused is the error of a call, and what cannot work is refused at start.

use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::harness::{Builder, Server, noise, program, serve_command};

/// A server as a user of its own: the kernel exempts root from the limit on processes and threads.
pub(crate) fn with_few_rights(builder: Builder, user: u32) -> Server {
    if !rustix::process::geteuid().is_root() {
        return builder.start();
    }
    let workspace = builder.workspace();
    let home = workspace.parent().expect("a directory").to_owned();
    for place in [&home, &workspace, &home.join("scratch")] {
        std::os::unix::fs::chown(place, Some(user), Some(user)).expect("chown");
    }
    builder.under(&["setpriv", &format!("--reuid={user}"), "--clear-groups"]).start()
}

/// Leaves the server no further thread. It must not be root's. Without capabilities only its own user may do that.
pub(crate) fn limit_to_no_thread(server: &Server) {
    let user = std::fs::metadata(format!("/proc/{}", server.pid())).expect("it runs").uid();
    let (reuid, pid) = (format!("--reuid={user}"), format!("--pid={}", server.pid()));
    let words = ["setpriv", &reuid, "--clear-groups", "prlimit", &pid, "--nproc=0:0"];
    let words = if rustix::process::geteuid().is_root() { &words[..] } else { &words[3..] };
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

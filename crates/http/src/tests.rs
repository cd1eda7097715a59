//! A whole server in this process, for events that no client can cause.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};

use bandog_runtime::call::{CompletedCall, ResponseWriter};

use super::*;
use crate::{
    actions::openapi::Authentication,
    service::{AdmittedInvocation, Phase, Runner, Stop, testing},
};

/// Fails in the middle of an invocation if the call's id says so.
struct SometimesPanics;

impl Runner for SometimesPanics {
    fn run(&self, call: AdmittedInvocation<'_>, writer: &mut dyn ResponseWriter) -> CompletedCall {
        let _workspace = call.function.workspaces().workspace().expect("a workspace");
        assert!(call.call.id != "panic", "on purpose");
        let accept = call.accept;
        call.answer(accept, writer)
    }
}

/// The whole answer to a request that ends its connection.
fn ask(address: SocketAddr, id: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("it listens");
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nX-Call-Id: {id}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).expect("sent");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("settable");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Settings without limits.
fn settings() -> Settings {
    Settings {
        read_timeout: None,
        idle_timeout: None,
        shutdown_delay: Duration::ZERO,
        auth: AuthSettings::default(),
        admin: AdminSettings {
            metrics: true,
            bare_health: false,
            callers: Authentication::None,
            limits: ShownLimits {
                max_inflight: 1,
                max_queue: 16,
                max_body: 0,
                max_logs: 0,
                exec_timeout_seconds: None,
                queue_timeout_seconds: None,
                read_timeout_seconds: None,
                max_memory: 0,
                max_cpu_time_seconds: None,
                max_processes: 0,
                max_open_files: 0,
                max_output: 0,
                nice: None,
                sandbox: false,
                idle_timeout_seconds: None,
                send_timeout_seconds: None,
            },
        },
        lock_file: None,
    }
}

#[tokio::test]
async fn a_panic_in_one_invocation_ends_that_one_only() {
    let dir = tempfile::tempdir().expect("tempdir");
    let service = testing::service(dir.path(), &["/bin/true"], Some(Arc::new(SometimesPanics)));
    let workspaces = Arc::clone(&service.context().workspaces);
    let server = Server::new(settings(), service).await.expect("a server");
    let server = Arc::new(server);
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--listen").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = watch::channel(Stop::No);
    let serving = tokio::spawn(serve(Arc::clone(&server), listener, None, told, JoinSet::new()));

    let answers = tokio::task::spawn_blocking(move || [ask(address, "panic"), ask(address, "next")]);
    let [failed, next] = answers.await.expect("answers");
    assert!(failed.starts_with("HTTP/1.1 500 "), "{failed}");
    assert!(failed.contains("x-bandog-error: internal\r\n") && failed.contains("x-call-id: panic\r\n"), "{failed}");
    assert!(next.starts_with("HTTP/1.1 200 "), "the only place is free again: {next}");
    assert_eq!((workspaces.open_workspaces(), server.service.context().lifecycle.in_flight().count()), (0, 0));
    let (_, page) = admin::metrics(&server).await;
    let page = String::from_utf8_lossy(&page).into_owned();
    for line in [
        "http_requests_total{code=\"500\",method=\"GET\"} 1",
        "bandog_function_exits_total{exit=\"none\"} 1",
        "http_requests_in_flight 0",
    ] {
        assert!(page.lines().any(|have| have == line), "{line:?} is missing in\n{page}");
    }

    tell.send_replace(Stop::Drain);
    serving.await.expect("served to the end");
    assert!(server.service.context().lifecycle.is(Phase::Closing));
}

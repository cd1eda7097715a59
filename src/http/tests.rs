//! A whole server in this process, for what nobody can make happen from outside.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode, body::Body as _};

use super::*;
use crate::{
    config::{Sources, Typed},
    intake::Source,
    invocation::{Call, Function},
    output::Sink as _,
    reply::{Accept, Delivered, Head, Port},
    workspace::Root,
};

/// Fails in the middle of an invocation if the call's id says so.
fn sometimes_panics(
    function: &Function,
    call: &Call,
    source: &mut dyn Source,
    cancel: &Cancel,
    accept: &Accept,
    service: Option<&str>,
    port: &mut dyn Port,
) -> Delivered {
    let _workspace = function.workspaces().workspace().expect("a workspace");
    assert!(call.id != "panic", "on purpose");
    crate::reply::deliver(function, call, source, cancel, accept, service, port)
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

#[tokio::test]
async fn a_panic_in_one_invocation_ends_that_one_only() {
    let dir = tempfile::tempdir().expect("tempdir");
    let values = [("workspace", dir.path().as_os_str()), ("max-inflight", "1".as_ref())];
    let values: BTreeMap<_, _> = values.map(|(name, value)| (name, value.to_owned())).into();
    let typed = Typed { values, command: vec!["/bin/true".into()], ..Typed::default() };
    let config = Sources { typed, ..Sources::default() }.resolve().config.expect("a configuration");
    let workspaces = Arc::new(Root::open(dir.path()).expect("a root"));
    let backend = Backend::new(&config, &workspaces).expect("a function");
    let server = Server::new(&config, backend, Arc::clone(&workspaces)).await.expect("a server");
    let server = Arc::new(Server { deliver: sometimes_panics, ..server });
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--listen").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = watch::channel(Stop::No);
    let serving = tokio::spawn(serve(Arc::clone(&server), listener, None, told));

    let answers = tokio::task::spawn_blocking(move || [ask(address, "panic"), ask(address, "next")]);
    let [failed, next] = answers.await.expect("answers");
    assert!(failed.starts_with("HTTP/1.1 500 "), "{failed}");
    assert!(failed.contains("x-bandog-error: internal\r\n") && failed.contains("x-call-id: panic\r\n"), "{failed}");
    assert!(next.starts_with("HTTP/1.1 200 "), "the only place is free again: {next}");
    assert_eq!((workspaces.open_workspaces(), server.running.count()), (0, 0));
    let (_, page) = probe::metrics(&server).await;
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
    assert!(server.is(Phase::Closing));
}

#[tokio::test]
async fn hyper_can_write_what_has_come_of_an_answer_before_that_is_broken_off() {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let mut port = bridge::Port::new(answer, &Cancel::new(), None);
    port.begin(Head { status: StatusCode::OK, headers: HeaderMap::new(), length: None }, true);
    port.send(Bytes::from_static(b"part")).expect("taken");
    drop(port);
    let (_, mut body) = answered.await.expect("an answer");
    let mut next = || std::pin::Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|data| data == "part")));
    assert!(next().is_pending(), "it writes when there is nothing to take");
    assert!(matches!(next(), Poll::Ready(Some(Err(bridge::Broken)))));
}

//! of-watchdog's modes without a process for each request: `http` and `static`.

use std::net::TcpListener;

use crate::harness::{Builder, fixture};

/// of-watchdog in this mode.
fn of(mode: &str) -> Builder {
    Builder::new().fwatchdog().env("BANDOG_LOG_LEVEL", "CRITICAL").env("mode", mode)
}

/// A free port of this machine.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn requests_go_to_the_process_that_listens_at_the_second_of_the_two_names() {
    let upstream = format!("http://127.0.0.1:{}", free_port());
    let server = of("http")
        .env("fprocess", format!("python3 {}", fixture("upstream/server.py").display()))
        .env("upstream_url", "http://127.0.0.1:1")
        .env("http_upstream_url", upstream)
        .start();
    let answer = server.request("BREW", "/a//b?x=%20").body("the body").send().expect(200);
    let seen = answer.json();
    assert_eq!((&seen["method"], &seen["target"]), (&"BREW".into(), &"/a//b?x=%20".into()), "{answer}");
    assert_eq!(seen["body"], "the body");
    assert!(answer.wants("x-duration-seconds").parse::<f64>().is_ok(), "{answer}");
}

#[test]
fn an_upstream_that_is_not_there_is_503_without_a_word_and_was_500() {
    for (compat, status) in [("newline", 503), ("status-500", 500)] {
        let upstream = format!("http://127.0.0.1:{}", free_port());
        let builder = of("http").env("upstream_url", upstream).env("BANDOG_COMPAT", compat);
        let builder = builder.env("BANDOG_QUEUE_TIMEOUT", "50ms");
        let answer = builder.start().get("/").send().expect(status);
        assert!(answer.body.is_empty(), "{answer}");
        assert_eq!(answer.wants("x-openfaas-internal"), "of-watchdog");
    }
}

#[test]
fn files_are_served_and_what_is_not_there_is_404_in_gos_words() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join("index.html"), "<p>hello").expect("written");
    let server = of("static").env("static_path", place.path()).start();
    let answer = server.get("/").send().expect(200);
    assert_eq!(answer.text(), "<p>hello");
    assert!(answer.wants("content-type").starts_with("text/html"), "{answer}");
    let missing = server.get("/missing").send().expect(404);
    assert_eq!((missing.text(), missing.wants("content-type")), ("404 page not found\n", "text/plain; charset=utf-8"));
}

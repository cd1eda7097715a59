//! Services below `fixtures/services/`, unpacked where a test can start them beside others.

use std::{fs, net::TcpListener, path::Path};

use super::fixture;

/// The ports of the fixtures: they begin with these digits, and have two more.
const PORTS: &str = "87";

/// Copies a service into a directory, with free ports.
pub(crate) fn unpack(name: &str, into: &Path) {
    for entry in fs::read_dir(fixture("services").join(name)).expect("a service").flatten() {
        let to = into.join(entry.file_name());
        fs::copy(entry.path(), &to).expect("copied");
        if to.extension().is_some_and(|extension| extension == "yml") {
            let text = fs::read_to_string(&to).expect("text");
            fs::write(&to, with_free_ports(&text)).expect("writable");
        }
    }
}

fn with_free_ports(text: &str) -> String {
    // All are held until all are known, so that no two are the same.
    let mut held: Vec<(String, TcpListener)> = Vec::new();
    let mut replaced = text.to_owned();
    for word in text.split(|letter: char| !letter.is_ascii_digit()) {
        if word.len() == PORTS.len() + 2 && word.starts_with(PORTS) && held.iter().all(|(port, _)| port != word) {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("an address").port();
            replaced = replaced.replace(word, &port.to_string());
            held.push((word.to_owned(), listener));
        }
    }
    replaced
}

/// A free port of this machine.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

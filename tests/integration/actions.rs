//! Typed actions: what a service says it can do, from its file to the answer.

use std::net::TcpListener;

use crate::harness::{Builder, fixture};

mod call;
mod client;
mod command;
mod confined;
mod description;
mod elsewhere;
mod file;
mod forwards;
mod http;
mod lifecycle;
mod published;
mod retries;
mod routes;
mod run;
mod run_http;
mod service;

/// Where the file of actions is looked for.
const FILE: &str = "oms.yml";

/// A listener beside a file with these actions.
fn serve(actions: &str) -> Builder {
    Builder::new().file(FILE, actions)
}

/// A listener beside a file about a service that speaks HTTP. In the text `SERVER` is the path of the fixture that does,
/// `PORT1` and `PORT2` are free ports.
fn service(file: &str) -> Builder {
    serve(&filled(file))
}

/// The same text with all that it names.
fn filled(file: &str) -> String {
    let server = fixture("upstream/server.py");
    file.replace("SERVER", server.to_str().expect("a path that is text"))
        .replace("PORT1", &free_port().to_string())
        .replace("PORT2", &free_port().to_string())
}

/// A free port.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).expect("bound").local_addr().expect("bound").port()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

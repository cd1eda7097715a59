//! Typed actions: what a service says it can do, from its file to the answer.

mod command;
mod file;
mod retries;
mod routes;
mod run;

use crate::harness::Builder;

/// Where the file of actions is looked for.
const FILE: &str = "oms.yml";

/// A listener beside a file with these actions.
fn serve(actions: &str) -> Builder {
    Builder::new().file(FILE, actions)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

//! webhook (github.com/adnanh/webhook): a hook whose command's output is the answer.
//!
//! It writes the body to a file by itself, names it in the environment, and removes it.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Peer, kit::Kit};
use crate::{
    child::Child,
    load::Load,
    small::{INPUT, TYPE},
};

/// How it is called in the report.
pub const NAME: &str = "webhook";

pub fn start(kit: &Kit) -> anyhow::Result<Peer> {
    let home = kit.home.display();
    let same = format!("f={home}/$$\ncat \"$INPUT_FILE_PATH\" > \"$f\"\ncat \"$f\"\nrm \"$f\"");
    let hook = |id: &str, body: &str| -> anyhow::Result<Value> {
        Ok(json!({
            "id": id,
            "execute-command": kit.script(&format!("{id}.sh"), body)?,
            "include-command-output-in-response": true,
            "pass-file-to-command": [{ "source": "raw-request-body", "envname": "INPUT_FILE_PATH" }],
        }))
    };
    let hooks = json!([hook("same", &same)?, hook("lean", "cat \"$INPUT_FILE_PATH\"")?]);
    let hooks = kit.write("hooks.json", &hooks.to_string())?;
    let address = Kit::free_port()?;
    let mut command = kit.command("webhook")?;
    command.args(["-ip", "127.0.0.1", "-port", &address.port().to_string(), "-hooks"]).arg(hooks);
    command.current_dir(&kit.home);
    let child = Child::start(&mut command).context("webhook")?;
    let load = |path: &str| Load::post(address, path, TYPE, INPUT, INPUT);
    Ok(Peer { same: load("/hooks/same"), lean: load("/hooks/lean"), _children: vec![child] })
}

//! lighttpd with mod_cgi.

use anyhow::Context as _;

use super::{Peer, kit::Kit};
use crate::{
    child::Child,
    load::Load,
    small::{INPUT, TYPE},
};

/// How it is called in the report.
pub const NAME: &str = "lighttpd mod_cgi";

pub fn start(kit: &Kit) -> anyhow::Result<Peer> {
    kit.cgi_scripts()?;
    let address = Kit::free_port()?;
    let home = kit.home.display();
    // Connections are kept as long as bandog keeps them, and nothing is logged.
    let text = format!(
        r#"
server.bind = "127.0.0.1"
server.port = {}
server.document-root = "{home}"
server.upload-dirs = ("{home}")
server.errorlog = "{home}/lighttpd.log"
server.max-keep-alive-requests = 60000
server.modules = ("mod_cgi")
cgi.assign = (".cgi" => "")
"#,
        address.port(),
    );
    let configuration = kit.write("lighttpd.conf", &text)?;
    let mut command = kit.command("lighttpd")?;
    command.arg("-D").arg("-f").arg(configuration).arg("-m").arg(kit.directory("usr/lib/lighttpd"));
    let child = Child::start(&mut command).context("lighttpd")?;
    let load = |path: &str| Load::post(address, path, TYPE, INPUT, INPUT);
    Ok(Peer { same: load("/same.cgi"), lean: load("/lean.cgi"), _children: vec![child] })
}

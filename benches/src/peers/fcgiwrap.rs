//! fcgiwrap behind nginx.

use std::{os::unix::net::UnixListener, process::Stdio};

use anyhow::Context as _;

use super::{Peer, kit::Kit};
use crate::{
    child::Child,
    load::Load,
    small::{INPUT, TYPE},
};

/// Processes of fcgiwrap, each of which runs one script at a time. Debian starts one; as many as the clients of the
/// main comparison is kinder.
const PROCESSES: usize = 8;

/// How it is called in the report.
pub const NAME: &str = "nginx + fcgiwrap";

pub fn start(kit: &Kit) -> anyhow::Result<Peer> {
    kit.cgi_scripts()?;
    let address = Kit::free_port()?;
    let home = kit.home.display();
    let socket = kit.home.join("fcgiwrap.socket");
    // fcgiwrap's own way to have several is to fork them; started one by one all of them end with the driver.
    let listener = std::os::fd::OwnedFd::from(UnixListener::bind(&socket)?);
    let mut children = Vec::new();
    for _ in 0..PROCESSES {
        let mut command = kit.command("fcgiwrap")?;
        command.stdin(Stdio::from(listener.try_clone()?));
        children.push(Child::start(&mut command).context("fcgiwrap")?);
    }
    let text = format!(
        r"
daemon off;
master_process off;
error_log {home}/nginx.log crit;
pid {home}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen {address};
        location / {{
            fastcgi_param SCRIPT_FILENAME {home}$fastcgi_script_name;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_pass unix:{};
        }}
    }}
}}
",
        socket.display(),
    );
    let configuration = kit.write("nginx.conf", &text)?;
    let mut command = kit.command("nginx")?;
    command.arg("-p").arg(&kit.home).arg("-e").arg(kit.home.join("nginx.log")).arg("-c").arg(configuration);
    children.push(Child::start(&mut command).context("nginx")?);
    let load = |path: &str| Load::post(address, path, TYPE, INPUT, INPUT);
    Ok(Peer { same: load("/same.cgi"), lean: load("/lean.cgi"), _children: children })
}

//! The WebDAV provider on real servers: rclone in `make test`, and WsgiDAV, Apache and SeaweedFS in `make test-servers`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use bandog_storage::{
    Control, ErrorKind, ObjectPath, Provider as _, Secret,
    http::{Endpoint, Trust},
    provider::webdav::{Auth, WebDav, WebDavSettings},
    testing::{Received, server::Server, source, suite},
};

/// Bytes after which the proxy breaks a connection: more than any head, less than the file that is sent.
const BREAK: usize = 1024 * 1024;

fn provider(endpoint: &str, server: &Server) -> WebDav {
    let text = |field: &str| server.info[field].as_str().map(|value| Secret::Value(value.to_owned()));
    let auth = match (text("login"), text("password")) {
        (Some(login), Some(password)) => Auth::Basic { login, password },
        _ => Auth::None,
    };
    let endpoint = Endpoint::parse(endpoint).expect("an address");
    let settings = WebDavSettings { endpoint, auth, trust: Trust::default() };
    WebDav::new("webdav".parse().expect("a name"), settings).expect("a provider")
}

fn passes_the_suite(server: &Server) {
    let dav = provider(server.endpoint(), server);
    dav.check(None, &Control::default()).expect("it answers");
    suite::run(&dav, "bandog-out", "deep/folder/", suite::Abilities { without: &[], keeps_object_keys: false });
    let folder = ObjectPath::new("bandog-out", "deep/folder");
    assert_eq!(dav.store(&source(b"x"), &folder, &Control::default()).expect_err("a folder").kind, ErrorKind::Rejected);
    let error = Received::default().fetch(&dav, &folder).expect_err("a folder is no object");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let kept = Received::default().fetch(&dav, &ObjectPath::new("bandog-out", "deep/folder/plain.txt"));
    assert_eq!(kept.expect("the folder is not replaced"), b"plain.txt");
    assert_eq!(parts(server), Vec::<PathBuf>::new());
}

/// A server that refuses other credentials says so; one without a login has none to refuse.
fn refuses_strangers(server: &Server) {
    let auth = Auth::Basic { login: Secret::Value("stranger".into()), password: Secret::Value("x".into()) };
    let endpoint = Endpoint::parse(server.endpoint()).expect("an address");
    let dav =
        WebDav::new("webdav".parse().expect("a name"), WebDavSettings { endpoint, auth, trust: Trust::default() });
    let dav = dav.expect("a provider");
    let at = ObjectPath::new("bandog-out", "a");
    for error in [
        dav.check(None, &Control::default()).expect_err("a stranger"),
        dav.store(&source(b"x"), &at, &Control::default()).expect_err("a stranger"),
        Received::default().fetch(&dav, &at).expect_err("a stranger"),
    ] {
        assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
    }
}

/// Uploads that break off leave nothing, and the object before.
fn leaves_nothing_of_a_broken_upload(server: &Server) {
    let at = ObjectPath::new("bandog-out", "broken");
    let direct = provider(server.endpoint(), server);
    direct.store(&source(b"before"), &at, &Control::default()).expect("stored");
    let proxy = breaking_proxy(server.endpoint());
    let dav = provider(&proxy, server);
    let error = dav.store(&source(&vec![7; 8 * BREAK]), &at, &Control::default()).expect_err("broken");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert_eq!(parts(server), Vec::<PathBuf>::new());
    assert_eq!(Received::default().fetch(&direct, &at).expect("fetched"), b"before");
}

/// Relays connections, and resets each that has sent [`BREAK`] bytes. It ends with the process.
fn breaking_proxy(endpoint: &str) -> String {
    let server = endpoint.strip_prefix("http://").expect("http").split('/').next().expect("an address").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&server) else { continue };
            let (mut from, mut to) = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            thread::spawn(move || relay(&client, &server));
        }
    });
    let prefix = endpoint.splitn(4, '/').nth(3).map_or(String::new(), |path| format!("/{path}"));
    format!("http://127.0.0.1:{port}{prefix}")
}

fn relay(mut client: &TcpStream, mut server: &TcpStream) {
    let (mut piece, mut sent) = (vec![0; 64 * 1024], 0);
    while sent < BREAK {
        match client.read(&mut piece) {
            Ok(count) if count > 0 && server.write_all(&piece[..count]).is_ok() => sent += count,
            _ => break,
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}

/// The parts of uploads among the server's files, where those can be looked at.
fn parts(server: &Server) -> Vec<PathBuf> {
    let mut parts = Vec::new();
    let mut folders: Vec<PathBuf> = server.info["root"].as_str().map(PathBuf::from).into_iter().collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if is_part(&path) {
                parts.push(path);
            }
        }
    }
    parts
}

fn is_part(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".bandog-"))
}

fn everything(server: &Server) {
    passes_the_suite(server);
    leaves_nothing_of_a_broken_upload(server);
}

#[test]
fn rclone_passes() {
    let Some(server) = Server::for_test("rclone-webdav", &[]) else { return };
    everything(&server);
    refuses_strangers(&server);
}

#[test]
fn wsgidav_passes() {
    let Some(server) = Server::start_extra("wsgidav", &[]) else { return };
    everything(&server);
    refuses_strangers(&server);
}

#[test]
fn apache_passes() {
    let Some(server) = Server::start_extra("apache", &[]) else { return };
    everything(&server);
    refuses_strangers(&server);
}

#[test]
fn seaweedfs_passes() {
    let Some(server) = Server::start_extra("seaweedfs-webdav", &[]) else { return };
    everything(&server);
}

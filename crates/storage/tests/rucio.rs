//! The provider of Rucio on a real server, with rclone as its storage element: in `make test-servers`.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    os::fd::AsFd as _,
    path::Path,
};

use bandog_storage::{
    Control, Error, ErrorKind, Fetch, ObjectPath, Provider as _, Secret,
    http::{Endpoint, Trust},
    provider::{
        Directory,
        rucio::{Rucio, RucioAuth, RucioSettings},
    },
    testing::{Received, server::Server, source},
};

fn provider(server: &Server, password: &str, rse: Option<&str>) -> Rucio {
    let endpoint = |field| Endpoint::parse(server.text(field)).expect("an address");
    let secret = |value: &str| Secret::Value(value.to_owned());
    let settings = RucioSettings {
        host: endpoint("endpoint"),
        auth_host: endpoint("auth_endpoint"),
        account: server.text("account").to_owned(),
        rse: rse.map(str::to_owned),
        auth: RucioAuth::UserPass { username: secret(server.text("login")), password: secret(password) },
        trust: Trust::default(),
    };
    Rucio::new("rucio".parse().expect("a name"), settings).expect("a provider")
}

/// Sends a request with the login of the account. Returns the answer.
fn ask(server: &Server, request: &str, fields: &str, body: &str) -> String {
    let address = server.endpoint().strip_prefix("http://").expect("http");
    let mut stream = TcpStream::connect(address).expect("connected");
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn create_dataset(server: &Server, name: &str) {
    let (account, login, password) = (server.text("account"), server.text("login"), server.text("password"));
    let login = format!("X-Rucio-Account: {account}\r\nX-Rucio-Username: {login}\r\nX-Rucio-Password: {password}\r\n");
    let answer = ask(server, "GET /auth/userpass", &login, "");
    let token = answer.lines().find_map(|line| line.strip_prefix("X-Rucio-Auth-Token: ")).expect("a token");
    let fields = format!("X-Rucio-Auth-Token: {token}\r\nContent-Type: application/json\r\n");
    let body = r#"{"type":"DATASET","statuses":{},"meta":{},"rules":[],"lifetime":null,"dids":[],"rse":null}"#;
    let answer = ask(server, &format!("POST /dids/{account}/{name}"), &fields, body);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// Fetches an object into a directory. Returns its files by name.
fn fetch_set(rucio: &Rucio, from: &ObjectPath, limit: u64) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let dir = tempfile::tempdir().expect("a directory");
    let fd = File::open(dir.path()).expect("open");
    let into = Directory { fd: fd.as_fd(), path: dir.path() };
    let fetched = rucio.fetch(&Fetch { from, dir: into, limit, size: None }, &Control::default());
    if fetched.is_err() {
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0, "nothing is left");
    }
    let fetched = fetched?;
    let files = fs::read_dir(&fetched.path).expect("a directory of files").map(|entry| {
        let entry = entry.expect("an entry");
        (entry.file_name().into_string().expect("text"), fs::read(entry.path()).expect("a file"))
    });
    let files: BTreeMap<_, _> = files.collect();
    assert_eq!(files.values().map(|content| content.len() as u64).sum::<u64>(), fetched.bytes);
    Ok(files)
}

fn files_below(folder: &Path) -> Vec<String> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.to_string_lossy().into_owned());
            }
        }
    }
    files
}

#[test]
fn rucio_passes() {
    let Some(server) = Server::start_extra("rucio", &[]) else { return };
    let (account, root) = (server.text("account"), Path::new(server.text("root")));
    let rucio = provider(&server, server.text("password"), Some(server.text("rse")));
    let at = |name: &str| ObjectPath::new(account, name);
    let put = |name: &str, content: &[u8]| rucio.store(&source(content), &at(name), &Control::default());
    rucio.check(Some(&at("")), &Control::default()).expect("it answers");

    // Files of every size come back as they were.
    for (name, content) in [("a.txt", b"one".to_vec()), ("f/b.bin", vec![7; 5_000_000]), ("empty", Vec::new())] {
        put(name, &content).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Received::default().fetch(&rucio, &at(name)).expect(name), content);
    }
    assert!(files_below(root).iter().all(|file| !file.contains(".bandog-")), "no part is left");

    // A name is given once.
    put("a.txt", b"one").expect("the same file");
    let error = put("a.txt", b"another").expect_err("the name is taken");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert!(error.detail.contains("another file already of 3 bytes"), "{error}");
    assert_eq!(Received::default().fetch(&rucio, &at("a.txt")).expect("fetched"), b"one");
    assert_eq!(put("a b", b"x").expect_err("a blank").kind, ErrorKind::Rejected);

    // Without a storage element in the settings, the first that takes files is used.
    let any = provider(&server, server.text("password"), None);
    any.store(&source(b"any"), &ObjectPath::new("", "any.txt"), &Control::default()).expect("stored");
    assert_eq!(Received::default().fetch(&rucio, &at("any.txt")).expect("fetched"), b"any");

    datasets(&server, &rucio);
    failures(&server, &rucio, root);
}

fn datasets(server: &Server, rucio: &Rucio) {
    let account = server.text("account");
    create_dataset(server, "set");
    for (name, content) in [("set/a", "one"), ("set/b", "two")] {
        rucio
            .store(&source(content.as_bytes()), &ObjectPath::new(account, name), &Control::default())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let set = ObjectPath::new(account, "set");
    let files = fetch_set(rucio, &set, 0).expect("a dataset");
    assert_eq!(files, BTreeMap::from([("a".to_owned(), b"one".to_vec()), ("b".to_owned(), b"two".to_vec())]));
    assert_eq!(fetch_set(rucio, &set, 6).expect("within the limit").len(), 2);
    assert_eq!(fetch_set(rucio, &set, 5).expect_err("over the limit").kind, ErrorKind::TooLarge);
    let error = rucio.store(&source(b"x"), &set, &Control::default()).expect_err("a dataset has this name");
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
}

fn failures(server: &Server, rucio: &Rucio, root: &Path) {
    let at = ObjectPath::new(server.text("account"), "damaged");
    let error = Received::default().fetch(rucio, &at).expect_err("nothing has this name");
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let error = rucio.check(Some(&ObjectPath::new("elsewhere", "")), &Control::default()).expect_err("no scope");
    assert_eq!(error.kind, ErrorKind::NoBucket, "{error}");
    let missing = provider(server, server.text("password"), Some("NOWHERE"));
    let error = missing.store(&source(b"x"), &at, &Control::default()).expect_err("no storage element");
    assert_eq!(error.kind, ErrorKind::NoBucket, "{error}");
    let stranger = provider(server, "wrong", None);
    for error in [
        stranger.check(None, &Control::default()).expect_err("a stranger"),
        stranger.store(&source(b"x"), &at, &Control::default()).expect_err("a stranger"),
        Received::default().fetch(&stranger, &at).expect_err("a stranger"),
    ] {
        assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
    }

    // A scope of others is refused, and its content does not stay.
    let before = files_below(root).len();
    let error = rucio.store(&source(b"x"), &ObjectPath::new("others", "x"), &Control::default());
    let error = error.expect_err("another scope");
    assert!(matches!(error.kind, ErrorKind::Denied | ErrorKind::NoBucket), "{error:?}");
    assert_eq!(files_below(root).len(), before);

    // Content that is not the registered one is no input.
    rucio.store(&source(b"whole"), &at, &Control::default()).expect("stored");
    let damaged = files_below(root).into_iter().find(|file| file.ends_with("/damaged")).expect("its content");
    fs::write(damaged, b"other").expect("written");
    let error = Received::default().fetch(rucio, &at).expect_err("damaged");
    assert_eq!(error.kind, ErrorKind::Changed, "{error}");
}

//! The S3 provider against real servers: the suite, and the keys that each of them does not keep.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bandog_storage::{
    Control, Error, ErrorKind, Journal, ObjectPath, Provider as _, Secret, Source,
    http::{Client, Endpoint, Payload, Trust},
    provider::s3::{Addressing, Credentials, S3, Settings},
    testing::{Received, server::Server, source, suite},
};

/// The fate of an object whose key a server does not keep.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It is neither stored nor fetched: the error of storing it, and that of fetching it.
    Refused(ErrorKind, ErrorKind),
    /// It takes the place of the object of this key.
    Is(&'static str),
    /// It is stored without its content, which the provider finds out.
    Emptied,
}

/// A key that a server does not keep, and what becomes of its object.
type Lost = (&'static str, Fate);

/// Its objects are files of this machine.
const RCLONE: [Lost; 8] = [
    ("a//b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("/leading", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("a/../b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("../b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("./b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("a/./b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("folder//", Fate::Is("folder")),
    ("trailing/", Fate::Is("trailing")),
];

/// Its router knows no line ends.
const MOTO: [Lost; 1] = [("new\nline", Fate::Refused(ErrorKind::NoBucket, ErrorKind::NotFound))];

/// Its objects are files of a file system of its own.
const SEAWEEDFS: [Lost; 8] = [
    ("a/../b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("../b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("./b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("a/./b", Fate::Refused(ErrorKind::Rejected, ErrorKind::Rejected)),
    ("a//b", Fate::Is("a/b")),
    ("/leading", Fate::Is("leading")),
    ("folder//", Fate::Emptied),
    ("trailing/", Fate::Emptied),
];

fn credentials(access_key: &str, secret_key: &str) -> Credentials {
    let secret = |value: &str| Secret::Value(value.to_owned());
    Credentials::Keys { access_key: secret(access_key), secret_key: secret(secret_key), session_token: None }
}

fn provider(server: &Server, credentials: Credentials) -> S3 {
    let settings = Settings {
        endpoint: Some(Endpoint::parse(server.endpoint()).expect("an address")),
        region: Some(server.text("region").to_owned()),
        credentials,
        addressing: Addressing::Path,
        trust: Trust::default(),
    };
    S3::new("s3.server".parse().expect("a name"), settings).expect("a provider")
}

fn owner(server: &Server) -> S3 {
    provider(server, credentials(server.text("access_key"), server.text("secret_key")))
}

fn store(provider: &S3, key: &str, content: &[u8]) -> Result<(), Error> {
    provider.store(&source(content), &ObjectPath::new("bandog-in", key), &Control::default())
}

fn fetch(provider: &S3, key: &str) -> Result<Vec<u8>, Error> {
    Received::default().fetch(provider, &ObjectPath::new("bandog-in", key))
}

/// Runs the suite, and sees that the other keys are lost in the way said.
fn keeps_all_but(server: &Server, lost: &[Lost]) {
    let provider = owner(server);
    let without: Vec<&str> = lost.iter().map(|(key, _)| *key).collect();
    suite::run(&provider, "bandog-in", "suite/", suite::Abilities { without: &without, keeps_object_keys: true });
    for (key, fate) in lost {
        let lost_key = format!("lost/{key}");
        let stored = store(&provider, &lost_key, b"content").map_err(|error| error.kind);
        match fate {
            Fate::Refused(when_stored, when_fetched) => {
                let fetched = fetch(&provider, &lost_key).map_err(|error| error.kind);
                assert_eq!((stored, fetched), (Err(*when_stored), Err(*when_fetched)), "{key:?}");
            }
            Fate::Is(other) => {
                let fetched = fetch(&provider, &format!("lost/{other}")).map_err(|error| error.kind);
                assert_eq!((stored, fetched.as_deref()), (Ok(()), Ok(&b"content"[..])), "{key:?}");
            }
            Fate::Emptied => {
                let fetched = fetch(&provider, &lost_key).map_err(|error| error.kind);
                assert_eq!((stored, fetched.as_deref()), (Err(ErrorKind::Unverified), Ok(&b""[..])), "{key:?}");
            }
        }
    }
}

/// Keys that are not known are told from buckets that do not exist.
fn checks(server: &Server) {
    let check = |provider: &S3, bucket: &str| {
        let place = ObjectPath::new(bucket, "");
        let place = Some(&place).filter(|place| !place.bucket.is_empty());
        provider.check(place, &Control::default()).map_err(|error| error.kind)
    };
    let known = owner(server);
    assert_eq!((check(&known, ""), check(&known, "bandog-in")), (Ok(()), Ok(())));
    assert_eq!(check(&known, "no-such-bucket"), Err(ErrorKind::NoBucket));
    let unheard_of = provider(server, credentials("nobody-here", "wrong-secret"));
    let wrong = provider(server, credentials(server.text("access_key"), "wrong-secret"));
    for stranger in [unheard_of, wrong] {
        for bucket in ["", "bandog-in"] {
            assert_eq!(check(&stranger, bucket), Err(ErrorKind::Credentials), "{bucket:?}");
        }
        assert_eq!(store(&stranger, "x", b"x").map_err(|error| error.kind), Err(ErrorKind::Credentials));
    }
}

#[test]
fn rclone_passes_the_suite() {
    let Some(server) = Server::for_test("rclone-s3", &[]) else { return };
    keeps_all_but(&server, &RCLONE);
    checks(&server);
}

#[test]
fn moto_passes_the_suite() {
    let Some(server) = Server::for_test("moto", &[]) else { return };
    keeps_all_but(&server, &MOTO);
}

#[test]
fn seaweedfs_passes_the_suite() {
    let Some(server) = Server::start_extra("seaweedfs-s3", &[]) else { return };
    keeps_all_but(&server, &SEAWEEDFS);
    checks(&server);
}

#[test]
fn ceph_passes_the_suite_and_keeps_every_key() {
    let Some(server) = Server::start_extra("ceph", &[]) else { return };
    keeps_all_but(&server, &[]);
    checks(&server);
}

/// The variables of the process that stores an object and is killed: the address of the server, and the journal.
const UPLOADER: (&str, &str) = ("BANDOG_TEST_UPLOAD_TO", "BANDOG_TEST_JOURNAL");

/// The longest wait for an upload to begin.
const PATIENCE: Duration = Duration::from_secs(30);

/// The open uploads, as moto lists them for anyone.
fn uploads(server: &Server) -> usize {
    let client = Client::new(Endpoint::parse(server.endpoint()).expect("an address"), None);
    let request = http::Request::get("/bandog-in?uploads=").body(Payload::Empty).expect("a request");
    let mut response = client.send(request, &Control::default()).expect("a response");
    let list = response.read(1024 * 1024, &Control::default()).expect("a list");
    String::from_utf8(list).expect("text").matches("<UploadId>").count()
}

fn unsigned(endpoint: &str) -> S3 {
    let settings = Settings {
        endpoint: Some(Endpoint::parse(endpoint).expect("an address")),
        region: None,
        credentials: credentials("any", "any"),
        addressing: Addressing::Path,
        trust: Trust::default(),
    };
    S3::new("s3.server".parse().expect("a name"), settings).expect("a provider")
}

/// A process that is killed when this is dropped.
struct Uploader(Child);

impl Drop for Uploader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stores an object that takes seconds, of a file without blocks.
fn upload(endpoint: &str, journal: &str) {
    let file = tempfile::tempfile().expect("a file");
    file.set_len(4 * 1024 * 1024 * 1024).expect("long");
    let journal = Journal::open(Path::new(journal)).expect("a journal");
    let source = Source::new(file.into()).expect("a source").recorded_in(&journal);
    let stored = unsigned(endpoint).store(&source, &ObjectPath::new("bandog-in", "large"), &Control::default());
    panic!("it should have been killed: {stored:?}");
}

/// The test starts itself as the process that stores an object, and kills that with SIGKILL.
#[test]
fn the_upload_of_a_process_that_was_killed_is_aborted_by_a_sweep_and_one_that_runs_is_not() {
    if let (Ok(endpoint), Ok(journal)) = (env::var(UPLOADER.0), env::var(UPLOADER.1)) {
        return upload(&endpoint, &journal);
    }
    let Some(server) = Server::for_test("moto", &[]) else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let journal = Journal::open(dir.path()).expect("a journal");
    let name = "s3::the_upload_of_a_process_that_was_killed_is_aborted_by_a_sweep_and_one_that_runs_is_not";
    let process = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", name])
        .envs([(UPLOADER.0, server.endpoint()), (UPLOADER.1, dir.path().to_str().expect("a path"))])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("a process");
    let mut process = Uploader(process);
    let deadline = Instant::now() + PATIENCE;
    let has_entry = || {
        fs::read_dir(dir.path())
            .expect("a directory")
            .any(|entry| entry.expect("an entry").file_name().to_string_lossy().ends_with(".json"))
    };
    while !has_entry() {
        let ended = process.0.try_wait().expect("a process");
        assert!(ended.is_none() && Instant::now() < deadline, "an upload begins: {ended:?}");
        thread::sleep(Duration::from_millis(2));
    }
    let provider = unsigned(server.endpoint());
    let sweep = || journal.sweep(|entry| provider.discard(entry, &Control::default())).expect("swept");
    let running = sweep();
    assert_eq!((running.discarded, running.failed.len(), uploads(&server)), (0, 0, 1));
    drop(process);
    assert_eq!(uploads(&server), 1);
    let left = sweep();
    assert_eq!((left.discarded, left.failed.len(), uploads(&server)), (1, 0, 0));
    assert!(!has_entry());
}

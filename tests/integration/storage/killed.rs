//! bandog that is killed in the middle of an upload: nothing half has the final name, and the next start with the same
//! `--workspace` discards the rest.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use bandog_storage::testing::server::Server as Store;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    configured,
    faults::is_clean,
    proxy::{Fault, Gate, Proxy},
};
use crate::harness::{
    Request, Server,
    command::{BINARY, fresh},
    encode, eventually, serve_command,
};

/// Makes an output of three parts.
const LARGE: &str = r#"head -c 20971520 /dev/zero >"$TMP_OUTPUT_DIR/large""#;

/// Bytes of a held request that reach the store.
const BEGUN: u64 = 1024 * 1024;

fn address(moto: &Store) -> SocketAddr {
    moto.endpoint().strip_prefix("http://").and_then(|at| at.parse().ok()).expect("an address")
}

/// The uploads that are open in the bucket of outputs.
fn open_uploads(moto: &Store) -> usize {
    let address = address(moto);
    let bucket = moto.text("bucket_out");
    let listed = Request::new(address, "GET", &format!("/{bucket}?uploads")).send().expect(200);
    let text = listed.text();
    assert!(text.contains("ListMultipartUploadsResult"), "{listed}");
    // It has the final name only when it is complete.
    assert_eq!(Request::new(address, "GET", &format!("/{bucket}/made/large")).send().status, 404);
    text.matches("<UploadId>").count()
}

fn s3(moto: &Store, endpoint: &str) -> Value {
    json!({
        "output": [{"storage_provider": "minio", "path": format!("{}/made", moto.text("bucket_out"))}],
        "storage_providers": {"minio": {"default": {
            "endpoint": endpoint, "region": moto.text("region"),
            "access_key": moto.text("access_key"), "secret_key": moto.text("secret_key"),
        }}},
    })
}

/// The number of bytes of the output.
fn stored_bytes(moto: &Store) -> usize {
    let target = format!("/{}/made/large", moto.text("bucket_out"));
    Request::new(address(moto), "GET", &target).send().expect(200).body.len()
}

/// Sends a request whose response is not waited for.
fn begin(server: &Server) -> crate::harness::Wire {
    let mut wire = server.connect();
    let body = encode("x");
    wire.write(&server.post(&body).head());
    wire.write(body.as_bytes());
    wire
}

/// A proxy that holds the requests of a method whose target has this text.
fn held(store: &Store, method: &'static str, text: &'static str) -> (Proxy, Gate) {
    let gate = Gate::default();
    let at = gate.clone();
    let proxy = Proxy::start(store.endpoint(), move |line, _| {
        if line.starts_with(method) && line.contains(text) {
            Fault::HoldRequest(BEGUN, at.clone())
        } else {
            Fault::Pass
        }
    });
    (proxy, gate)
}

#[test]
fn the_next_start_aborts_the_upload_in_parts_of_one_that_was_killed() {
    let Some(moto) = Store::for_test("moto", &[]) else { return };
    let (proxy, gate) = held(&moto, "PUT", "partNumber=2");
    let server = configured(serve_command(LARGE), &s3(&moto, &proxy.endpoint())).start();
    let wire = begin(&server);
    gate.until_reached();
    let home = server.kill();
    gate.until_left();
    wire.leave();
    assert_eq!(open_uploads(&moto), 1);
    let next = configured(serve_command(LARGE).after(home), &s3(&moto, moto.endpoint())).start();
    eventually(&format!("no open upload: {next}"), || (open_uploads(&moto) == 0).then_some(()));
    is_clean(&next);
}

#[test]
fn the_next_start_aborts_the_upload_in_parts_of_a_run_that_was_killed() {
    let Some(moto) = Store::for_test("moto", &[]) else { return };
    let (proxy, gate) = held(&moto, "PUT", "partNumber=2");
    let next = serve_command(LARGE);
    let mut run = fresh(BINARY)
        .args(["run", "--text-input", "x", "--workspace"])
        .arg(next.workspace())
        .args(["--", "/bin/sh", "-c", LARGE])
        .env("FUNCTION_CONFIG", encode(s3(&moto, &proxy.endpoint()).to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    gate.until_reached();
    run.kill().expect("killed");
    run.wait().expect("ended");
    gate.until_left();
    assert_eq!(open_uploads(&moto), 1);
    let next = configured(next, &s3(&moto, moto.endpoint())).start();
    eventually(&format!("no open upload: {next}"), || (open_uploads(&moto) == 0).then_some(()));
    is_clean(&next);
}

#[test]
fn the_end_of_the_drain_aborts_an_upload_in_parts() {
    let Some(moto) = Store::for_test("moto", &[]) else { return };
    let (proxy, gate) = held(&moto, "PUT", "partNumber=2");
    let server = serve_command(LARGE).args(["--drain-timeout", "0"]);
    let mut server = configured(server, &s3(&moto, &proxy.endpoint())).start();
    let wire = begin(&server);
    gate.until_reached();
    assert_eq!(open_uploads(&moto), 1);
    server.signal(Signal::TERM);
    assert_eq!(server.end().0.code(), Some(0), "{server}");
    wire.leave();
    assert_eq!(open_uploads(&moto), 0, "{server}");
    server.check_nothing_is_left();
}

/// The files of a directory that are no output.
fn parts(dir: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|end| end == "part")).collect()
}

#[test]
fn the_next_start_removes_the_part_of_one_that_was_killed_from_a_webdav_server() {
    let Some(dav) = Store::for_test("rclone-webdav", &[]) else { return };
    let dir = Path::new(dav.text("root")).join(dav.text("bucket_out")).join("made");
    let configuration = |endpoint: &str| {
        json!({
            "output": [{"storage_provider": "webdav", "path": format!("{}/made", dav.text("bucket_out"))}],
            "storage_providers": {"webdav": {"default": {
                "hostname": endpoint, "login": dav.text("login"), "password": dav.text("password"),
            }}},
        })
    };
    let (proxy, gate) = held(&dav, "PUT", ".part");
    let server = configured(serve_command(LARGE), &configuration(&proxy.endpoint())).start();
    let wire = begin(&server);
    gate.until_reached();
    let home = server.kill();
    gate.until_left();
    wire.leave();
    assert!(!dir.join("large").exists());
    eventually("a part that is to be removed", || (parts(&dir).len() == 1).then_some(()));
    let next = configured(serve_command(LARGE).after(home), &configuration(dav.endpoint())).start();
    eventually(&format!("no part: {next}"), || parts(&dir).is_empty().then_some(()));
    is_clean(&next);
}

#[test]
fn the_next_start_removes_the_part_of_one_that_was_killed_from_a_directory() {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("out");
    let configuration = json!({
        "output": [{"storage_provider": "local", "path": "out"}],
        "storage_providers": {"local": {"default": {"path": place.path()}}},
    });
    // It has no blocks, and takes a while to be copied.
    let script = r#"truncate -s 1G "$TMP_OUTPUT_DIR/large""#;
    let server = configured(serve_command(script).args(["--max-output", "2G"]), &configuration).start();
    let wire = begin(&server);
    eventually("a part", || (!parts(&dir).is_empty()).then_some(()));
    let home = server.kill();
    wire.leave();
    assert!(!dir.join("large").exists(), "the copy was too quick for this test");
    assert_eq!(parts(&dir).len(), 1);
    let next = configured(serve_command(script).after(home), &configuration).start();
    eventually(&format!("no part: {next}"), || parts(&dir).is_empty().then_some(()));
    is_clean(&next);
    assert!(!dir.join("large").exists());
}

/// An upload whose first response is lost stays open, since its id never arrived: docs/storage.md says so.
#[test]
fn an_upload_in_parts_outlives_the_loss_of_each_response() {
    let Some(moto) = Store::for_test("moto", &[]) else { return };
    for (method, text) in [("POST", "?uploads"), ("PUT", "partNumber=2"), ("POST", "?uploadId=")] {
        let proxy = Proxy::start(moto.endpoint(), move |line, number| {
            let is_lost = number == 0 && line.starts_with(method) && line.contains(text);
            if is_lost { Fault::Lose } else { Fault::Pass }
        });
        let server = configured(serve_command(LARGE), &s3(&moto, &proxy.endpoint())).start();
        let answer = server.post(encode("x")).send().expect(200);
        assert_eq!(answer.wants("x-bandog-stored"), "1", "{method} {text}: {answer}");
        assert_eq!(stored_bytes(&moto), 20_971_520, "{method} {text}");
        let lost = proxy.seen().iter().filter(|line| line.starts_with(method) && line.contains(text)).count();
        assert_eq!(lost, 2, "{method} {text}: {:?}", proxy.seen());
        is_clean(&server);
    }
}

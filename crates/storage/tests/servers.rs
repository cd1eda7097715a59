//! The harness of real servers: each starts, answers on loopback, and leaves nothing behind.

#[path = "servers/s3.rs"]
mod s3;

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bandog_storage::testing::server::Server;
use serde_json::Value;

/// The longest wait for the end of a server whose parent was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Set in the process that starts a server and is killed.
const PARENT: &str = "BANDOG_TEST_IS_PARENT";

/// The processes whose home is the directory of this server: all that it started.
fn processes_of(info: &Value) -> Vec<String> {
    let home = format!("HOME={}", info["directory"].as_str().expect("a directory"));
    let of_server = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    let entries = fs::read_dir("/proc").expect("processes");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).filter(of_server).collect()
}

fn is_running(pid: &Value) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Whether the processes of a server, and its directory, are gone.
fn is_gone(info: &Value) -> bool {
    let pids = info["pids"].as_array().expect("pids");
    processes_of(info).is_empty()
        && !pids.iter().chain([&info["pid"]]).any(is_running)
        && !Path::new(info["directory"].as_str().expect("a directory")).exists()
}

/// The first line of the answer to a GET of `path`.
fn status_line(endpoint: &str, path: &str) -> String {
    let address = endpoint.strip_prefix("http://").expect("http").split('/').next().expect("an address");
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer");
    answer
}

/// Starts one, sees that it answers, ends it.
fn starts_answers_and_leaves_nothing(server: Server, path: &str, status: &str) {
    let info = server.info.clone();
    assert!(server.endpoint().starts_with("http://127.0.0.1:"), "{info}");
    assert_eq!(status_line(server.endpoint(), path), format!("HTTP/1.1 {status}\r\n"), "{info}");
    assert!(!processes_of(&info).is_empty(), "it runs: {info}");
    drop(server);
    assert!(is_gone(&info), "{:?} are left of {info}", processes_of(&info));
}

#[test]
fn rclone_s3_refuses_a_request_without_a_signature_and_leaves_nothing() {
    let Some(server) = Server::for_test("rclone-s3", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in", "400 Bad Request");
}

#[test]
fn rclone_webdav_refuses_a_request_without_a_login_and_leaves_nothing() {
    let Some(server) = Server::for_test("rclone-webdav", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in/", "401 Unauthorized");
}

#[test]
fn moto_lists_a_bucket_and_leaves_nothing() {
    let Some(server) = Server::for_test("moto", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-out", "200 OK");
}

#[test]
fn seaweedfs_refuses_a_request_without_a_signature_and_leaves_nothing() {
    let Some(server) = Server::start_extra("seaweedfs-s3", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in", "403 Forbidden");
}

#[test]
fn seaweedfs_misses_a_file_over_webdav_and_leaves_nothing() {
    let Some(server) = Server::start_extra("seaweedfs-webdav", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in/missing", "404 Not Found");
}

#[test]
fn wsgidav_refuses_a_request_without_a_login_and_leaves_nothing() {
    let Some(server) = Server::start_extra("wsgidav", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in/", "401 Not Authorized");
}

#[test]
fn apache_refuses_a_request_without_a_login_and_leaves_nothing() {
    let Some(server) = Server::start_extra("apache", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in/", "401 Unauthorized");
}

#[test]
fn ceph_refuses_to_list_a_bucket_of_another_user_and_leaves_nothing() {
    let Some(server) = Server::start_extra("ceph", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/bandog-in", "403 Forbidden");
}

#[test]
fn rucio_refuses_a_request_without_a_token_and_leaves_nothing() {
    let Some(server) = Server::start_extra("rucio", &[]) else { return };
    starts_answers_and_leaves_nothing(server, "/rses/", "400 BAD REQUEST");
}

#[test]
fn the_frame_of_the_servers_passes_its_own_tests() {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/servers");
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "ignore", "-m", "unittest", "discover", "-s"]).arg(&servers).arg("-t").arg(&servers);
    let ran = python.output().expect("python3");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && !said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn a_name_that_no_server_has_is_an_error_and_not_a_hang() {
    let error = Server::start("no-such-server").expect_err("no such server");
    assert!(error.starts_with("server no-such-server: "), "{error}");
}

/// The test starts itself as the parent of a server, and kills that parent with SIGKILL.
#[test]
fn a_server_ends_when_the_process_that_started_it_is_killed() {
    if env::var_os(PARENT).is_some() {
        let server = Server::start("rclone-s3").expect("the test that started this one has seen it start");
        println!("INFO{}", server.info);
        let mut end = Vec::new();
        std::io::stdin().read_to_end(&mut end).expect("the end");
        return;
    }
    if Server::for_test("rclone-s3", &[]).is_none() {
        return;
    }
    let mut parent = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture", "a_server_ends_when_the_process_that_started_it_is_killed"])
        .env(PARENT, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a parent");
    let lines = BufReader::new(parent.stdout.take().expect("output")).lines();
    let info = lines.map_while(Result::ok).find_map(|line| {
        let (_, info) = line.split_once("INFO")?;
        serde_json::from_str::<Value>(info).ok()
    });
    parent.kill().expect("killed");
    parent.wait().expect("ended");
    let info = info.expect("the parent started a server");
    let deadline = Instant::now() + PATIENCE;
    while !is_gone(&info) {
        assert!(Instant::now() < deadline, "{:?} are left of {info}", processes_of(&info));
        thread::sleep(Duration::from_millis(10));
    }
}

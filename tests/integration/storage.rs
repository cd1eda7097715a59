//! Objects in, objects out: events of stores, with rclone as a store of S3 and directories of this machine. The bucket of
//! rclone is a directory too, so that the tests need no other client.

mod faults;
mod killed;
mod proxy;
mod watch;

use std::{
    fs,
    path::{Path, PathBuf},
};

use bandog_storage::testing::server::Server as Store;
use serde_json::{Value, json};

use crate::harness::{Builder, Command, bandog, encode, serve_command};

/// A store, and the configuration of a function that reads and writes there.
struct S3 {
    store: Store,
}

impl S3 {
    fn start() -> Option<Self> {
        Store::for_test("rclone-s3", &[]).map(|store| Self { store })
    }

    /// The path of an object of the bucket that events are about.
    fn input(&self, key: &str) -> PathBuf {
        self.bucket("bucket").join(key)
    }

    /// The path of an object of the bucket of outputs.
    fn output(&self, key: &str) -> PathBuf {
        self.bucket("bucket_out").join(key)
    }

    fn bucket(&self, name: &str) -> PathBuf {
        Path::new(self.store.text("root")).join(self.store.text(name))
    }

    fn put(&self, key: &str, content: &str) {
        let path = self.input(key);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, content).expect("written");
    }

    fn configuration(&self) -> Value {
        json!({
            "name": "test",
            "input": [{"storage_provider": "minio.default", "path": self.store.text("bucket")}],
            "output": [{"storage_provider": "minio.default", "path": format!("{}/made", self.store.text("bucket_out"))}],
            "storage_providers": {"minio": {"default": {
                "endpoint": self.store.endpoint(),
                "region": self.store.text("region"),
                "access_key": self.store.text("access_key"),
                "secret_key": self.store.text("secret_key"),
            }}},
        })
    }

    /// The event of MinIO for an object, whose key is encoded as in a form.
    fn event(&self, key: &str, sequencer: &str) -> Value {
        json!({"Records": [self.record(key, sequencer)]})
    }

    fn record(&self, key: &str, sequencer: &str) -> Value {
        json!({
            "eventSource": "minio:s3", "eventName": "s3:ObjectCreated:Put", "eventTime": "2026-11-20T14:49:56.867Z",
            "s3": {"bucket": {"name": self.store.text("bucket")}, "object": {"key": key, "sequencer": sequencer}},
        })
    }
}

fn configured(builder: Builder, configuration: &Value) -> Builder {
    builder.env("FUNCTION_CONFIG", encode(configuration.to_string()))
}

fn job(configuration: &Value, script: &str) -> Command {
    let command = bandog(["run"]).with_workspace().args(["--", "/bin/sh", "-c", script]);
    command.env("FUNCTION_CONFIG", encode(configuration.to_string()))
}

const COPY: &str =
    r#"cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/of-${INPUT_FILE_PATH##*/}"; echo "$STORAGE_BUCKET|$STORAGE_OBJECT_KEY""#;

#[test]
fn an_event_brings_its_object_and_the_output_becomes_another() {
    let Some(s3) = S3::start() else { return };
    s3.put("folder/a b+c%.txt", "hello");
    let server = configured(serve_command(COPY), &s3.configuration()).start();
    let event = s3.event("folder%2Fa+b%2Bc%25.txt", "1").to_string();
    let answer = server.post(&event).media("application/json").send().expect(200);
    assert_eq!((answer.wants("x-bandog-stored"), answer.decoded()), ("1", b"hello".to_vec()), "{answer}");
    assert_eq!(fs::read_to_string(s3.output("made/of-a b+c%.txt")).expect("stored"), "hello");
    for text in ["input fetched: ", "output stored: "] {
        server.log_line(text, |line| line.contains(text));
    }
    // The same again is known, and runs nothing.
    let again = server.post(&event).media("application/json").send().expect(200);
    assert_eq!(again.json()["duplicate"], json!(true), "{again}");
    let mut folder = s3.event("folder%2F", "2");
    folder["Records"][0]["s3"]["object"]["size"] = 0.into();
    assert!(server.post(folder.to_string()).media("application/json").send().expect(200).json()["ignored"].is_string());
}

#[test]
fn a_body_that_is_no_event_is_the_input_and_what_it_makes_is_stored_as_well() {
    let Some(s3) = S3::start() else { return };
    let script = r#"for name in a b; do echo "$name" >"$TMP_OUTPUT_DIR/$name"; done"#;
    let server = configured(serve_command(script), &s3.configuration()).start();
    let answer = server.post(encode("x")).accept("application/json").send().expect(200);
    let bucket = s3.store.text("bucket_out");
    let stored = ["a", "b"].map(|name| format!("{bucket}/made/{name} of minio.default"));
    assert_eq!(answer.json()["stored"], json!(stored), "{answer}");
    assert_eq!(fs::read_to_string(s3.output("made/b")).expect("stored"), "b\n");
}

#[test]
fn several_records_are_several_runs() {
    let Some(s3) = S3::start() else { return };
    s3.put("one", "1");
    s3.put("two", "2");
    let server = configured(serve_command(COPY), &s3.configuration()).start();
    let event = json!({"Records": [s3.record("one", "1"), s3.record("none", "2"), s3.record("two", "3")]});
    let answer = server.post(event.to_string()).media("application/json").send().expect(422);
    assert_eq!(answer.wants("x-bandog-error"), "input-not-found");
    let list = answer.json();
    let statuses: Vec<&Value> = list.as_array().expect("a list").iter().map(|record| &record["status"]).collect();
    assert_eq!(json!(statuses), json!([200, 422, 200]), "{list}");
    for (name, content) in [("made/of-one", "1"), ("made/of-two", "2")] {
        assert_eq!(fs::read_to_string(s3.output(name)).expect("stored"), content);
    }
}

#[test]
fn failures_have_their_codes_and_start_nothing() {
    let Some(s3) = S3::start() else { return };
    s3.put("large", &"x".repeat(2000));
    let script = "touch started";
    let wrong_key = {
        let mut configuration = s3.configuration();
        configuration["storage_providers"]["minio"]["default"]["secret_key"] = "another".into();
        configuration
    };
    let nowhere = {
        let mut configuration = s3.configuration();
        configuration["storage_providers"]["minio"]["default"]["endpoint"] = "http://127.0.0.1:9".into();
        configuration
    };
    let elsewhere = json!({"Records": [{"eventSource": "minio:s3", "eventTime": "", "s3": {
        "bucket": {"name": "another"}, "object": {"key": "x"}}}]});
    let cases = [
        (s3.configuration(), s3.event("none", "1"), 66, "input-not-found", "none of minio.default"),
        (wrong_key, s3.event("large", "3"), 78, "provider-credentials", "large of minio.default"),
        (nowhere, s3.event("large", "4"), 69, "provider-unreachable", "127.0.0.1:9"),
        (s3.configuration(), elsewhere, 78, "provider-unknown", "another/x"),
    ];
    for (configuration, event, code, slug, text) in cases {
        let ran = job(&configuration, script).stdin(event.to_string()).run().expect(code);
        assert!(ran.complaint().contains(text), "{slug}: {ran}");
        let problem: Value = serde_json::from_slice(&ran.stdout).expect("a problem");
        assert_eq!(problem["type"], format!("urn:bandog:error:{slug}"), "{ran}");
        assert!(!ran.home().join("started").exists(), "{ran}");
    }
    let limited = job(&s3.configuration(), script).env("BANDOG_MAX_BODY", "1999");
    let ran = limited.stdin(s3.event("large", "5").to_string()).run().expect(65);
    assert!(ran.complaint().contains("2000 bytes") && ran.text().contains("input-too-large"), "{ran}");
}

#[test]
fn an_output_that_cannot_be_stored_is_in_the_response_and_where_it_is_kept() {
    let Some(s3) = S3::start() else { return };
    let mut configuration = s3.configuration();
    configuration["output"][0]["path"] = "no-such-bucket/made".into();
    let keep = tempfile::tempdir().expect("a directory");
    let script = r#"mkdir "$TMP_OUTPUT_DIR/sub"; echo hello >"$TMP_OUTPUT_DIR/sub/result""#;
    let server = configured(serve_command(script), &configuration).arg_path("--keep-failed", keep.path()).start();
    let answer = server.post(encode("x")).header("X-Call-Id", "../one").send().expect(502);
    assert_eq!((answer.wants("x-bandog-error"), answer.wants("x-bandog-stored")), ("output-not-stored", "0"));
    assert_eq!(answer.decoded(), b"hello\n");
    let kept: Vec<PathBuf> =
        fs::read_dir(keep.path()).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    let [call] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(fs::read_to_string(call.join("sub/result")).expect("kept"), "hello\n");
    let text = "output not stored: no-such-bucket/made/sub/result of minio.default";
    server.log_line(text, |line| line.contains(text));
    let ran = job(&configuration, script).stdin(encode("x")).run().expect(74);
    assert_eq!(ran.text(), encode("hello\n"), "{ran}");
    assert!(ran.complaint().contains("no-such-bucket/made/sub/result"), "{ran}");
}

#[test]
fn directories_are_a_store_as_well() {
    let place = tempfile::tempdir().expect("a directory");
    fs::create_dir(place.path().join("in")).expect("made");
    fs::write(place.path().join("in/photo"), "bytes").expect("written");
    let configuration = json!({
        "input": [{"storage_provider": "local", "path": "in"}],
        "output": [{"storage_provider": "local.default", "path": "out", "suffix": ["photo"]}],
        "storage_providers": {"local": {"default": {"path": place.path()}}},
    });
    let event = json!({"Records": [{"eventSource": "local", "eventTime": "", "s3": {
        "bucket": {"name": "in"}, "object": {"key": "photo"}}}]});
    let script = format!("{COPY}; echo x >\"$TMP_OUTPUT_DIR/other\"");
    let server = configured(serve_command(&script), &configuration).start();
    let answer = server.post(event.to_string()).media("application/json").accept("application/json").send().expect(200);
    assert_eq!(answer.json()["skipped"], json!(["other"]), "{answer}");
    assert_eq!(fs::read_to_string(place.path().join("out/of-photo")).expect("stored"), "bytes");
}

#[test]
fn each_mistake_of_the_configuration_is_told_at_start_and_no_value_is_quoted() {
    let configuration = "\
input:
- path: in
- {storage_provider: gopher.x, path: in}
output:
- {storage_provider: minio.default, path: ''}
- {storage_provider: minio.absent, path: out}
storage_providers:
  minio:
    default: {endpoint: 'http://me:hunter2@x', verify: maybe, secret_key: hunter2}
  local:
    default: {}
  ftp:
    x: {}
isolation_level: NONE
";
    let ran = bandog(["run"])
        .with_workspace()
        .args(["--", "true"])
        .env("FUNCTION_CONFIG", encode(configuration))
        .run()
        .expect(78);
    for text in [
        "line 2, column 3: expected the key storage_provider in input[0]",
        "input[1].storage_provider: \"gopher.x\" names no storage provider",
        "storage_providers.minio.default: endpoint",
        "storage_providers.minio.default: expected true or false for verify",
        "storage_providers.local.default: expected the key path",
        "\"ftp.x\" names no storage provider",
        "isolation_level \"NONE\"",
    ] {
        assert!(ran.complaint().contains(text), "{text}: {ran}");
    }
    assert!(!ran.complaint().contains("hunter2"), "{ran}");
    let configuration = "\
    output:\n- {storage_provider: minio.default, path: ''}\n- {storage_provider: minio.absent, path: out}\n\
    storage_providers: {minio: {default: {endpoint: 'http://x'}}}\n";
    let ran = bandog(["run"])
        .with_workspace()
        .args(["--", "true"])
        .env("FUNCTION_CONFIG", encode(configuration))
        .run()
        .expect(78);
    assert!(ran.complaint().contains("output 1") && ran.complaint().contains("minio.absent"), "{ran}");
}

#[test]
fn an_object_is_an_input_by_hand() {
    let Some(s3) = S3::start() else { return };
    s3.put("folder/a b.txt", "hello");
    let configuration = s3.configuration();
    let bucket = s3.store.text("bucket");
    let run = |address: &str| {
        let script = r#"cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/""#;
        let command = bandog(["run", "-f", address]).with_workspace().args(["--", "/bin/sh", "-c", script]);
        command.env("FUNCTION_CONFIG", encode(configuration.to_string())).run()
    };
    let ran = run(&format!("minio://default/{bucket}/folder/a b.txt")).expect(0);
    assert_eq!(ran.text(), encode("hello"), "{ran}");
    assert_eq!(fs::read_to_string(s3.output("made/a b.txt")).expect("stored"), "hello");
    let ran = run(&format!("minio://default/{bucket}/none")).expect(66);
    assert!(ran.complaint().contains("none of minio.default"), "{ran}");
    let ran = run("s3://default/x/y").expect(78);
    assert!(ran.complaint().contains("s3.default is not configured"), "{ran}");
    let plain = bandog(["run", "-f", "s3://default/x/y"]).with_workspace().args(["--", "true"]).run().expect(78);
    assert!(plain.complaint().contains("there are no storage_providers"), "{plain}");
}

#[test]
fn check_tries_each_provider_if_that_is_asked_for() {
    let Some(s3) = S3::start() else { return };
    let check = |configuration: &Value, flags: &[&str]| {
        let command = bandog(["check"]).args(flags).with_workspace().args(["--", "true"]);
        command.env("FUNCTION_CONFIG", encode(configuration.to_string())).run()
    };
    let configuration = s3.configuration();
    let (bucket, outputs) = (s3.store.text("bucket"), s3.store.text("bucket_out"));
    let ran = check(&configuration, &["--online"]).expect(0);
    for text in
        [format!("minio.default {bucket}"), format!("minio.default {outputs}"), format!("{outputs}/made of minio")]
    {
        assert!(ran.text().contains(&text), "{text}: {ran}");
    }
    let mut wrong = configuration.clone();
    wrong["storage_providers"]["minio"]["default"]["secret_key"] = "another".into();
    check(&wrong, &[]).expect(0);
    let ran = check(&wrong, &["--online"]).expect(78);
    assert!(ran.text().contains("mistake: minio.default") && ran.text().contains("cannot be used"), "{ran}");
    assert!(!ran.text().contains("another"), "{ran}");
}

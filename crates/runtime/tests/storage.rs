//! Events about objects, and outputs that are stored: the seam alone, with a store in memory.

use std::{
    collections::HashSet,
    fs,
    io::Read as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use bandog_process::Cancel;
use bandog_runtime::{
    input::{BodyError, BodySource, ContentHeaders, Envelope, InputDir, StorageEvent},
    invocation::{
        self, Call, Command, Confinement, Finished, Function, FunctionContext, FunctionSettings, Logging, NoObserver,
        Outcome, OwnLines, RecordEnd, Stdin, Timeouts,
    },
    logs::Level,
    output::{BodySink, Disconnected},
    reply::{self, Accept, CallFacts, ErrorCode},
    storage::{
        Begun, FetchedObject, ObjectEvent, Storage, StorageError, StorageErrorKind, StoreRequest, Stored,
        TransferLimits,
    },
    workspace::WorkspaceRoot,
};
use bytes::Bytes;
use serde_json::{Value, json};

/// A store whose objects contain their own names. An event is `{"objects": [NAME, …]}`.
#[derive(Debug, Default)]
struct Memory {
    /// The objects that a run has succeeded for.
    seen: Arc<Mutex<HashSet<String>>>,
    /// The names and contents of the files that were stored.
    stored: Mutex<Vec<(String, String)>>,
    /// Whether nothing can be stored.
    is_full: bool,
    /// Whether the output of failed runs is stored as well.
    takes_failed: bool,
    /// How long a run may take.
    time_limit: Option<Duration>,
}

#[derive(Debug)]
struct Object {
    name: String,
    seen: Arc<Mutex<HashSet<String>>>,
}

impl Storage for Memory {
    fn read_event(&self, document: &[u8], _: Option<&str>) -> Option<Vec<Box<dyn ObjectEvent>>> {
        let document: Value = serde_json::from_slice(document).expect("JSON");
        let names = document.get("objects")?.as_array()?;
        let object = |name: &Value| -> Box<dyn ObjectEvent> {
            Box::new(Object { name: name.as_str().expect("text").to_owned(), seen: Arc::clone(&self.seen) })
        };
        Some(names.iter().map(object).collect())
    }

    fn takes_output(&self, is_success: bool) -> bool {
        is_success || self.takes_failed
    }

    fn store(&self, request: &StoreRequest<'_>, _: &TransferLimits<'_>) -> Stored {
        let files = request.files;
        let (mut stored, mut opener) = (Stored::default(), files.opener());
        for index in 0..files.len() {
            let name = files.path(index).expect("a path").display().to_string();
            if self.is_full {
                stored.add_failed(|| format!("{name}: output-rejected: the store is full"));
                continue;
            }
            let mut content = String::new();
            fs::File::from(opener.open(index).expect("open")).read_to_string(&mut content).expect("text");
            self.stored.lock().expect("a lock").push((name.clone(), content));
            stored.add_stored(|| name);
        }
        stored
    }
}

impl ObjectEvent for Object {
    fn object(&self) -> String {
        self.name.clone()
    }

    fn ignored(&self) -> Option<&str> {
        self.name.ends_with('/').then_some("it is a folder")
    }

    fn begin(&mut self, _: &TransferLimits<'_>) -> Begun {
        match &*self.name {
            "busy" => Begun::Busy(Duration::from_secs(7)),
            name if self.seen.lock().expect("a lock").contains(name) => Begun::Duplicate,
            _ => Begun::Run,
        }
    }

    fn fetch(&mut self, dir: InputDir<'_>, _: u64, _: &TransferLimits<'_>) -> Result<FetchedObject, StorageError> {
        if self.name == "missing" {
            let detail = "missing of memory: there is no such object".to_owned();
            return Err(StorageError { kind: StorageErrorKind::NotFound, detail });
        }
        assert_eq!(fs::read_dir(dir.path).expect("a directory").count(), 0, "the event is gone");
        let path = dir.path.join(&self.name);
        fs::write(&path, &self.name).expect("written");
        let event = StorageEvent { object_key: self.name.clone(), time: String::new(), json: "{}".to_owned() };
        let variables = vec![("STORAGE_BUCKET".into(), "memory".into())];
        Ok(FetchedObject { path, bytes: self.name.len() as u64, event: Some(event), bucket: None, variables })
    }

    fn finish(&mut self, is_success: bool) {
        if is_success {
            self.seen.lock().expect("a lock").insert(self.name.clone());
        }
    }
}

/// A body of one piece.
struct OnePiece(Option<Bytes>);

impl BodySource for OnePiece {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        Ok(self.0.take())
    }
}

/// A response in memory.
#[derive(Default)]
struct Sent(Vec<u8>);

impl BodySink for Sent {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.0.extend_from_slice(&piece);
        Ok(())
    }
}

/// A call and its response.
struct Ran {
    finished: Finished,
    status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

/// Calls `script` with `body`, with workspaces in `place`.
#[expect(clippy::disallowed_methods, reason = "a test of the invocation itself")]
fn run(place: &Path, storage: &Arc<Memory>, script: &str, body: &Value) -> Ran {
    let workspaces = Arc::new(WorkspaceRoot::open(place).expect("a directory"));
    let confinement = Confinement::default();
    let context = FunctionContext::new(&confinement, workspaces).expect("limits");
    let settings = FunctionSettings {
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        confinement,
        timeouts: Timeouts { exec: storage.time_limit, grace: Duration::from_secs(1) },
        stdin: Stdin::Null,
        stdout: None,
        max_body: 0,
        logging: Logging {
            level: Level::Info,
            max_logs: 0,
            forward: false,
            own_lines: OwnLines::Among,
            logger: "test",
        },
        shows_failed_output: false,
        retries: 0,
        input_filter: None,
        storage: Some(Arc::clone(storage) as Arc<dyn Storage>),
    };
    let command = Command {
        program: "/bin/sh".into(),
        arguments: ["sh", "-c", script].map(Into::into).to_vec(),
        origin: "a test",
        inline_script: None,
    };
    let function = Function::new(&settings, &context, &command).expect("a function");
    let envelope = Envelope::parse(&ContentHeaders::default()).expect("no labels");
    let (id, way) = ("call".to_owned(), bandog_actions::Placement::Any);
    let call = Call { id, envelope, variables: Vec::new(), way, texts: Vec::new(), details: Vec::new() };
    let mut source = OnePiece(Some(Bytes::from(body.to_string())));
    let finished = invocation::run(&function, &call, &mut source, &Cancel::new(), &mut NoObserver);
    let facts = CallFacts { call_id: "call", service: None };
    let reply = reply::answer(&finished.outcome, &facts, &Accept::default());
    let (status, headers) = (reply.head().status.as_u16(), reply.head().headers.clone());
    let mut sent = Sent::default();
    reply.write_to(&mut sent).expect("sent");
    Ran { finished, status, headers, body: sent.0 }
}

const COPY: &str =
    "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/$STORAGE_OBJECT_KEY.out\"; echo \"$CALL_ID $STORAGE_BUCKET\"";

#[test]
fn an_object_is_the_input_and_the_output_becomes_an_object() {
    let (place, memory) = (tempfile::tempdir().expect("a directory"), Arc::new(Memory::default()));
    let ran = run(place.path(), &memory, COPY, &json!({"objects": ["photo"]}));
    assert_eq!((ran.status, ran.field("x-bandog-stored")), (200, Some("1")));
    assert_eq!(ran.body, b"cGhvdG8=", "the response is that of any run");
    assert_eq!(*memory.stored.lock().expect("a lock"), [("photo.out".to_owned(), "photo".to_owned())]);
    let logs = ran.finished.outcome.report().expect("a run").logs.tail(4096).expect("logs");
    assert!(logs.contains("call memory") && logs.contains("output stored: photo.out"), "{logs}");
    drop(ran);
    assert_eq!(fs::read_dir(place.path()).expect("a directory").count(), 0, "nothing is left");
}

#[test]
fn a_body_that_is_no_event_is_the_input_and_its_output_is_stored_as_well() {
    let (place, memory) = (tempfile::tempdir().expect("a directory"), Arc::new(Memory::default()));
    let script = "cp \"$INPUT_FILE_PATH\" \"$TMP_OUTPUT_DIR/a\"; touch \"$TMP_OUTPUT_DIR/b\"";
    let ran = run(place.path(), &memory, script, &json!({"mine": 1}));
    assert_eq!((ran.status, ran.field("x-bandog-stored")), (200, Some("2")));
    let stored = memory.stored.lock().expect("a lock").clone();
    assert_eq!(stored, [("a".to_owned(), "{\"mine\":1}".to_owned()), ("b".to_owned(), String::new())]);
}

#[test]
fn nothing_runs_for_an_event_that_is_ignored_comes_again_or_cannot_be_fetched() {
    let (place, memory) = (tempfile::tempdir().expect("a directory"), Arc::new(Memory::default()));
    let marker = place.path().join("started");
    let script = format!("echo x >> {}", marker.display());
    let event = |name: &str| json!({"objects": [name]});
    let ran = run(place.path(), &memory, &script, &event("folder/"));
    assert_eq!((ran.status, &ran.json()["ignored"]), (200, &json!("it is a folder")));
    let ran = run(place.path(), &memory, &script, &event("missing"));
    assert_eq!((ran.status, ran.field("x-bandog-error")), (422, Some("input-not-found")));
    assert!(ran.json()["detail"].as_str().expect("text").contains("missing of memory"));
    assert_eq!(reply::exit_code(&ran.finished.outcome), 66);
    let ran = run(place.path(), &memory, &script, &event("busy"));
    assert_eq!((ran.status, ran.field("retry-after")), (503, Some("7")));
    assert!(!marker.exists());
    assert_eq!(run(place.path(), &memory, &script, &event("one")).status, 200);
    let ran = run(place.path(), &memory, &script, &event("one"));
    assert_eq!((ran.status, &ran.json()["duplicate"]), (200, &json!(true)));
    assert_eq!(fs::read_to_string(&marker).expect("text"), "x\n", "it ran once");
}

#[test]
fn several_records_run_one_after_the_other_and_are_listed() {
    let (place, memory) = (tempfile::tempdir().expect("a directory"), Arc::new(Memory::default()));
    let script = format!("[ \"$STORAGE_OBJECT_KEY\" != bad ] || exit 3; {COPY}");
    let objects = json!({"objects": ["a", "folder/", "bad", "b", "missing", "a"]});
    let ran = run(place.path(), &memory, &script, &objects);
    assert_eq!((ran.status, ran.field("x-bandog-error")), (500, Some("function-failed")), "of the first that failed");
    let list = ran.json();
    let told: Vec<_> =
        list.as_array().expect("a list").iter().map(|record| (&record["object"], &record["status"])).collect();
    let wanted = json!([["a", 200], ["folder/", 200], ["bad", 500], ["b", 200], ["missing", 422], ["a", 200]]);
    assert_eq!(json!(told), wanted);
    assert_eq!((&list[0]["stored"], &list[5]["duplicate"]), (&json!(["a.out"]), &json!(true)));
    assert_eq!((&list[2]["error"], &list[4]["error"]), (&json!("function-failed"), &json!("input-not-found")));
    assert_eq!(memory.stored.lock().expect("a lock").len(), 2);
    let again = run(place.path(), &memory, COPY, &objects);
    let Outcome::Settled(event) = &again.finished.outcome else { panic!("{:?}", again.finished.outcome) };
    assert!(matches!(event.records[0].end, RecordEnd::Duplicate) && matches!(event.records[2].end, RecordEnd::Ran(_)));
}

#[test]
fn an_output_that_cannot_be_stored_stays_in_the_response() {
    let (place, memory) =
        (tempfile::tempdir().expect("a directory"), Arc::new(Memory { is_full: true, ..Memory::default() }));
    for objects in [json!({"objects": ["a"]}), json!({"objects": ["a", "b"]})] {
        let ran = run(place.path(), &memory, COPY, &objects);
        assert_eq!((ran.status, ran.field("x-bandog-error")), (502, Some("output-not-stored")));
        assert_eq!((ran.field("x-bandog-stored"), &*ran.body), (Some("0"), &b"YQ=="[..]));
        assert_eq!(ErrorCode::of_outcome(&ran.finished.outcome), Some(ErrorCode::OutputNotStored));
        assert_eq!(reply::exit_code(&ran.finished.outcome), 74);
        let facts = CallFacts { call_id: "call", service: None };
        let explained = reply::problem::explain(&ran.finished.outcome, &facts, false);
        assert!(explained.contains("1 of 1 outputs") && explained.contains("the store is full"), "{explained}");
    }
    assert!(memory.seen.lock().expect("a lock").is_empty(), "the event may come again");
}

#[test]
fn the_output_of_a_failed_run_is_stored_only_where_that_is_wanted() {
    let place = tempfile::tempdir().expect("a directory");
    for (takes_failed, count) in [(false, 0), (true, 1)] {
        let memory = Arc::new(Memory { takes_failed, ..Memory::default() });
        let ran = run(place.path(), &memory, &format!("{COPY}; exit 3"), &json!({"objects": ["a"]}));
        assert_eq!((ran.status, ran.field("x-bandog-error")), (500, Some("function-failed")));
        assert_eq!(memory.stored.lock().expect("a lock").len(), count);
        assert_eq!(ran.field("x-bandog-stored"), takes_failed.then_some("1"));
    }
}

#[test]
fn a_run_that_took_too_long_is_a_failed_one() {
    let place = tempfile::tempdir().expect("a directory");
    for (takes_failed, count) in [(false, 0), (true, 1)] {
        let time_limit = Some(Duration::from_millis(500));
        let memory = Arc::new(Memory { takes_failed, time_limit, ..Memory::default() });
        let ran = run(place.path(), &memory, &format!("{COPY}; exec sleep 600"), &json!({"objects": ["a"]}));
        assert_eq!((ran.status, ran.field("x-bandog-error")), (504, Some("function-timeout")));
        assert_eq!(memory.stored.lock().expect("a lock").len(), count);
    }
}

//! OSCAR's services with a store: an event of MinIO names an object, and the output files become objects.
//!
//! The store is rclone on this machine, so the containers use the network of this machine. Its keys are secrets that are
//! mounted, as OSCAR does it; no file of the service has them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bandog_storage::testing::server::Server as Store;
use serde_json::{Value, json};

use super::{Cluster, Container, Images, docker, images, projected};
use crate::harness::{Request, eventually};

/// Where OSCAR mounts the secrets of a provider.
const SECRETS: &str = "/var/run/secrets/providers";

/// The example of OSCAR that makes pictures grey, with a description of each beside it.
const GREY: &str = r#"
IMAGE_NAME=`basename $INPUT_FILE_PATH`
echo "SCRIPT: Converting $IMAGE_NAME of $STORAGE_OBJECT_KEY"
tr a-z A-Z <$INPUT_FILE_PATH >$TMP_OUTPUT_DIR/grey-$IMAGE_NAME
echo "{\"size\": `wc -c <$INPUT_FILE_PATH`}" >$TMP_OUTPUT_DIR/$IMAGE_NAME.json
"#;

/// The same without the picture.
const SIZE: &str = r#"echo "{\"size\": `wc -c <$INPUT_FILE_PATH`}" >$TMP_OUTPUT_DIR/size.json"#;

/// The script of a function that fetches for itself.
const BY_ITSELF: &str = r#"
echo "$STORAGE_OBJECT_KEY ${INPUT_FILE_PATH-none} $EVENT" >$TMP_OUTPUT_DIR/event.json
"#;

/// A store with the buckets of a service.
struct Shop {
    store: Store,
    images: std::sync::Arc<Images>,
}

impl Shop {
    fn open() -> Option<Self> {
        let images = images()?;
        Store::for_test("rclone-s3", &[]).map(|store| Self { store, images })
    }

    /// The path of an object, of which the bucket of rclone is a directory.
    fn object(&self, path: &str) -> PathBuf {
        Path::new(self.store.text("root")).join(path)
    }

    /// Makes an object. rclone keeps the lists of directories: before its first request.
    fn put(&self, path: &str, content: &str) {
        let path = self.object(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(path, content).expect("written");
    }

    #[track_caller]
    fn get(&self, path: &str) -> String {
        let path = self.object(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The configuration as OSCAR writes it. `outputs` are lines of YAML.
    fn config(&self, outputs: &str, more: &str) -> String {
        let (endpoint, bucket) = (self.store.endpoint(), self.store.text("bucket"));
        let provider = |id: &str, keys: [&str; 2]| {
            format!(
                "    {id}:\n      endpoint: {endpoint}\n      verify: true\n      region: us-east-1\n      \
                 access_key: \"{}\"\n      secret_key: \"{}\"\n",
                keys[0], keys[1]
            )
        };
        let own = provider("default", ["", ""]);
        let other = provider("elsewhere", [self.store.text("access_key"), self.store.text("secret_key")]);
        format!(
            "name: grey\nmemory: 256Mi\ncpu: '0.2'\ntotal_memory: ''\nenable_gpu: false\nlog_level: INFO\nimage: debian\n\
             alpine: false\ntoken: s3cr3t-of-the-service\nfile_stage_in: false\nowner: cluster_admin\ninput:\n\
             - storage_provider: minio.default\n  path: {bucket}/in\noutput:\n{outputs}storage_providers:\n  minio:\n\
             {own}{other}{more}"
        )
    }

    /// Two outputs: pictures by their prefix and suffix in a folder of a bucket, descriptions in another bucket.
    fn outputs(&self) -> String {
        let (bucket, bucket_out) = (self.store.text("bucket"), self.store.text("bucket_out"));
        format!(
            "- storage_provider: minio.default\n  path: {bucket}/out/grey\n  prefix:\n  - grey\n  suffix:\n  - .jpg\n  \
             - .png\n- storage_provider: minio.elsewhere\n  path: {bucket_out}\n  suffix: ['json']\n  prefix: []\n"
        )
    }

    /// A cluster with a service, whose secrets are those of the store, or others.
    fn cluster(&self, config: &str, script: &str, secret_key: Option<&str>) -> Cluster {
        let mut cluster = Cluster::new(&self.images, config, script);
        let secret_key = secret_key.unwrap_or(self.store.text("secret_key"));
        // With a line end, as an editor leaves it.
        let secret_key = format!("{secret_key}\n");
        let files = [("accessKey", self.store.text("access_key")), ("secretKey", &secret_key)];
        let volume = projected("oscar-secrets", &files, &cluster.base);
        cluster.secrets.push((format!("{SECRETS}/minio.default"), volume));
        cluster.extra.extend(["--network", "host"].map(String::from));
        cluster
    }

    /// The event of MinIO for an object.
    fn event(&self, key: &str) -> Value {
        let bucket = self.store.text("bucket");
        let encoded = key.replace('/', "%2F").replace(' ', "+");
        json!({
            "EventName": "s3:ObjectCreated:Put",
            "Key": format!("{bucket}/{key}"),
            "Records": [{
                "eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "us-east-1",
                "eventTime": "2026-11-20T14:49:56.867Z", "eventName": "s3:ObjectCreated:Put",
                "userIdentity": {"principalId": "minio"},
                "requestParameters": {"principalId": "minio", "region": "us-east-1", "sourceIPAddress": "10.244.0.1"},
                "responseElements": {"x-amz-request-id": "17C1A2B3", "x-minio-origin-endpoint": "https://10.96.0.7"},
                "s3": {
                    "s3SchemaVersion": "1.0", "configurationId": "Config",
                    "bucket": {"name": bucket, "ownerIdentity": {"principalId": "minio"},
                        "arn": format!("arn:aws:s3:::{bucket}")},
                    "object": {"key": encoded, "contentType": "image/jpeg", "userMetadata": {}, "sequencer": key.len().to_string()},
                },
                "source": {"host": "10.244.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7"},
            }],
        })
    }
}

/// Every line is one of the supervisor's, one that the script wrote, or the message with which a job ends that failed.
#[track_caller]
fn assert_form(log: &str) {
    let is_of_supervisor = |line: &str| {
        let fields: Vec<&str> = line.splitn(4, " - ").collect();
        let [time, name, level, text] = fields[..] else { return false };
        let is_time = time.len() == "2026-11-20 14:49:56,867".len() && time.as_bytes()[19] == b',';
        is_time && name == "supervisor" && ["INFO", "WARNING", "ERROR"].contains(&level) && !text.is_empty()
    };
    let is_other = |line: &str| ["SCRIPT: ", "bandog: "].iter().any(|start| line.starts_with(start));
    let strange: Vec<&str> = log.lines().filter(|line| !is_of_supervisor(line) && !is_other(line)).collect();
    assert_eq!(strange, [""; 0], "{log}");
}

#[test]
fn a_job_of_oscar_gets_its_object_and_its_outputs_become_objects() {
    let Some(shop) = Shop::open() else { return };
    let cluster = shop.cluster(&shop.config(&shop.outputs(), ""), GREY, None);
    let (bucket, bucket_out) = (shop.store.text("bucket"), shop.store.text("bucket_out"));
    shop.put(&format!("{bucket}/in/set 1/cat.jpg"), "a cat\n");
    shop.put(&format!("{bucket}/in/dog.png"), "a dog\n");
    let (code, _, log) = cluster.job(&shop.event("in/set 1/cat.jpg").to_string());
    assert_eq!(code, 0, "{log}");
    assert_eq!(shop.get(&format!("{bucket}/out/grey/grey-cat.jpg")), "A CAT\n");
    assert_eq!(shop.get(&format!("{bucket_out}/cat.jpg.json")), "{\"size\": 6}\n");
    assert_form(&log);
    for text in [
        format!("INFO - input fetched: {bucket}/in/set 1/cat.jpg of minio.default (6 bytes"),
        format!("INFO - output stored: {bucket}/out/grey/grey-cat.jpg of minio.default"),
        format!("INFO - output stored: {bucket_out}/cat.jpg.json of minio.elsewhere"),
        "INFO - outputs: 2 stored, 0 failed, 0 skipped".to_owned(),
    ] {
        assert!(log.contains(&text), "{text}: {log}");
    }
    assert!(!log.contains(shop.store.text("secret_key")), "{log}");

    // The event that another cluster delegates names a provider of this one.
    let inner = shop.event("in/dog.png");
    for (event, key) in [(json!(inner.to_string()), "text"), (inner, "object")] {
        let event = json!({"storage_provider": "minio.elsewhere", "event": event}).to_string();
        fs::remove_file(shop.object(&format!("{bucket}/out/grey/grey-dog.png"))).ok();
        let (code, _, log) = cluster.job(&event);
        assert_eq!(code, 0, "{key}: {log}");
        assert!(log.contains(&format!("input fetched: {bucket}/in/dog.png of minio.elsewhere")), "{key}: {log}");
        assert_eq!(shop.get(&format!("{bucket}/out/grey/grey-dog.png")), "A DOG\n", "{key}");
        assert_form(&log);
    }
}

#[test]
fn the_failures_of_a_job_of_oscar_have_their_exit_codes() {
    let Some(shop) = Shop::open() else { return };
    let bucket = shop.store.text("bucket");
    shop.put(&format!("{bucket}/in/cat.jpg"), "a cat\n");
    let event = shop.event("in/cat.jpg").to_string();
    let config = shop.config(&shop.outputs(), "");

    let cluster = shop.cluster(&config, GREY, None);
    let (code, printed, log) = cluster.job(&shop.event("in/none.jpg").to_string());
    assert_eq!(code, 66, "{log}");
    assert!(printed_problem(&printed, "input-not-found") && log.contains("in/none.jpg of minio.default"), "{log}");
    assert_form(&log);

    let cluster = shop.cluster(&config, GREY, Some("another key"));
    let (code, printed, log) = cluster.job(&event);
    assert_eq!(code, 78, "{log}");
    assert!(printed_problem(&printed, "provider-credentials") && log.contains("in/cat.jpg of minio.default"), "{log}");
    assert!(!log.contains("another key"), "{log}");
    assert!(!log.contains("SCRIPT: "), "nothing was run: {log}");
    assert_form(&log);

    // The output is not lost.
    let outputs = "- storage_provider: minio.default\n  path: no-such-bucket/out\n  suffix: [json]\n";
    let cluster = shop.cluster(&shop.config(outputs, ""), SIZE, None);
    let (code, printed, log) = cluster.job(&event);
    assert_eq!((code, crate::harness::decode(&printed)), (74, b"{\"size\": 6}\n".to_vec()), "{log}");
    let text = "ERROR - output not stored: no-such-bucket/out/size.json of minio.default: output-no-bucket";
    assert!(log.contains(text), "{log}");
    assert_form(&log);
}

#[test]
fn a_function_of_oscar_that_fetches_for_itself_gets_the_event_and_no_file() {
    let Some(shop) = Shop::open() else { return };
    let bucket_out = shop.store.text("bucket_out");
    let config = shop.config(&shop.outputs(), "").replace("file_stage_in: false", "file_stage_in: true");
    let cluster = shop.cluster(&config, BY_ITSELF, None);
    // There is no such object: it is not looked for.
    let event = shop.event("in/none.jpg");
    let (code, _, log) = cluster.job(&event.to_string());
    assert_eq!(code, 0, "{log}");
    assert_eq!(shop.get(&format!("{bucket_out}/event.json")), format!("in/none.jpg none {event}\n"));
    assert!(!log.contains("input fetched"), "{log}");
}

#[test]
fn a_pod_of_oscar_gets_its_objects_and_its_outputs_become_objects() {
    let Some(shop) = Shop::open() else { return };
    let cluster = shop.cluster(&shop.config(&shop.outputs(), ""), GREY, None);
    let (bucket, bucket_out) = (shop.store.text("bucket"), shop.store.text("bucket_out"));
    // On this machine's network, where a fixed port may be in use.
    let pod = cluster.pod(&["BANDOG_LISTEN=127.0.0.1:0", "BANDOG_ADDRESS_FILE=/tmp/address", "BANDOG_METRICS=on"]);
    let address = address(&pod);
    let post =
        |event: &Value| Request::new(address, "POST", "/").media("application/json").body(event.to_string()).send();
    let names = ["a.jpg", "b.png"];
    for name in names {
        shop.put(&format!("{bucket}/in/{name}"), name);
    }
    for name in names {
        let answer = post(&shop.event(&format!("in/{name}"))).expect(200);
        assert_eq!(answer.wants("x-bandog-stored"), "2", "{answer}");
        assert_eq!(shop.get(&format!("{bucket}/out/grey/grey-{name}")), name.to_uppercase());
        assert_eq!(shop.get(&format!("{bucket_out}/{name}.json")), "{\"size\": 5}\n");
    }
    assert_eq!(post(&shop.event("in/none.jpg")).expect(422).wants("x-bandog-error"), "input-not-found");
    eventually("a file system without a workspace", || {
        pod.exec(&["find", "/tmp", "-mindepth", "1", "-name", "bandog-*"]).stdout.is_empty().then_some(())
    });
    docker(["stop", "--time", super::super::STOP_TIMEOUT, &pod.0]);
    assert_eq!(pod.inspect("{{.State.ExitCode}}"), "0", "{}", pod.logs());
    assert!(!pod.logs().contains(shop.store.text("secret_key")), "{}", pod.logs());
}

/// Where a pod on this machine's network listens.
fn address(pod: &Container) -> std::net::SocketAddr {
    eventually("the address file of the pod", || {
        assert_eq!(pod.inspect("{{.State.Status}}"), "running", "{}", pod.logs());
        String::from_utf8(pod.exec(&["cat", "/tmp/address"]).stdout).ok()?.trim().parse().ok()
    })
}

/// Whether a job has printed this failure, and nothing else.
fn printed_problem(printed: &[u8], code: &str) -> bool {
    let problem: Value = serde_json::from_slice(printed).unwrap_or_default();
    problem["type"] == format!("urn:bandog:error:{code}")
}

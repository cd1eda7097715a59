//! OSCAR's pods and jobs, as OSCAR makes them: its command, its variables in their order, its two read-only mounts, and
//! bandog under the names of the two programs. No OSCAR runs here: Docker alone makes the pods.

mod storage;

use std::process::Command;

use super::{Container, Images, Volume, docker, images, name, observe, succeed};
use crate::harness::{Request, encode, eventually, shown};

/// The service as OSCAR writes it for its pods, its secrets included.
const CONFIG: &str = "\
name: upper
memory: 256Mi
cpu: '0.2'
log_level: CRITICAL
image: debian
token: s3cr3t-of-the-service
file_stage_in: false
input: []
output: []
environment:
  variables:
    GREETING: hola
storage_providers:
  minio:
    default:
      endpoint: https://minio.example
      access_key: minio
      secret_key: s3cr3t-of-the-store
owner: cluster_admin
";

/// The script that runs in it. It is neither executable nor does it name its interpreter.
const SCRIPT: &str = r#"
echo "chatter of $GREETING"
case $(head -c 9 "$INPUT_FILE_PATH") in
    exit*) exit 7 ;;
    identity*) echo "$(id -u) $$ $(readlink /proc/1/exe) ${FUNCTION_CONFIG-none}" >"$TMP_OUTPUT_DIR/out" ;;
    *) tr a-z A-Z <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/out" ;;
esac
"#;

/// The variables of a pod, in OSCAR's and then Knative's order.
const POD: [&str; 12] = [
    "GREETING=hola",
    "fprocess=/oscar/bin/supervisor",
    "max_inflight=1",
    "write_debug=true",
    "exec_timeout=0",
    "read_timeout=300",
    "write_timeout=300",
    "healthcheck_interval=5",
    "PORT=8080",
    "K_SERVICE=upper",
    "K_REVISION=upper-00001",
    "K_CONFIGURATION=upper",
];

/// The two volumes of a cluster with one service, and those of its secrets.
struct Cluster {
    bin: Volume,
    config: Volume,
    /// Where each is mounted, and the volume.
    secrets: Vec<(String, Volume)>,
    /// Options of `docker run` that the containers of this cluster have besides.
    extra: Vec<String>,
    base: String,
}

/// A new volume.
fn volume(purpose: &str) -> Volume {
    let volume = Volume(name(purpose));
    docker(["volume", "create", &volume.0]);
    volume
}

/// A volume with these files, as the kubelet lays out a `ConfigMap` or a `Secret`.
fn projected(purpose: &str, files: &[(&str, &str)], base: &str) -> Volume {
    let volume = volume(purpose);
    let mount = format!("{}:/mnt", volume.0);
    for (file, content) in files {
        let line = format!(
            "mkdir -p /mnt/..2026_11_21 && cat >/mnt/..2026_11_21/{file} && chmod 0644 /mnt/..2026_11_21/{file} && \
             ln -sfn ..2026_11_21 /mnt/..data && ln -s ..data/{file} /mnt/{file}"
        );
        let run = ["run", "--rm", "--interactive", "--name", &name(purpose), "--volume", &mount, base];
        succeed(Command::new("docker").args(run).args(["sh", "-c", &line]), content.as_bytes());
    }
    volume
}

impl Cluster {
    fn new(images: &Images, config: &str, script: &str) -> Self {
        let files = [("function_config.yaml", config), ("script.sh", script)];
        let (bin, config) = (volume("oscar-bin"), projected("oscar-config", &files, &images.base));
        let mount = format!("{}:/mnt", bin.0);
        docker(["run", "--rm", "--name", &name("bin"), "--volume", &mount, &images.alone.0, "install", "/mnt"]);
        Self { bin, config, secrets: Vec::new(), extra: Vec::new(), base: images.base.clone() }
    }

    /// The options of `docker run` that OSCAR's containers have in common.
    fn options(&self, variables: &[&str]) -> Vec<String> {
        let mut options: Vec<String> =
            ["--read-only", "--tmpfs", "/tmp", "--user", "1000:1000"].map(String::from).into();
        options.extend(["--volume".to_owned(), format!("{}:/oscar/bin:ro", self.bin.0)]);
        options.extend(["--volume".to_owned(), format!("{}:/oscar/config:ro", self.config.0)]);
        for (path, volume) in &self.secrets {
            options.extend(["--volume".to_owned(), format!("{}:{path}:ro", volume.0)]);
        }
        options.extend(self.extra.iter().cloned());
        for variable in POD.iter().chain(variables) {
            options.extend(["--env".to_owned(), (*variable).to_owned()]);
        }
        options
    }

    /// The pod of the service, started with more variables and not waited for.
    fn pod(&self, variables: &[&str]) -> Container {
        let mut options = self.options(variables);
        options.extend(["--entrypoint", "/oscar/bin/fwatchdog"].map(String::from));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Container::run("oscar", &options, &self.base, &[])
    }

    /// The output and the exit code of a job for this event.
    fn job(&self, event: &str) -> (i32, Vec<u8>, String) {
        let variables = [&format!("EVENT={event}"), "JOB_UUID=upper-0b1c2d3e", "RESOURCE_ID=node-1"];
        let container = name("job");
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--name", &container]).args(self.options(&variables));
        // A directory with files, whose names an unquoted `*` becomes.
        command.args(["--workdir", "/etc", "--entrypoint", "/bin/sh", &self.base]);
        command.args(["-c", "echo $EVENT | /oscar/bin/supervisor"]);
        let output = observe(&mut command, b"");
        (output.status.code().unwrap_or(-1), output.stdout, shown(&output.stderr))
    }
}

#[test]
fn a_pod_of_oscar_answers_its_clients_and_its_jobs_get_their_events_whole() {
    let Some(images) = images() else { return };
    let cluster = Cluster::new(&images, CONFIG, SCRIPT);
    let pod = cluster.pod(&[]);
    pod.wait_until_ready("/oscar/bin/bandog");
    let input = "all work and no play\n".repeat(500);
    let encoded = encode(&input);

    // oscar-cli: chunked, one line, no type; it decodes strictly.
    let request = || Request::new(pod.address(), "POST", "/");
    let answer = request().body(&encoded).chunked(&[4096]).send().expect(200);
    assert!(answer.decoded() == input.to_uppercase().as_bytes(), "{answer}");
    // oscar-python: base64 that calls itself JSON.
    let answer = request().media("application/json").body(&encoded).send().expect(200);
    assert!(answer.decoded() == input.to_uppercase().as_bytes(), "{answer}");
    // curl -d @-: a form without line breaks; by the gateway with what it adds.
    let curl = ["-sS", "--fail", "-d", "@-", "-H", "Authorization: Bearer s3cr3t-of-the-caller"];
    let lines: Vec<String> = encoded.as_bytes().chunks(76).map(shown).collect();
    let url = format!("http://{}/", pod.address());
    let printed = succeed(Command::new("curl").args(curl).arg(&url), (lines.join("\n") + "\n").as_bytes()).stdout;
    assert!(printed == encode(input.to_uppercase()).as_bytes(), "{}", shown(&printed));
    // JSON.
    let answer = request().body("{\"a\":  1.50}").send().expect(200);
    assert_eq!(shown(&answer.decoded()), "{\"A\":  1.50}");

    // One process does the work of both, as process 1, as the user of the pod.
    let identity = shown(&request().body(encode("identity")).send().expect(200).decoded());
    let fields: Vec<&str> = identity.split_whitespace().collect();
    let [uid, pid, exe, config] = fields[..] else { panic!("{identity}") };
    assert_eq!((uid, exe, config), ("1000", "/oscar/bin/fwatchdog", "none"), "{identity}");
    assert_ne!(pid, "1");
    eventually("a pod with one process", || pod.strangers().is_empty().then_some(()));

    // A script that fails is no success, and an event of a store that is not configured is refused.
    let failed = request().body(encode("exit")).send().expect(500);
    assert!(failed.text().starts_with("exit status 7\n"), "{failed}");
    let event = r#"{"Records":[{"eventSource":"minio:s3","s3":{"bucket":{"name":"in"},"object":{"key":"a"}}}]}"#;
    assert_eq!(request().body(event).send().expect(500).wants("x-bandog-error"), "provider-unknown");

    assert_eq!(pod.exec(&["/oscar/bin/fwatchdog", "-run-healthcheck"]).status.code(), Some(0));
    docker(["stop", "--time", super::STOP_TIMEOUT, &pod.0]);
    assert_eq!(pod.inspect("{{.State.ExitCode}}"), "0", "{}", pod.logs());
    assert!(!pod.logs().contains("s3cr3t"), "{}", pod.logs());

    for event in [
        "{\"text\":  \"two  blanks\", \"glob\": \"* p* [a-z]*\"}",
        r#"{"text": "line\nbreak \\ and \\c the rest", "é": "日本語"}"#,
        "  [1,\n\t2,   3]\n",
    ] {
        let (code, printed, complaint) = cluster.job(event);
        assert_eq!((code, complaint.as_str()), (0, ""), "{event}");
        assert_eq!(shown(&printed), encode(event.to_ascii_uppercase()), "{event}");
    }
    let (code, printed, _) = cluster.job(&encode("by base64"));
    assert_eq!((code, shown(&printed)), (0, encode("BY BASE64")));
    assert_eq!(cluster.job(&encode("exit")).0, 7, "a script that fails is a job that fails");
    assert_eq!(cluster.job(event).0, 78);
}

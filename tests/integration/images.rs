//! The promises of bandog inside a container, tried with a real Docker engine: the image from `Dockerfile`, the image
//! from `Dockerfile.example`, and a volume that `bandog install` has filled.
//!
//! Without an engine nothing here can run: then the reason goes where `scripts/test.sh` finds it for its summary, and
//! the tests pass; with `CI=true` they fail. Every container, image and volume is named after this process and removed
//! by a guard, also when a test panics. Promises that hold outside a container as well are tested elsewhere.

mod actions;
mod kubernetes;
mod oscar;

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::harness::{Answer, Request, did_not_run, encode, eventually, shown};

/// The most that `docker stop` may take for an idle container. bandog's own share of it is 100 ms; the rest is the
/// engine's, which takes a second on a busy machine. The engine would kill after [`STOP_TIMEOUT`].
const IDLE_STOP: Duration = Duration::from_secs(5);

/// Seconds after which `docker stop` kills: longer than bandog's own drain, so that a kill shows in the exit code.
const STOP_TIMEOUT: &str = "40";

/// A function that answers with its input in upper case.
const UPPER: &str = r#"tr a-z A-Z <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/upper.txt""#;

#[test]
fn the_image_from_scratch_holds_the_binary_and_nothing_else() {
    let Some(images) = images() else { return };
    let container = Container(name("contents"));
    docker(["create", "--name", &container.0, &images.alone.0]);
    let archive = succeed(Command::new("docker").args(["export", &container.0]), b"").stdout;
    let listing = succeed(Command::new("tar").arg("-t"), &archive);
    let listing = String::from_utf8(listing.stdout).expect("names in UTF-8");
    // The engine adds mount points for /dev, /proc, /sys and the files of /etc that it writes itself.
    let engines_own = [".dockerenv", "dev/", "etc/", "proc/", "sys/"];
    let ours: Vec<&str> = listing.lines().filter(|path| !engines_own.iter().any(|own| path.starts_with(own))).collect();
    assert_eq!(ours, ["bandog"], "{listing}");

    let version = docker(["run", "--rm", "--name", &name("version"), &images.alone.0, "--version"]);
    assert_eq!(version, concat!("bandog ", env!("CARGO_PKG_VERSION")));
    let help = docker(["run", "--rm", "--name", &name("help"), &images.alone.0, "--help"]);
    assert!(help.contains("install"), "{help}");
}

#[test]
fn the_example_answers_on_its_published_port() {
    let Some(images) = images() else { return };
    let container = Container::example("published", &[], &images);
    let answer = container.post(&encode("hello, world\n")).expect(200);
    assert_eq!(answer.wants("x-output-kind"), "file");
    assert_eq!(shown(&answer.decoded()), "HELLO, WORLD\n");
}

#[test]
fn the_example_works_read_only_in_64_mib_for_a_user_without_a_name() {
    let Some(images) = images() else { return };
    let limits = ["--read-only", "--tmpfs", "/tmp", "--memory", "64m", "--memory-swap", "64m", "--user", "12345:12345"];
    let container = Container::example("strict", &limits, &images);
    assert_eq!(container.exec(&["id", "-un"]).status.code(), Some(1), "the user has a name");

    // The temporary file system counts against the limit: 8 MiB in and 8 MiB out leave 48 MiB for everything else.
    let input = "all work and no play\n".repeat(8 * 1024 * 1024 / 21);
    for _ in 0..3 {
        let answer = container.post(&encode(&input)).expect(200);
        assert!(answer.decoded() == input.to_uppercase().into_bytes(), "{answer}");
    }
    assert_eq!(container.inspect("{{.State.OOMKilled}} {{.State.Running}} {{.RestartCount}}"), "false true 0");
    // One directory of the listener's own may stay; whatever an invocation had is below it.
    eventually("a temporary file system without a workspace", || {
        container.exec(&["find", "/tmp", "-mindepth", "2"]).stdout.is_empty().then_some(())
    });
}

#[test]
fn the_health_check_of_the_example_turns_healthy() {
    let Some(images) = images() else { return };
    // The command is the image's; only the waiting is shorter.
    let container = Container::example("health", &["--health-interval", "1s"], &images);
    eventually("a healthy container", || (container.inspect("{{.State.Health.Status}}") == "healthy").then_some(()));

    // A probe that can't fail would prove nothing.
    let astray = container.exec(&["bandog", "health", "--url", "http://127.0.0.1:9"]);
    assert_eq!(astray.status.code(), Some(1), "{}", shown(&astray.stderr));
}

#[test]
fn docker_stop_in_mid_invocation_still_delivers_the_answer() {
    let Some(images) = images() else { return };
    // Several MiB, so that a listener that leaves before the client has read them all is found out.
    let slow = r#"
        : >/tmp/started
        until [ -e /tmp/go ]; do sleep 0.05; done
        yes "the answer" | head -c 8388608 >"$TMP_OUTPUT_DIR/answer"
    "#;
    let container = Container::function("drain", slow, &images);
    thread::scope(|scope| {
        let client = scope.spawn(|| container.post(""));
        eventually("a started function", || {
            container.exec(&["test", "-e", "/tmp/started"]).status.success().then_some(())
        });

        let stop = scope.spawn(|| docker(["stop", "--time", STOP_TIMEOUT, &container.0]));
        eventually("a container that drains", || {
            (!container.exec(&["bandog", "health", "--ready"]).status.success()).then_some(())
        });
        assert!(!client.is_finished(), "the answer came before the function wrote it");
        assert!(container.exec(&["touch", "/tmp/go"]).status.success(), "the container was gone in mid-invocation");

        let answer = client.join().expect("an answer").expect(200);
        let answer = answer.decoded();
        assert_eq!(answer.len(), 8 * 1024 * 1024);
        assert!(answer.chunks(11).all(|line| b"the answer\n".starts_with(line)), "not what the function wrote");
        stop.join().expect("docker stop");
    });
    assert_eq!(container.inspect("{{.State.ExitCode}} {{.State.OOMKilled}}"), "0 false", "{}", container.logs());
}

#[test]
fn docker_stop_ends_an_idle_container_at_once() {
    let Some(images) = images() else { return };
    let container = Container::example("idle", &[], &images);
    let began = Instant::now();
    docker(["stop", "--time", STOP_TIMEOUT, &container.0]);
    let took = began.elapsed();
    assert!(took < IDLE_STOP, "docker stop took {took:?}\n{}", container.logs());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

#[test]
fn as_process_1_it_reaps_every_orphan() {
    let Some(images) = images() else { return };
    // Three orphans a time: in the function's process group, in a session of its own, and one that was a grandchild.
    let orphans = "sleep 0.2 & setsid sleep 0.3 & (setsid sh -c 'sleep 0.1 & sleep 0.2' &)";
    let container = Container::function("orphans", orphans, &images);
    assert_eq!(container.exec(&["readlink", "/proc/1/exe"]).stdout, b"/usr/local/bin/bandog\n");
    for _ in 0..10 {
        container.post("").expect(200);
    }
    eventually("a container with one process and no zombie", || container.strangers().is_empty().then_some(()));
}

#[test]
fn a_function_that_the_kernel_kills_for_want_of_memory_is_named() {
    let Some(images) = images() else { return };
    // All of its memory in one process, which is then the largest of the container; as itself, as the child of a
    // shell that tells by its exit code, and killed for another reason.
    let script = r#"
        case $(cat "$INPUT_FILE_PATH") in
            itself) exec tail /dev/zero ;;
            child) tail /dev/zero; exit $? ;;
            other) kill -KILL $$ ;;
        esac
    "#;
    let options = ["--entrypoint", "bandog", "--memory", "64m", "--memory-swap", "64m"];
    let container = Container::run("memory", &options, &images.example.0, &["serve", "--", "sh", "-c", script]);
    container.wait_until_ready("bandog");
    for (input, word) in [("itself", "out-of-memory"), ("other", "function-killed"), ("child", "out-of-memory")] {
        let answer = container.post(&encode(input));
        answer.problem(500);
        assert_eq!(answer.wants("x-bandog-error"), word, "{input}: {answer}\n{}", container.logs());
    }
    assert!(container.logs().contains("the function was killed by the kernel: out of memory"), "{}", container.logs());
    let metrics = container.get("/_/metrics").expect(200);
    assert!(metrics.text().contains("bandog_function_outcomes_total{outcome=\"out-of-memory\"} 2"), "{metrics}");
}

#[test]
fn a_function_runs_as_another_user_with_what_a_container_has() {
    let Some(images) = images() else { return };
    let script = r#"id -u; echo x >"$TMP_OUTPUT_DIR/x"; chmod 0 "$TMP_OUTPUT_DIR/x"; id -u >"$TMP_OUTPUT_DIR/id""#;
    let options = ["--entrypoint", "bandog", "--user", "0:0"];
    let arguments = ["serve", "--user", "1234:1235", "--max-processes", "20", "--", "sh", "-c", script];
    let container = Container::run("user", &options, &images.example.0, &arguments);
    container.wait_until_ready("bandog");
    assert_eq!(container.post("").expect(200).wants("x-output-kind"), "zip");
    eventually("a file system without a workspace", || {
        container.exec(&["find", "/tmp", "-mindepth", "1", "-name", "bandog-*"]).stdout.is_empty().then_some(())
    });
}

#[test]
fn as_process_1_it_leaves_nothing_of_a_function_behind_its_answer() {
    let Some(images) = images() else { return };
    // Without environment, without descriptors, and one of another user, into which bandog may not look here.
    let script = r#"
        (cd / && exec env -i setsid sh -c 'sleep 1000 & exec sleep 1000' <&- >&- 2>&- &)
        env -i setsid setpriv --reuid 64001 --clear-groups sleep 1000 &
        sh -c 'kill -STOP $$' &
        until [ "$(grep -c '(sleep)' /proc/[0-9]*/stat | grep -c :1)" = 3 ]; do sleep 0.05; done
    "#;
    let options = ["--entrypoint", "bandog", "--user", "0"];
    let container = Container::run("outlive", &options, &images.example.0, &["serve", "--", "sh", "-c", script]);
    container.wait_until_ready("bandog");
    for _ in 0..3 {
        container.post("").expect(200);
        // The dead may wait for the reaper a moment longer.
        let living = |line: &String| !line.contains(") Z ");
        assert_eq!(container.strangers().into_iter().filter(living).collect::<Vec<_>>(), [""; 0]);
    }
    eventually("no zombie", || container.strangers().is_empty().then_some(()));
}

#[test]
fn a_binary_installed_into_a_volume_serves_another_image() {
    let Some(images) = images() else { return };
    let volume = Volume(name("volume"));
    docker(["volume", "create", &volume.0]);
    let mount = format!("{}:/vol", volume.0);
    docker(["run", "--rm", "--name", &name("install"), "--volume", &mount, &images.alone.0, "install", "/vol"]);
    // Once more over the first, as an init container that is started again does.
    docker(["run", "--rm", "--name", &name("again"), "--volume", &mount, &images.alone.0, "install", "/vol"]);

    let read_only = format!("{mount}:ro");
    let other = |purpose: &str, entrypoint: &str, arguments: &[&str]| {
        let start = ["run", "--rm", "--name", &name(purpose), "--volume", &read_only, "--entrypoint", entrypoint];
        docker(start.into_iter().chain([images.base.as_str()]).chain(arguments.iter().copied()))
    };
    assert_eq!(other("listing", "/bin/ls", &["-A", "/vol"]), "bandog\nfwatchdog\nsupervisor");
    let command = ["run", "--text-input", "on the command line", "--", "sh", "-c", r#"cat "$INPUT_FILE_PATH""#];
    let said = other("run", "/vol/bandog", &command);
    assert!(said.contains("on the command line"), "{said}");

    let options = ["--volume", &read_only, "--entrypoint", "/vol/bandog", "--read-only", "--tmpfs", "/tmp"];
    let container = Container::run("guest", &options, &images.base, &["serve", "--", "sh", "-c", UPPER]);
    container.wait_until_ready("/vol/bandog");
    assert_eq!(shown(&container.post(&encode("from a volume")).expect(200).decoded()), "FROM A VOLUME");
}

/// The images under test, removed when the last test that uses them is done.
struct Images {
    /// From `Dockerfile`: the binary alone.
    alone: Image,
    /// From `Dockerfile.example`, as it stands.
    example: Image,
    /// A small Debian, which stays as a cache.
    base: String,
}

impl Images {
    fn build() -> Self {
        script("scripts/build.sh");
        let base = script("scripts/base-image.sh");
        let alone = Image(name("alone"));
        docker(["build", "--quiet", "--force-rm", "--tag", &alone.0, "."]);
        let example = Image(name("example"));
        let ours = format!("BANDOG_IMAGE={}", alone.0);
        let debian = format!("BASE={base}");
        let build = ["build", "--quiet", "--force-rm", "--tag", &example.0, "--file", "Dockerfile.example"];
        docker(build.into_iter().chain(["--build-arg", &ours, "--build-arg", &debian, "deploy/example"]));
        Self { alone, example, base }
    }
}

/// Builds the images, or shares those that another test is using; `None` where there is no engine.
fn images() -> Option<Arc<Images>> {
    static SHARED: Mutex<Weak<Images>> = Mutex::new(Weak::new());
    static ENGINE: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(reason) = ENGINE.get_or_init(engine) {
        did_not_run("image tests", reason);
        return None;
    }
    // A test that failed to build them has poisoned the lock and left nothing in it: the next one tries again.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    Some(shared.upgrade().unwrap_or_else(|| {
        let images = Arc::new(Images::build());
        *shared = Arc::downgrade(&images);
        images
    }))
}

/// Whether an engine answers; if not, why.
fn engine() -> Result<(), String> {
    let output = Command::new("docker").args(["info", "--format", "{{.ServerVersion}}"]).output();
    let reason = match output {
        Ok(output) if output.status.success() && !output.stdout.trim_ascii().is_empty() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("no word").trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!("no Docker engine answers (docker info: {reason})"))
}

/// A name that no other process uses.
fn name(purpose: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("bandog-test-{}-{purpose}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A Docker command that must succeed, in the root of the repository; its standard output without the last line end.
#[track_caller]
fn docker<'a>(arguments: impl IntoIterator<Item = &'a str>) -> String {
    let output = succeed(Command::new("docker").args(arguments), b"");
    String::from_utf8(output.stdout).expect("text from docker").trim_end().to_owned()
}

/// A script of the repository that must succeed; its standard output without the last line end.
#[track_caller]
fn script(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let output = succeed(&mut Command::new(path), b"");
    String::from_utf8(output.stdout).expect("text from a script").trim_end().to_owned()
}

/// Runs a command with this standard input; a panic with all it said unless it succeeds.
#[track_caller]
fn succeed(command: &mut Command, input: &[u8]) -> Output {
    let output = observe(command, input);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        shown(&output.stdout),
        shown(&output.stderr)
    );
    output
}

/// Runs a command with this standard input to its end, whatever that is.
#[track_caller]
fn observe(command: &mut Command, input: &[u8]) -> Output {
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        // On a thread of its own, since the child may want to be read before it reads on. One that reads nothing at
        // all says so by its status.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap_or_else(|error| panic!("cannot wait for {command:?}: {error}"))
    })
}

/// An image, removed at the end.
struct Image(String);

impl Drop for Image {
    fn drop(&mut self) {
        remove(&["rmi", "--force", &self.0]);
    }
}

/// A volume, removed at the end.
struct Volume(String);

impl Drop for Volume {
    fn drop(&mut self) {
        remove(&["volume", "rm", "--force", &self.0]);
    }
}

/// A container, removed at the end.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{} said:\n{}\nits processes:\n{}", self.0, self.logs(), self.processes());
        }
        remove(&["rm", "--force", "--volumes", &self.0]);
    }
}

/// Removes something without a panic, which would end the process if another one is on its way.
fn remove(arguments: &[&str]) {
    if let Ok(output) = Command::new("docker").args(arguments).output()
        && !output.status.success()
    {
        eprintln!("docker {arguments:?}: {}", shown(&output.stderr));
    }
}

impl Container {
    /// Starts the example's image as it stands, with these options of `docker run`, and waits until it is ready.
    #[track_caller]
    fn example(purpose: &str, options: &[&str], images: &Images) -> Self {
        let container = Self::run(purpose, options, &images.example.0, &[]);
        container.wait_until_ready("bandog");
        container
    }

    /// The same with another function: `sh -c SCRIPT`.
    #[track_caller]
    fn function(purpose: &str, script: &str, images: &Images) -> Self {
        let arguments = ["serve", "--", "sh", "-c", script];
        let container = Self::run(purpose, &["--entrypoint", "bandog"], &images.example.0, &arguments);
        container.wait_until_ready("bandog");
        container
    }

    /// Starts a container with port 8080 published on a free port of this machine.
    #[track_caller]
    fn run(purpose: &str, options: &[&str], image: &str, arguments: &[&str]) -> Self {
        let container = Self(name(purpose));
        let start = ["run", "--detach", "--name", &container.0, "--publish", "127.0.0.1::8080"];
        docker(start.into_iter().chain(options.iter().copied()).chain([image]).chain(arguments.iter().copied()));
        container
    }

    /// Asks with bandog's own probe, since the engine accepts connections before anyone listens behind them.
    #[track_caller]
    fn wait_until_ready(&self, bandog: &str) {
        eventually("a listener that is ready", || {
            let state = self.inspect("{{.State.Status}} {{.State.ExitCode}}");
            assert_eq!(state, "running 0", "{}", self.logs());
            self.exec(&[bandog, "health", "--ready"]).status.success().then_some(())
        });
    }

    /// Runs a command in the container.
    #[track_caller]
    fn exec(&self, command: &[&str]) -> Output {
        observe(Command::new("docker").args(["exec", &self.0]).args(command), b"")
    }

    /// Sends a body without a type to the published port.
    #[track_caller]
    fn post(&self, body: &str) -> Answer {
        Request::new(self.address(), "POST", "/").body(body).send()
    }

    /// Gets a page from the published port.
    #[track_caller]
    fn get(&self, page: &str) -> Answer {
        Request::new(self.address(), "GET", page).send()
    }

    /// Where port 8080 is published on this machine.
    #[track_caller]
    fn address(&self) -> SocketAddr {
        let port = docker(["port", &self.0, "8080/tcp"]);
        port.parse().unwrap_or_else(|error| panic!("{port}: {error}"))
    }

    /// A field of what the engine knows about it.
    #[track_caller]
    fn inspect(&self, format: &str) -> String {
        docker(["inspect", "--format", format, &self.0])
    }

    /// All it has written, for messages.
    fn logs(&self) -> String {
        match Command::new("docker").args(["logs", &self.0]).output() {
            Ok(output) => shown(&[output.stdout, output.stderr].concat()),
            Err(error) => error.to_string(),
        }
    }

    /// The processes of the container, zombies too, as lines of `/proc/PID/stat`.
    fn processes(&self) -> String {
        let stats = self.exec(&["sh", "-c", "cat /proc/[0-9]*/stat"]);
        String::from_utf8_lossy(&stats.stdout).into_owned()
    }

    /// The processes but for process 1 and what `docker exec` has started.
    #[track_caller]
    fn strangers(&self) -> Vec<String> {
        let stats = self.processes();
        assert!(stats.starts_with("1 ") || stats.contains("\n1 "), "no process 1: {stats}");
        // proc(5): "pid (name) state parent …", where the name may hold anything, a closing parenthesis too.
        let fields = |line: &str| {
            let (head, tail) = line.rsplit_once(") ").unwrap_or_else(|| panic!("not a line of /proc/PID/stat: {line}"));
            let id: u32 = head.split(' ').next().and_then(|id| id.parse().ok()).expect("a process id");
            let parent: u32 = tail.split(' ').nth(1).and_then(|id| id.parse().ok()).expect("a parent's id");
            (id, parent)
        };
        // The parent of a process that the engine put there is outside, which reads 0.
        let visitors: Vec<u32> =
            stats.lines().map(fields).filter(|(id, up)| *up == 0 && *id != 1).map(|(id, _)| id).collect();
        let ours = |line: &&str| {
            let (id, parent) = fields(line);
            id != 1 && !visitors.contains(&id) && !visitors.contains(&parent)
        };
        stats.lines().filter(ours).map(str::to_owned).collect()
    }
}

//! The command line: what each command does, prints and exits with.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio};

use rustix::process::Signal;

use crate::harness::{
    Command,
    archive::{names, unzip},
    bandog,
    command::{BINARY, fresh},
    decode, encode, eventually, fixture, function, listing, marked, noise, program, serve, serve_command,
    server::MARK,
    signal,
};

const COMMANDS: [&str; 10] =
    ["serve", "run", "call", "check", "actions", "health", "install", "init", "completions", "man"];

/// `bandog run` of a shell command, in a workspace of its own.
fn run(flags: &[&str], command: &str) -> Command {
    bandog(["run", "--log-level", "CRITICAL"]).with_workspace().args(flags).args(["--", "/bin/sh", "-c", command])
}

#[test]
fn help_has_examples() {
    let help = bandog(["--help"]).run().expect(0);
    for command in COMMANDS {
        assert!(help.text().contains(command), "{command} in {help}");
    }
    assert!(help.text().to_lowercase().contains("example"), "{help}");
    for command in COMMANDS {
        let help = bandog([command, "--help"]).run().expect(0);
        assert!(help.text().contains("bandog ") && help.text().to_lowercase().contains("example"), "{help}");
    }
    let serve = bandog(["serve", "--help"]).run().expect(0);
    for flag in [
        "--listen",
        "--address-file",
        "--metrics",
        "--script",
        "--service",
        "--config",
        "--log-level",
        "--log-format",
        "--exec-timeout",
        "--kill-grace",
        "--max-inflight",
        "--max-queue",
        "--queue-timeout",
        "--max-body",
        "--read-timeout",
        "--token",
        "--token-file",
        "--workspace",
        "--shutdown-delay",
        "--drain-timeout",
        "--max-logs",
        "--forward-logs",
        "--stdin",
    ] {
        assert!(serve.text().contains(flag), "{flag} in {serve}");
    }
    let version = bandog(["--version"]).run().expect(0);
    assert!(version.text().contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn the_short_help_has_what_most_users_change_and_the_long_one_has_all() {
    let help = |words: &[&str]| bandog(words).env("COLUMNS", "80").run().expect(0).text().to_owned();
    let flags = |text: &str| text.lines().filter(|line| line.starts_with("      --")).count();
    for command in ["serve", "run", "check"] {
        let (short, long) = (help(&[command, "-h"]), help(&[command, "--help"]));
        assert!(short.lines().count() * 3 < long.lines().count(), "{command}: {short}");
    }
    let short = help(&["-h"]);
    assert_eq!(flags(&short), 8, "{short}");
    assert!(short.lines().count() <= 60 && short.matches("\n  bandog ").count() == 3, "{short}");
    assert!(flags(&help(&["--help"])) > 40);
    for (command, form) in [("run", "-h"), ("run", "--help"), ("call", "-h"), ("call", "--help")] {
        let text = help(&[command, form]);
        for flag in ["--listen", "--token-file", "--max-queue", "--metrics", "--drain-timeout", "--read-timeout"] {
            assert!(!text.contains(flag), "{command} {form} has {flag}: {text}");
        }
    }
    // An environment, or a wrapper, may be the same for both.
    run(&["-i", "x", "--listen", ":0", "--max-queue", "3"], "true").run().expect(0);
}

#[test]
fn an_example_is_printed_as_it_is_to_be_typed_however_narrow_the_terminal_is() {
    for width in ["30", "80", "200"] {
        let help = bandog(["--help"]).env("COLUMNS", width).run().expect(0);
        let line = "  bandog run ./ocr.sh -f page.png --content-type image/png -o page.txt";
        assert!(help.text().lines().any(|found| found == line), "{help}");
        assert!(!help.text().contains('\u{a0}'), "{help}");
        let run = bandog(["help", "run"]).env("COLUMNS", width).run().expect(0);
        let line = "  bandog run ./ocr.sh -f page.png -o page.txt     a file is the input, as with `bandog call`";
        assert!(run.text().lines().any(|found| found == line), "{run}");
    }
}

#[test]
fn help_fits_a_terminal() {
    for command in COMMANDS {
        let help = bandog([command, "--help"]).env("COLUMNS", "100").run().expect(0);
        let widest = help.text().lines().map(|line| line.chars().count()).max().unwrap_or(0);
        assert!(widest <= 120, "{widest} columns: {help}");
    }
}

#[test]
fn completions_are_scripts_of_their_shells() {
    let bash = bandog(["completions", "bash"]).run().expect(0);
    assert!(bash.text().contains("--exec-timeout"), "{bash}");
    program("bash").args(["-n", "/dev/stdin"]).stdin(&bash.stdout).run().expect(0);
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let ran = bandog(["completions", shell]).run().expect(0);
        assert!(ran.text().contains("bandog") && ran.text().contains("health"), "{shell}: {ran}");
    }
    assert_ne!(bandog(["completions", "no-such-shell"]).run().code(), 0);
}

/// The words that bash offers after a command line.
fn completed(line: &str) -> Vec<String> {
    let script = bandog(["completions", "bash"]).run().expect(0);
    let complete = r#"
        source ./bandog.bash
        eval "bandog() { '$BINARY' \"\$@\"; }"
        read -ra COMP_WORDS <<<"$LINE"
        [[ "$LINE" != *' ' ]] || COMP_WORDS+=("")
        COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
        complete -p bandog >/dev/null
        function=$(complete -p bandog | sed 's/.*-F \([^ ]*\).*/\1/')
        "$function" bandog "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let bash = program("bash").args(["-c", complete]).env("LINE", line).env("BINARY", BINARY);
    let bash = bash.file("bandog.bash", script.text()).service("counter").run().expect(0);
    bash.text().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_values_and_actions() {
    assert_eq!(completed("bandog --mode "), ["files", "stdio", "streaming", "http", "static"]);
    assert_eq!(completed("bandog serve --log-level "), ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]);
    assert_eq!(completed("bandog run --mode st"), ["stdio", "streaming", "static"]);
    assert_eq!(completed("bandog check --forms r"), ["raw"]);
    assert!(completed("bandog ").contains(&"health".to_owned()));
    assert!(completed("bandog run --max-p").contains(&"--max-processes".to_owned()));
    assert_eq!(completed("bandog completions ba"), ["bash"]);
    let names = bandog(["actions", "--format", "names"]).service("counter").run().expect(0);
    let names: Vec<&str> = names.text().lines().collect();
    assert!(!names.is_empty());
    let offered = completed("bandog run ");
    assert!(names.iter().all(|name| offered.iter().any(|word| word == name)), "{names:?} in {offered:?}");
}

#[test]
fn the_manual_page_is_one_that_man_can_show() {
    let page = bandog(["man"]).run().expect(0);
    assert!(page.text().contains(".TH bandog 1") && page.text().contains("\\-\\-exec\\-timeout"), "{page}");
    // Every line is text, or a macro of man(7).
    let macros = [".TH", ".SH", ".SS", ".PP", ".TP", ".RS", ".RE", ".nf", ".fi", ".ie", ".el", ".IP", ".br"];
    for line in page.text().lines().filter(|line| line.starts_with('.')) {
        assert!(macros.contains(&line.split(' ').next().unwrap_or_default()), "{line}");
    }
}

#[test]
fn check_tells_every_value_and_where_it_came_from() {
    let ran = bandog(["check", "--exec-timeout", "90s", "--token", "t0p-s3cret"])
        .with_workspace()
        .env("BANDOG_MAX_INFLIGHT", "7")
        .env("LOG_LEVEL", "error")
        .env("FUNCTION_CONFIG", encode("name: configured\nunknown_key: fine\n"))
        .args(["--", "/bin/true"])
        .run()
        .expect(0);
    let line = |name: &str| {
        let found = ran.text().lines().find(|line| line.contains(name));
        found.unwrap_or_else(|| panic!("no {name} in {ran}")).to_owned()
    };
    for (name, value, origin) in [
        ("exec-timeout", "1m30s", "--exec-timeout"),
        ("max-inflight", "7", "BANDOG_MAX_INFLIGHT"),
        ("log-level", "ERROR", "LOG_LEVEL"),
        ("service", "configured", "FUNCTION_CONFIG"),
        ("max-body", "1", "default"),
    ] {
        let line = line(name).replace("90s", "1m30s").replace("error", "ERROR");
        assert!(line.contains(value) && line.contains(origin), "{name}: wanted {value} from {origin} in {line:?}");
    }
    assert!(!ran.text().contains("t0p-s3cret"), "{ran}");
    assert!(ran.text().contains("/bin/true"), "{ran}");
}

#[test]
fn check_tells_every_mistake_at_once() {
    let ran = bandog(["check", "--exec-timeout", "soon", "--max-body", "1XiB", "--listen", "nowhere"])
        .env("BANDOG_MAX_INFLIGHT", "many")
        .env("BANDOG_LOG_LEVEL", "LOUD")
        .args(["--workspace", "/no/such/directory"])
        .run()
        .expect(78);
    for (name, value) in [
        ("exec-timeout", "soon"),
        ("max-body", "1XiB"),
        ("listen", "nowhere"),
        ("MAX_INFLIGHT", "many"),
        ("LOG_LEVEL", "LOUD"),
        ("workspace", "/no/such/directory"),
    ] {
        let said = [ran.stdout.as_slice(), &ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let found = said.lines().any(|line| {
            line.to_uppercase().replace('-', "_").contains(&name.to_uppercase().replace('-', "_"))
                && line.contains(value)
        });
        assert!(found, "no line on {name} with {value:?}: {ran}");
    }
}

#[test]
fn serve_and_run_refuse_the_same_mistakes() {
    for command in ["serve", "run"] {
        let ran = bandog([command, "--exec-timeout", "soon", "--max-logs", "huge"])
            .with_workspace()
            .args(["--", "/bin/true"])
            .run()
            .expect(78);
        assert!(ran.complaint().contains("soon") && ran.complaint().contains("huge"), "{ran}");
    }
    let unknown = bandog(["serve", "--no-such-flag", "--", "/bin/true"]).run();
    assert!(unknown.code() != 0 && unknown.complaint().contains("--no-such-flag"), "{unknown}");
}

#[test]
fn an_unknown_variable_of_ours_is_a_warning() {
    let server = serve_command("echo x").env("BANDOG_EXEC_TIMEOUTS", "5m").start();
    server.log_line("the variable", |line| line.contains("WARN") && line.contains("BANDOG_EXEC_TIMEOUTS"));
}

#[test]
fn precedence_is_flag_then_environment_then_platform_then_file_then_default() {
    let config = encode("name: from-file\nlog_level: ERROR\n");
    let value = |command: Command, name: &str| {
        let ran = command.with_workspace().args(["--", "/bin/true"]).run().expect(0);
        ran.text().lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name} in {ran}")).to_owned()
    };
    let base = || bandog(["check"]).env("FUNCTION_CONFIG", &config);
    assert!(value(base(), "service").contains("from-file"));
    let platform = || base().env("OSCAR_SERVICE_NAME", "from-platform");
    assert!(value(platform(), "service").contains("from-platform"));
    let environment = || platform().env("BANDOG_SERVICE", "from-environment");
    assert!(value(environment(), "service").contains("from-environment"));
    assert!(value(environment().args(["--service", "from-flag"]), "service").contains("from-flag"));
    assert!(value(bandog(["check"]), "log-level").contains("INFO"));
    assert!(value(base(), "log-level").contains("ERROR"));
}

#[test]
fn the_configuration_file_of_oscar_is_read() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().join("function_config.yaml");
    fs::write(&path, "name: yaml-named\nlog_level: CRITICAL\nimage: whatever\nmemory: 1Gi\ninput: []\n")
        .expect("writable");
    let server = serve_command("echo quiet").arg_path("--config", &path).start();
    assert_eq!(server.get("/run/yaml-named").send().expect(200).text(), "quiet\n");
    server.get("/run/other").send().problem(404);
    fs::write(&path, "name: [unclosed\n").expect("writable");
    let ran = bandog(["check", "--config"]).arg(&path).with_workspace().args(["--", "/bin/true"]).run().expect(78);
    assert!(format!("{ran}").contains("function_config.yaml"), "{ran}");
}

#[test]
fn a_script_can_come_from_everywhere() {
    let script = |word: &str| encode(format!("#!/bin/sh\necho {word}; cat \"$INPUT_FILE_PATH\"\n"));
    let quiet = ["--log-level", "CRITICAL"];
    let from_environment = bandog(["run"]).args(quiet).with_workspace().env("SCRIPT", script("environment"));
    assert_eq!(from_environment.stdin("e30=").run().expect(0).text(), "environment\n{}");
    let positional = bandog(["run"]).args(quiet).with_workspace().arg(function("echo.sh")).env("SCRIPT", script("no"));
    assert_eq!(positional.stdin("{}").run().expect(0).text(), "{}");
    let split = bandog(["run"]).args(quiet).with_workspace().env("fprocess", "/bin/echo 'one  word' two");
    assert_eq!(split.stdin("{}").run().expect(0).text(), "one  word two\n");
    let command = run(&[], "echo command").env("SCRIPT", script("no")).env("fprocess", "/bin/echo no");
    assert_eq!(command.run().expect(0).text(), "command\n");
    let home = tempfile::tempdir().expect("a temporary directory");
    let plain = home.path().join("plain");
    fs::write(&plain, "echo by sh\n").expect("writable");
    let plain = bandog(["run"]).args(quiet).with_workspace().arg("--script").arg(&plain);
    assert_eq!(plain.run().expect(0).text(), "by sh\n");
}

#[test]
fn run_reads_its_event_from_standard_input() {
    let cat = "cat \"$INPUT_FILE_PATH\"";
    assert_eq!(run(&[], cat).stdin("SGVsbG8=").run().expect(0).text(), "Hello");
    assert_eq!(run(&[], cat).stdin("{\"a\": 1}").run().expect(0).text(), "{\"a\": 1}");
    assert_eq!(run(&[], cat).stdin("").run().expect(0).text(), "");
}

#[test]
fn run_takes_a_file_or_a_text_as_it_is() {
    let cat = "cat \"$INPUT_FILE_PATH\"";
    let bytes = noise(100_000);
    for flag in ["--input", "-f", "--file-input"] {
        let command = run(&[flag, "input.bin"], cat);
        fs::write(command.home().join("input.bin"), &bytes).expect("writable");
        assert!(command.run().expect(0).stdout == bytes, "{flag}");
    }
    for flag in ["--text-input", "-i"] {
        for text in ["Hello World", "{\"a\":  1}", "ñandú"] {
            assert_eq!(run(&[flag, text], cat).run().expect(0).text(), text, "{flag}");
        }
    }
    let missing = run(&["--input", "missing.bin"], cat).run();
    assert!(missing.code() != 0 && missing.complaint().contains("missing.bin"), "{missing}");
    let both = run(&["--input", "a", "--text-input", "b"], cat).run();
    assert_ne!(both.code(), 0, "{both}");
}

#[test]
fn run_writes_the_decoded_result() {
    let one = r#"printf 'a\0b' >"$TMP_OUTPUT_DIR/one.bin"; echo logged"#;
    let two = r#"mkdir "$TMP_OUTPUT_DIR/d"; printf 1 >"$TMP_OUTPUT_DIR/d/1"; printf 2 >"$TMP_OUTPUT_DIR/2"; chmod 750 "$TMP_OUTPUT_DIR/2""#;
    assert_eq!(run(&[], one).run().expect(0).text(), encode("a\0b"));
    for flag in ["--output", "-o"] {
        let ran = run(&[flag, "result"], one).run().expect(0);
        assert_eq!(fs::read(ran.home().join("result")).expect("a file"), b"a\0b", "{ran}");
        assert_eq!(ran.text(), "", "nothing else on stdout");
    }
    let ran = run(&["--output", "result.zip"], two).run().expect(0);
    let archive = fs::read(ran.home().join("result.zip")).expect("a zip");
    assert_eq!(names(&unzip(&archive)), ["2", "d/1"], "{ran}");
    assert_eq!(names(&unzip(&decode(run(&[], two).run().expect(0).stdout))), ["2", "d/1"]);

    let ran = run(&["--output", "result"], two).run().expect(0);
    let at = |name: &str| ran.home().join("result").join(name);
    assert_eq!(
        (fs::read(at("d/1")).expect("a file"), fs::read(at("2")).expect("a file")),
        (b"1".to_vec(), b"2".to_vec())
    );
    assert_eq!(fs::metadata(at("2")).expect("metadata").permissions().mode() & 0o777, 0o750, "modes are kept");

    let ran = run(&["--output", "logs.txt"], "printf 'only logs'").run().expect(0);
    assert_eq!(fs::read(ran.home().join("logs.txt")).expect("a file"), b"only logs", "{ran}");
}

#[test]
fn run_leaves_no_output_behind_when_it_fails() {
    let ran = run(&["--output", "result"], r#"printf x >"$TMP_OUTPUT_DIR/x"; exit 3"#).run().expect(3);
    assert!(!ran.home().join("result").exists(), "{ran}");
}

#[test]
fn run_ends_as_its_function_ends() {
    for code in [0, 1, 3, 64, 255] {
        run(&[], &format!("exit {code}")).run().expect(code);
    }
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
        let ran = run(&[], &format!("kill -s {signal} $$")).run();
        assert_eq!(ran.code(), code, "{ran}");
    }
    let ran = run(&[], "echo visible; echo reason >&2; exit 3").run().expect(3);
    let said = format!("{}{}", ran.text(), ran.complaint());
    assert!(said.contains("visible") && said.contains("reason"), "{ran}");
}

#[test]
fn run_tells_bad_input_from_bad_configuration() {
    let ran = run(&[], "echo started").stdin("not base64!").run().expect(65);
    assert!(ran.complaint().contains("offset"), "{ran}");
    assert!(!ran.text().contains("started") && ran.text().contains("\"status\":400"), "as HTTP would send it: {ran}");
    bandog(["run"]).with_workspace().stdin("{}").run().expect(78);
    run(&["--workspace", "/no/such/directory"], "true").run();
    let ran = run(&["--exec-timeout", "1s", "--kill-grace", "1s"], "sleep 1000").run();
    assert!(ran.code() != 0 && !ran.stderr.is_empty(), "{ran}");
}

#[test]
fn run_told_to_stop_ends_its_function_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut running = fresh(BINARY)
            .args(["run", "--workspace"])
            .arg(home.path())
            .arg("--script")
            .arg(function("hold.sh"))
            .env("SCRATCH", home.path())
            .env(MARK, home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let names = || listing(home.path());
        eventually("the function", || names().iter().any(|name| name.starts_with("started.")).then_some(()));
        crate::harness::signal(running.id(), signal);
        let status = running.wait().expect("waitable");
        assert_eq!(status.code(), Some(143), "{signal:?}");
        assert!(names().iter().any(|name| name.starts_with("term.")), "it was asked first: {:?}", names());
        assert!(!names().iter().any(|name| name.starts_with("bandog-")), "{signal:?} left {:?}", names());
        assert_eq!(marked(&home.path().to_string_lossy()), [0; 0], "{signal:?} left processes");
    }
}

#[test]
fn run_tells_that_its_result_could_not_be_written() {
    let shell = "echo e30= | \"$0\" run -- /bin/echo result >/dev/full";
    let ran = program("sh").args(["-c", shell, BINARY]).run().expect(74);
    assert!(ran.complaint().contains("standard output"), "{ran}");
    // A reader that leaves early is no news.
    let shell = "echo e30= | \"$0\" run --log-level CRITICAL -- /usr/bin/seq 1000000 | head -n 1";
    let ran = program("sh").args(["-c", shell, BINARY]).run().expect(0);
    assert_eq!((ran.text(), ran.complaint()), ("1\n", ""), "{ran}");
}

#[test]
fn call_sends_and_decodes() {
    let server = serve(function("copy.sh")).args(["--token", "t0ken"]).start();
    let bytes = noise(1_000_001);
    for flag in ["--token", "-t"] {
        let command =
            bandog(["call", &server.url("/run/copy"), flag, "t0ken", "--input", "in.bin", "--output", "out.bin"]);
        fs::write(command.home().join("in.bin"), &bytes).expect("writable");
        let ran = command.run().expect(0);
        assert!(fs::read(ran.home().join("out.bin")).expect("a file") == bytes, "{ran}");
        assert_eq!(ran.complaint(), "", "no progress bar where nobody sees it");
    }
    let ran = bandog(["call", &server.url("/"), "-t", "t0ken", "-i", "Hello"]).run().expect(0);
    assert_eq!(ran.text(), "Hello", "decoded on stdout too");
    let ran = bandog(["call", &server.url("/"), "-i", "Hello"]).env("BANDOG_TOKEN", "t0ken").run();
    assert!(ran.code() == 0 || ran.complaint().contains("401"), "{ran}");
}

#[test]
fn call_sends_fields() {
    let server = serve_command("echo \"$Http_X_Colour $Http_X_Size $CALL_ID\"").quiet().start();
    let fields = ["--header", "X-Colour: blue", "--header", "X-Size:7", "--header", "X-Call-Id: mine"];
    let ran = bandog(["call", &server.url("/")]).args(fields).args(["--text-input", ""]).run().expect(0);
    assert_eq!(ran.text(), "blue 7 mine\n");
}

#[test]
fn call_tells_what_the_server_says() {
    let server = serve(function("exit.sh")).args(["--token", "t0ken", "--service", "named"]).quiet().start();
    let call = |path: &str, token: &str, text: &str| {
        let ran = bandog(["call", &server.url(path), "--token", token, "--text-input", text, "--output", "out"]).run();
        assert!(!ran.home().join("out").exists(), "no output of a failure: {ran}");
        ran.expect(1)
    };
    assert!(call("/", "wrong", "0").complaint().contains("401"));
    assert!(call("/run/other", "t0ken", "0").complaint().contains("404"));
    let failed = call("/", "t0ken", "3");
    assert!(failed.complaint().contains('3') && failed.complaint().contains("to stderr"), "{failed}");
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let ran = bandog(["call", &format!("http://{nobody}/"), "--text-input", "x"]).run().expect(1);
    assert!(!ran.stderr.is_empty(), "{ran}");
}

#[test]
fn call_takes_no_cut_answer_for_a_whole_one() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let (mut socket, _) = listener.accept().expect("a client");
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"eA==") && !request.ends_with(b"0\r\n\r\n") {
            let read = socket.read(&mut buffer).expect("readable");
            assert!(read > 0, "the whole request");
            request.extend_from_slice(&buffer[..read]);
        }
        let head = "HTTP/1.1 200 OK\r\nX-Output-Kind: file\r\nContent-Type: text/plain\r\nContent-Length: 800\r\n\r\n";
        socket.write_all(head.as_bytes()).expect("writable");
        socket.write_all(b"AAAA").expect("writable");
    });
    let ran = bandog(["call", &format!("http://{address}/"), "--text-input", "x", "--output", "out"]).run().expect(1);
    server.join().expect("the server");
    assert!(!ran.home().join("out").exists() && !ran.stderr.is_empty(), "{ran}");
}

#[test]
fn install_makes_three_files_that_run() {
    let ran = bandog(["install", "bin"]).run().expect(0);
    let is_whole = |home: &Path| {
        for name in ["bandog", "fwatchdog", "supervisor"] {
            let path = home.join("bin").join(name);
            let mode = fs::metadata(&path).unwrap_or_else(|error| panic!("{name}: {error}")).permissions().mode();
            assert_eq!(mode & 0o111, 0o111, "{name} is executable by all: {mode:o}");
        }
        assert_eq!(fs::read_dir(home.join("bin")).expect("readable").count(), 3, "nothing else is left there");
        Command::new(&home.join("bin/bandog")).args(["--version"]).run().expect(0);
    };
    is_whole(ran.home());
    // Again, over what is there, by the installed one.
    let installed = ran.home().join("bin/bandog");
    let again = Command::new(&installed).arg("install").arg(ran.home().join("bin")).run().expect(0);
    is_whole(ran.home());
    drop(again);
    let file = bandog(["install", "/dev/null/sub"]).run();
    assert!(file.code() != 0 && !file.stderr.is_empty(), "{file}");
}

#[test]
fn every_fixture_says_what_it_does() {
    let all = ["functions", "leave"].map(|dir| fs::read_dir(fixture(dir)).expect("readable"));
    for entry in all.into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).expect("text");
        let mut lines = text.lines();
        let shebang = lines.next().unwrap_or_default();
        assert!(shebang.starts_with("#!/"), "{:?} begins with how it is run", entry.file_name());
        assert!(lines.next().is_some_and(|line| line.starts_with("# ") && line.len() > 20), "{:?}", entry.file_name());
        assert_eq!(entry.metadata().expect("metadata").permissions().mode() & 0o111, 0o111, "{:?}", entry.file_name());
    }
}

#[test]
fn a_signal_ends_a_run_whose_result_nobody_reads() {
    let workspace = tempfile::tempdir().expect("a temporary directory");
    let mut child = fresh(BINARY)
        .args(["run", "--text-input", "x", "--workspace"])
        .arg(workspace.path())
        .args(["--", "/bin/sh", "-c", "head -c 1000000 /dev/zero >\"$TMP_OUTPUT_DIR/zeros\""])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let stdout = child.stdout.take().expect("a pipe");
    eventually("a pipe that is full", || {
        (rustix::io::ioctl_fionread(&stdout).expect("a pipe") >= 64 * 1024).then_some(())
    });
    signal(child.id(), rustix::process::Signal::TERM);
    let status = eventually("the end", || child.try_wait().expect("waitable"));
    assert!(!status.success(), "{status}");
    assert_eq!(fs::read_dir(workspace.path()).expect("a directory").count(), 0, "nothing is left");
}

//! The mistakes that users make: each is answered with its cause and the way out, and with the exit code of its kind.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use crate::harness::{Command, bandog, command::BINARY, did_not_run, program, serve_command};

/// A script that may be executed, one that may not, and files that are none.
fn in_a_directory(command: Command) -> Command {
    let command = command
        .file("ok.sh", "#!/bin/sh\ncat \"$INPUT_FILE_PATH\"\n")
        .file("plain.py", "#!/usr/bin/env python3\nimport os\n")
        .file("bad.yml", "name: [x\n")
        .file("windows.sh", "#!/bin/sh\r\ncat\r\n")
        .file("empty", "");
    let home = command.home().to_owned();
    fs::create_dir(home.join("dir")).expect("a directory");
    for name in ["ok.sh", "windows.sh"] {
        fs::set_permissions(home.join(name), fs::Permissions::from_mode(0o755)).expect("its owner's");
    }
    command
}

/// The words after `bandog`, separated by blanks; the exit code; parts of the message.
type Mistake = (&'static str, i32, &'static [&'static str]);

const MISTAKES: &[Mistake] = &[
    // Names of commands.
    ("sevre", 78, &["sevre: there is neither such a command nor such a file", "did you mean bandog serve?"]),
    ("sevre ./ok.sh", 78, &["unexpected argument './ok.sh'", "did you mean bandog serve?"]),
    ("chekc", 78, &["did you mean bandog check?"]),
    ("--listen :8080 serve", 78, &["serve: the command comes before its flags"]),
    ("help sevre", 78, &["unrecognized subcommand 'sevre'", "--help"]),
    ("frobnicate", 78, &["\"frobnicate\": no such file (/", "a subcommand comes first", "a command after --"]),
    // Flags of other programs.
    ("--port 8080 ./ok.sh", 78, &["'--port'", "--listen :8080"]),
    ("-p 8080 ./ok.sh", 78, &["'-p'", "--listen :8080"]),
    ("--host 0.0.0.0 ./ok.sh", 78, &["'--host'", "--listen 127.0.0.1:8080"]),
    ("-d ./ok.sh", 78, &["'-d'", "foreground", "docker run -d"]),
    ("--verbose ./ok.sh", 78, &["'--verbose'", "--log-level DEBUG"]),
    ("-v", 78, &["'-v'", "--log-level DEBUG"]),
    ("run -q ./ok.sh", 78, &["'-q'", "--log-level ERROR"]),
    ("--timeout 5m ./ok.sh", 78, &["'--timeout'", "--exec-timeout 5m"]),
    ("--workers 4 ./ok.sh", 78, &["'--workers'", "--max-inflight 4"]),
    ("--cert a.pem ./ok.sh", 78, &["'--cert'", "plain HTTP"]),
    ("-c ./ok.sh", 78, &["'-c'", "bandog -- COMMAND"]),
    ("--exec-timout 5m ./ok.sh", 78, &["'--exec-timout'", "'--exec-timeout'"]),
    ("call localhost:1 -d x", 78, &["'-d'", "-i TEXT, or -f FILE"]),
    ("call localhost:1 -H a:b", 78, &["'-H'", "--header NAME:VALUE"]),
    ("call -k https://localhost:1", 78, &["'-k'", "--ca-file"]),
    // The function.
    ("", 78, &["nothing to run", "bandog ./script.sh", "bandog -- COMMAND"]),
    ("run", 78, &["nothing to run", "--script PATH"]),
    ("ok.sh arg1", 78, &["unexpected argument 'arg1'", "after --: bandog -- ./ok.sh arg1"]),
    ("run ok.sh arg1", 78, &["after --: bandog run -- ./ok.sh arg1"]),
    ("missing.sh", 78, &["SCRIPT: \"missing.sh\": no such file (/", "/missing.sh)"]),
    ("--script missing.sh", 78, &["--script: \"missing.sh\": no such file (/"]),
    ("dir", 78, &["SCRIPT: \"dir\": is a directory; give the file in it", "--mode static DIR"]),
    ("-- ./plain.py", 78, &["\"./plain.py\": cannot be executed; chmod +x it, or run it by its interpreter"]),
    (
        "-- no-such-program x",
        78,
        &["\"no-such-program\": not found in PATH (", "install it in the image or give its path"],
    ),
    ("ok.sh -- cat", 78, &["SCRIPT: \"ok.sh\": given together with -- COMMAND; keep one of them"]),
    ("--static-dir dir", 78, &["nothing to run; --static-dir needs --mode static"]),
    ("--upstream http://127.0.0.1:1", 78, &["nothing to run; --upstream needs --mode http"]),
    ("--mode static", 78, &["--static-dir"]),
    ("--mode static missing", 78, &["--static-dir: \"missing\": expected an existing directory"]),
    ("--mode static dir -- cat", 78, &["--mode static runs nothing; leave the command out"]),
    // Values.
    (
        "--mode fiels ok.sh",
        78,
        &["--mode: \"fiels\": expected files, stdio, streaming, http or static", "did you mean files?"],
    ),
    ("--exec-timeout 5minutes ok.sh", 78, &["--exec-timeout: \"5minutes\": expected a duration such as 300, 300s, 5m"]),
    ("--max-body 1GBs ok.sh", 78, &["--max-body: \"1GBs\": expected a size such as 1024, 64KiB, 10MB"]),
    ("--max-inflight -1 ok.sh", 78, &["--max-inflight: \"-1\": expected a whole number such as 0 or 16"]),
    ("--nice 99 ok.sh", 78, &["--nice: \"99\": expected a whole number from -20"]),
    ("--decode maybe ok.sh", 78, &["a switch has its value after =: --decode=maybe"]),
    ("--forward-logs=maybe ok.sh", 78, &["--forward-logs: \"maybe\": expected true or false"]),
    ("--log-level LOUD ok.sh", 78, &["--log-level: \"LOUD\": expected DEBUG, INFO, WARNING, ERROR or CRITICAL"]),
    ("--log-format jsn ok.sh", 78, &["--log-format: \"jsn\": expected text or json; did you mean json?"]),
    ("--listen nowhere ok.sh", 78, &["--listen: \"nowhere\": expected an address such as :8080"]),
    ("--listen :99999 ok.sh", 78, &["--listen: \":99999\": expected an address such as :8080"]),
    ("--metrics yes ok.sh", 78, &["--metrics: \"yes\": expected on, off, or an address such as :8081"]),
    ("--token-file missing ok.sh", 78, &["--token-file: \"missing\": cannot be read: No such file"]),
    ("--token-file empty ok.sh", 78, &["--token-file: \"empty\"", "empty"]),
    (
        "--workspace missing ok.sh",
        78,
        &["--workspace: \"missing\": cannot be used: No such file", "name another with --workspace"],
    ),
    ("--workspace ok.sh ok.sh", 78, &["--workspace: \"ok.sh\": not a directory; name another"]),
    ("--config bad.yml ok.sh", 78, &["--config: \"bad.yml\": expected YAML", "see line 1, column 7"]),
    (
        "--config missing ok.sh",
        78,
        &["--config: \"missing\": cannot be read: No such file", "give the path of a YAML file"],
    ),
    ("--config dir ok.sh", 78, &["--config: \"dir\": cannot be read: Is a directory", "give the path of a YAML file"]),
    ("--actions missing ok.sh", 78, &["--actions: \"missing\": cannot be read: No such file"]),
    ("--actions bad.yml ok.sh", 78, &["bad.yml:1: cannot be read as YAML from column 7 on"]),
    ("--user no-such-user ok.sh", 78, &["--user: \"no-such-user\": expected a user id such as 1000"]),
    ("--max-memory 10 ok.sh", 78, &["--max-memory: \"10\": expected 0, or a size of at least 1MiB"]),
    ("--allow-write dir ok.sh", 78, &["--allow-write: \"dir\": has an effect only with --sandbox; add it"]),
    ("--mode http --upstream ftp://x ok.sh", 78, &["--upstream: \"ftp://x\": expected a URL such as http://"]),
    ("--service a/b ok.sh", 78, &["--service: \"a/b\": expected a name without slashes"]),
    // run.
    ("run -i x windows.sh", 70, &["its interpreter \"/bin/sh\\r\" does not exist", "sed -i 's/\\r$//' SCRIPT"]),
    ("run -f missing ok.sh", 65, &["cannot read --input missing: No such file"]),
    ("run -i x -f y ok.sh", 78, &["'--text-input <TEXT>' cannot be used with '--input <FILE>'"]),
    ("run --header nocolon ok.sh", 78, &["--header: expected NAME:VALUE, such as \"Accept: application/json\""]),
    ("run -a x=1 ok.sh", 78, &["--argument x=1 is for an action", "bandog run ACTION -a NAME=VALUE"]),
    ("run -i x -o missing/x ok.sh", 78, &["cannot write --output missing/x"]),
    // The client.
    ("call", 78, &["<URL>", "bandog call localhost:8080"]),
    ("call ftp://x", 78, &["URL: \"ftp://x\": expected an address such as localhost:8080"]),
    ("call localhost:port", 78, &["URL: \"localhost:port\": expected an address such as localhost:8080"]),
    ("call --timeout soon localhost:1", 78, &["--timeout: \"soon\": expected a duration such as 300"]),
    ("call -f missing localhost:1", 1, &["cannot read missing: No such file"]),
    ("call --ca-file missing https://localhost:1", 1, &["cannot read --ca-file missing: No such file"]),
    ("call 127.0.0.1:1", 1, &["http://127.0.0.1:1/: Connection refused", "nothing listens there"]),
    ("call no-such-host.invalid", 1, &["no-such-host.invalid", "check its name"]),
    // The other commands.
    (
        "health --listen 127.0.0.1:1",
        1,
        &["cannot reach 127.0.0.1:1: Connection refused", "no bandog listens there", "--listen"],
    ),
    ("health --url https://x", 1, &["--url: \"https://x\": expected http://HOST[:PORT][/PATH]"]),
    ("actions", 78, &["there is no oms.yml or microservice.yml here or in /; name one with --actions"]),
    ("actions --format yaml", 78, &["'yaml'", "[possible values: text, json, names, openapi]"]),
    ("check --format yaml", 78, &["'yaml'", "[possible values: text, json]"]),
    ("install", 78, &["<DIR>", "bandog install /usr/local/bin"]),
    ("install ok.sh", 1, &["cannot make the directory ok.sh: it is a file; name a directory"]),
    ("install /proc/x", 1, &["cannot make the directory /proc/x: No such file"]),
    ("init", 78, &["<KIND>", "bandog init oscar my-function"]),
    ("init lambda", 78, &["'lambda'", "oscar", "actions", "http"]),
    ("init oscar ok.sh", 73, &["cannot make the directory ok.sh: it is a file; name a directory"]),
    ("completions", 78, &["<SHELL>", "bandog completions bash"]),
    ("completions tcsh", 78, &["'tcsh'", "bash", "fish", "zsh"]),
];

/// A variable, and parts of the message with `bandog ok.sh`, or `bandog` alone if the variable names the function.
const VARIABLES: &[(&str, &str, &[&str])] = &[
    ("BANDOG_TOKEN", "", &["--token (from BANDOG_TOKEN): the token is empty; set one, or unset it"]),
    (
        "BANDOG_EXEC_TIMEOUT",
        "5 minutes",
        &["--exec-timeout: \"5 minutes\" (from BANDOG_EXEC_TIMEOUT): expected a duration such as"],
    ),
    ("BANDOG_MAX_BODY", "1 GB", &["--max-body: \"1 GB\" (from BANDOG_MAX_BODY): expected a size such as"]),
    ("BANDOG_MODE", "htpp", &["--mode: \"htpp\" (from BANDOG_MODE)", "did you mean http?"]),
    ("LOG_LEVEL", "verbose", &["--log-level: \"verbose\" (from LOG_LEVEL): expected DEBUG, INFO"]),
    ("PORT", "http", &["--listen: \"http\" (from PORT): expected a port number from 0 to 65535"]),
    ("FUNCTION_CONFIG", "!", &["FUNCTION_CONFIG", "expected YAML in base64"]),
    ("SCRIPT", "not base64!", &["SCRIPT: expected the script in base64, as `base64 script.sh` prints it"]),
    ("fprocess", "no-such-program x", &["fprocess: \"no-such-program\": not found in PATH"]),
    ("fprocess", "'cat", &["fprocess: \"'cat\": expected a command line with its quotes closed"]),
];

#[track_caller]
fn expect(command: Command, code: i32, parts: &[&str]) {
    let ran = in_a_directory(command).run().expect(code);
    for part in parts {
        assert!(ran.complaint().contains(part), "no {part:?}: {ran}");
    }
    assert!(!ran.complaint().contains("panicked"), "{ran}");
}

#[test]
fn every_common_mistake_is_answered_with_its_cause_and_the_way_out() {
    assert!(MISTAKES.len() >= 50);
    for (words, code, parts) in MISTAKES {
        expect(bandog(words.split_whitespace()), *code, parts);
    }
}

#[test]
fn a_value_with_a_blank_in_it_and_an_empty_one_are_answered_too() {
    for (arguments, parts) in [
        (["--exec-timeout", "5 minutes", "ok.sh"], ["--exec-timeout: \"5 minutes\": expected a duration such as 300"]),
        (["--max-body", "1 GB", "ok.sh"], ["--max-body: \"1 GB\": expected a size such as 1024"]),
        (["--token", "", "ok.sh"], ["--token: the token is empty; set one"]),
        (["--mode", "", "ok.sh"], ["--mode: \"\": expected files, stdio"]),
        (["--log-level", "info", "--"], ["nothing to run"]),
    ] {
        expect(bandog(arguments), 78, &parts);
    }
    for (word, parts) in [
        ("cat ok.sh", ["no shell is involved: -- cat ok.sh, or for a shell -- sh -c 'cat ok.sh'"]),
        ("cat ok.sh | wc -l", ["no shell is involved: -- sh -c 'cat ok.sh | wc -l'"]),
        ("./ok.sh a", ["no shell is involved: -- ./ok.sh a"]),
        ("", ["the command is empty"]),
    ] {
        expect(bandog(["--", word]), 78, &parts);
        expect(bandog(["run", "-i", "x", "--", word]), 78, &parts);
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    for (name, value, parts) in VARIABLES {
        let arguments: &[&str] = if ["SCRIPT", "fprocess"].contains(name) { &[] } else { &["ok.sh"] };
        expect(bandog(arguments).env(name, value), 78, parts);
    }
    let mistyped = bandog(["check", "ok.sh"]).env("BANDOG_LISTN", ":1");
    let ran = in_a_directory(mistyped).run().expect(0);
    assert!(ran.text().contains("BANDOG_LISTN: unknown variable, ignored; did you mean BANDOG_LISTEN?"), "{ran}");
}

#[test]
fn a_script_that_is_not_executable_is_run_with_a_warning() {
    let ran = in_a_directory(bandog(["check", "plain.py"])).run().expect(0);
    let parts = ["plain.py is run by /bin/sh, not by /usr/bin/env python3", "chmod +x "];
    assert!(parts.iter().all(|part| ran.text().contains(part)), "{ran}");
}

#[test]
fn what_the_user_may_not_do_is_told_with_what_it_takes() {
    // Root without its powers; any other user has none.
    let confined = |arguments: &[&str]| {
        let command = if rustix::process::geteuid().is_root() {
            program("setpriv").args(["--bounding-set=-all", "--", BINARY])
        } else {
            bandog([""; 0])
        };
        let command = in_a_directory(command.args(arguments));
        for (name, mode) in [("ok.sh", 0o000), ("empty", 0o000)] {
            fs::set_permissions(command.home().join(name), fs::Permissions::from_mode(mode)).expect("its owner's");
        }
        command.run()
    };
    let check = |arguments: &[&str], code: i32, parts: &[&str]| {
        let ran = confined(arguments).expect(code);
        assert!(parts.iter().all(|part| ran.complaint().contains(part)), "{parts:?}: {ran}");
    };
    check(&["ok.sh"], 78, &["SCRIPT: \"ok.sh\": cannot be read; check its mode and owner"]);
    check(&["--config", "empty", "plain.py"], 78, &["--config: \"empty\": cannot be read: Permission denied"]);
    check(&["--user", "nobody", "plain.py"], 78, &["--user: \"nobody\"", "CAP_SETUID", "start it as root"]);
    let free = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if free.trim().parse::<u16>().is_ok_and(|first| first <= 80) {
        did_not_run("a port below 1024 without rights", "here every user may bind every port");
    } else {
        let parts = ["127.0.0.1:80: Permission denied", "below 1024 needs root or CAP_NET_BIND_SERVICE", "--listen"];
        check(&["--listen", "127.0.0.1:80", "plain.py"], 70, &parts);
    }
}

#[test]
fn a_port_in_use_is_told_with_the_flag_that_names_another() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("an address").to_string();
    let parts = [format!("cannot bind {address}: Address already in use"), "choose another with --listen".to_owned()];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    expect(bandog(["--listen", &address, "ok.sh"]).with_workspace(), 70, &parts);
}

#[test]
fn tls_where_there_is_none_and_the_reverse_fail_with_the_address() {
    let plain = serve_command("true").quiet().start();
    let url = plain.url("/").replace("http://", "https://");
    expect(bandog(["call", "--timeout", "10s", &url]), 1, &[&url, "does not speak TLS", "use http://"]);

    // A server of TLS answers anything else with an alert.
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 1000]).expect("a request");
        stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).expect("an alert");
    });
    expect(bandog(["call", "--timeout", "10s", &url, "-i", "x"]), 1, &[&url, "if it speaks TLS, use https://"]);
    server.join().expect("served");
}

#[test]
fn what_cannot_be_printed_is_told_and_a_reader_that_leaves_is_no_failure() {
    for words in ["--help", "check ok.sh", "completions bash", "run -i x ok.sh"] {
        let shell = format!("\"$0\" {words} >/dev/full");
        expect(program("sh").args(["-c", &shell, BINARY]), 74, &["cannot write to the standard output"]);
        let shell = format!("\"$0\" {words} 2>/dev/null | true");
        in_a_directory(program("sh").args(["-c", &shell, BINARY])).run().expect(0);
    }
}

//! The start tells what was started, and a command that calls it.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Builder, Server, function, program, serve, serve_command};

/// The command in the log, which is run as it stands there; returns the status of the response, and its body.
fn tried(server: &Server, token: &str) -> (String, String) {
    let line = server.log_line("a command to try", |line| line.contains("try it: curl "));
    let (_, command) = line.split_once("try it: ").expect("the command");
    assert!(!command.contains("s3cret"), "{line}");
    let command = format!("{command} -s -w '\\n%{{http_code}}'");
    let ran = program("sh").args(["-c", &command]).env("BANDOG_TOKEN", token).run().expect(0);
    let (body, status) = ran.text().rsplit_once('\n').expect("a status");
    (status.to_owned(), body.to_owned())
}

fn summary(server: &Server) -> String {
    server.log_line("what was started", |line| line.contains(" - mode "))
}

#[test]
fn the_command_in_the_log_gets_200_as_typed() {
    let files = "cat \"$INPUT_FILE_PATH\" >\"$TMP_OUTPUT_DIR/out\"";
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("only.txt"), "only").expect("written");
    let of_files = Builder::new().args(["--mode", "static", "--static-dir"]).args([home.path()]);
    for (builder, wanted) in [
        (serve_command(files), "eyJoZWxsbyI6IndvcmxkIn0="),
        (serve_command("cat").args(["--mode", "stdio"]), "hello"),
        (serve_command("cat").args(["--mode", "stdio", "--decode"]), "{\"hello\":\"world\"}"),
        (serve_command("cat").args(["--mode", "streaming"]), "hello"),
        (serve_command("cat").args(["--mode", "stdio", "--token", "t0p-s3cret"]), "hello"),
        (of_files, "only"),
        (crate::upstream::proxy(), ""),
    ] {
        let server = builder.start();
        let (status, body) = tried(&server, "t0p-s3cret");
        assert_eq!(status, "200", "{body}: {server}");
        assert!(body == wanted || wanted.is_empty(), "{body}: {server}");
    }
}

#[test]
fn the_command_reads_the_file_of_the_token() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("the token's");
    fs::write(&file, "t0p-s3cret\n").expect("written");
    let server = serve_command("cat").args(["--mode", "stdio", "--token-file"]).args([&file]).start();
    assert_eq!(tried(&server, ""), ("200".to_owned(), "hello".to_owned()), "{server}");
    assert!(summary(&server).ends_with("callers need the token"), "{server}");
}

#[test]
fn the_start_names_script_interpreter_mode_and_whether_a_token_is_needed() {
    let script = serve(function("copy.sh")).start();
    let line = summary(&script);
    assert!(line.contains("mode files: /") && line.contains("copy.sh, run by /bin/"), "{line}");
    assert!(line.ends_with(", once for each request; no token is asked for"), "{line}");
    let command = serve_command("echo hidden-word").args(["--mode", "stdio", "--token", "t0p-s3cret"]).start();
    let line = summary(&command);
    assert!(line.ends_with("mode stdio: /bin/sh, once for each request; callers need the token"), "{line}");
    let home = tempfile::tempdir().expect("a directory");
    let bare = home.path().join("bare");
    fs::write(&bare, "echo\n").expect("written");
    let line = summary(&serve(&bare).start());
    assert!(line.contains("/bare, run by /bin/sh, once"), "{line}");
}

#[test]
fn at_debug_the_log_has_no_debug_forms() {
    let calls = |server: &mut Server| {
        server.post("aGVsbG8=").header("X-Own", "1").send();
        server.post("!").send();
        server.get("/_/health").send();
        server.signal(Signal::TERM);
        server.end();
        server.log()
    };
    let failing = "echo why >&2; exit 3";
    for (command, flags) in [
        ("cat \"$INPUT_FILE_PATH\"", &["--max-memory", "1GiB"][..]),
        (failing, &["--mode", "stdio", "--sandbox", "--exec-timeout", "90s"]),
        ("sleep 30", &["--exec-timeout", "1500ms"]),
    ] {
        let log = calls(&mut serve_command(command).args(flags).args(["--log-level", "DEBUG"]).start());
        assert!(log.contains(" - DEBUG - ") && log.contains("listening on"), "{log}");
        for form in ["Some(", "None", "Ok(", "Err(", "[\"", "{ ", "Duration", "Limits", "Path(", "1.5s"] {
            assert!(!log.contains(form), "{form} in {log}");
        }
    }
}

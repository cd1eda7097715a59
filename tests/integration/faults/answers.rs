//! Answers: a success for a failure, a part for the whole, logs for a result, a crash for an odd file.

use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _, process::Stdio};

use crate::harness::{
    Server,
    archive::{names, unzip},
    bandog, decode, encode, eventually, function, listing, program, serve, serve_command,
};

/// The forms that an answer can be asked for in.
const FORMS: [&str; 4] = ["*/*", "application/json", "application/octet-stream", "application/zip"];

/// Fails unless every form of the answer says that it went wrong, and the stream of events does too.
#[track_caller]
fn is_no_success(server: &Server, status: u16) {
    for accept in FORMS {
        server.get("/").accept(accept).send().problem(status);
    }
    let answer = server.get("/").accept("text/event-stream").send();
    let said = format!("\"status\":{status}");
    assert!(answer.text().contains(&said), "{answer}");
    server.is_clean();
}

/// With `Exit::Code(_)` and signals collected as 0 is, in `Run::execute`, the first was a 200; so was the timeout with
/// `End::TimedOut` taken for `End::Itself`.
#[test]
fn f05_a_failure_a_timeout_and_a_missing_program_are_no_success() {
    for command in ["exit 1", "no-such-command", "kill -KILL $$", "echo x >\"$TMP_OUTPUT_DIR/x\"; exit 3"] {
        is_no_success(&serve_command(command).start(), 500);
        let ran = bandog(["run"]).with_workspace().args(["--", "/bin/sh", "-c", command]).run();
        assert_ne!(ran.code(), 0, "{ran}");
    }
    let timed = serve(function("trap-term.sh")).args(["--exec-timeout", "500ms"]).start();
    is_no_success(&timed, 504);

    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = dir.path().join("script");
    let write = |text: &str| {
        fs::write(&script, text).expect("writable");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("permissions");
    };
    write("#!/bin/sh\necho fine\n");
    let server = serve(&script).quiet().start();
    assert_eq!(server.get("/").send().expect(200).text(), "fine\n");
    write("#!/no/such/interpreter\n");
    is_no_success(&server, 500);
    write("\x7fELF and no more");
    is_no_success(&server, 500);
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("permissions");
    is_no_success(&server, 500);
    fs::remove_file(&script).expect("removable");
    is_no_success(&server, 500);
}

/// An output file of a running invocation: by its name, or by the descriptor that is left of it.
fn output_file(server: &Server, name: &str) -> Option<fs::File> {
    let descriptors = fs::read_dir(format!("/proc/{}/fd", server.pid())).ok()?;
    let by_descriptor = descriptors
        .flatten()
        .map(|entry| entry.path())
        .find(|path| fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains(name)));
    let by_name = || {
        let found = listing(&server.workspace()).into_iter().find(|path| path.ends_with(name))?;
        Some(server.workspace().join(found))
    };
    fs::File::options().write(true).open(by_descriptor.or_else(by_name)?).ok()
}

/// With a proper end (`None`) in place of `Broken` where an answer's `Body` loses its invocation, and no length
/// announced, the first looked whole to curl. With the length of JSON not announced (`json::Document::len`), JSON over
/// HTTP/1.0 did: there nothing else tells.
#[test]
fn f06_an_answer_that_breaks_off_never_looks_whole() {
    let one = serve(function("sparse.sh")).start();
    let command = r#"truncate -s "$(cat "$INPUT_FILE_PATH")" "$TMP_OUTPUT_DIR/sparse.bin"; : >"$TMP_OUTPUT_DIR/z""#;
    let two = serve_command(command).start();
    for version in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
        for (server, accept) in [&one, &two].into_iter().flat_map(|server| FORMS.map(|form| (server, form))) {
            let mut client = std::process::Command::new("curl")
                .args(["--silent", version, "--header", &format!("Accept: {accept}"), "--url", &server.url("/")])
                .args(["--data", &encode("268435456")])
                .stdout(Stdio::piped())
                .spawn()
                .expect("curl is installed");
            let mut stdout = client.stdout.take().expect("piped");
            let mut first = [0];
            stdout.read_exact(&mut first).expect("the answer begins");
            // The rest waits in the file, because curl's own reader waits; now it becomes shorter.
            let file = eventually("the output file", || output_file(server, "sparse.bin"));
            file.set_len(1000).expect("truncatable");
            drop(file);
            std::io::copy(&mut stdout, &mut std::io::sink()).expect("the rest");
            let status = client.wait().expect("waitable");
            // 18: a part only; 56: receive error; 92: the stream was reset.
            assert!(status.code().is_some_and(|code| code != 0), "{version}, {accept}: it looked whole: {server}");
            server.is_clean();
        }
    }
}

/// With the logs in place of `Output::File` and `Output::Tree` in `Run::collect` each was answered with them.
#[test]
fn f07_logs_are_not_mixed_into_the_result() {
    let noisy = r#"echo noise; echo more >&2; printf result >"$TMP_OUTPUT_DIR/a"; seq 1 100000; echo end >/dev/stderr"#;
    let server = serve_command(noisy).start();
    assert_eq!(server.get("/").send().expect(200).text(), encode("result"));
    assert_eq!(server.get("/").accept("application/octet-stream").send().expect(200).text(), "result");
    let json = server.get("/").accept("application/json").send().expect(200).json();
    assert_eq!(json["files"][0]["data"], encode("result"));
    assert!(json["logs"].as_str().is_some_and(|logs| logs.contains("noise\nmore\n")), "and they are told apart");
    let ran = bandog(["run"]).with_workspace().args(["--", "/bin/sh", "-c", noisy]).run().expect(0);
    assert_eq!(ran.text(), encode("result"));

    let two = serve_command(&format!("{noisy}; printf other >\"$TMP_OUTPUT_DIR/b\"")).start();
    let entries = unzip(&two.get("/").send().expect(200).decoded());
    assert_eq!(names(&entries), ["a", "b"]);
    assert_eq!([&entries[0].content[..], &entries[1].content[..]], [&b"result"[..], b"other"]);
}

/// With an error in place of the WARNING for a broken link (`Walk::link`) the first was a 500; with the FIFO opened
/// like a file, and without `O_NONBLOCK`, the client's patience ended before the answer came.
#[test]
fn f21_odd_files_are_answered_or_left_out_and_never_a_crash() {
    let pair = r#"printf a >"$TMP_OUTPUT_DIR/a"; "#;
    for (command, kinds) in [
        (r#"ln -s nowhere "$TMP_OUTPUT_DIR/broken""#, ["logs", "file"]),
        (r#"ln -s itself "$TMP_OUTPUT_DIR/itself""#, ["logs", "file"]),
        (r#"mkfifo "$TMP_OUTPUT_DIR/fifo""#, ["logs", "file"]),
        (r#"ln -s fifo "$TMP_OUTPUT_DIR/to"; mkfifo "$TMP_OUTPUT_DIR/fifo""#, ["logs", "file"]),
        (r#"touch -d '1979-12-31 UTC' "$TMP_OUTPUT_DIR/old""#, ["file", "zip"]),
        (r#"touch -d '1901-01-01 UTC' "$TMP_OUTPUT_DIR/older""#, ["file", "zip"]),
        (r#"touch -d '2200-01-01 UTC' "$TMP_OUTPUT_DIR/future""#, ["file", "zip"]),
        (r#": >"$TMP_OUTPUT_DIR/$(printf 'caf\351')""#, ["file", "zip"]),
    ] {
        for (command, kind) in [command.to_owned(), format!("{pair}{command}")].iter().zip(kinds) {
            let server = serve_command(command).quiet().start();
            let answer = server.get("/").send().expect(200);
            assert_eq!(answer.wants("x-output-kind"), kind, "{command}");
            for accept in FORMS {
                server.get("/").accept(accept).send().expect(200);
            }
            if kind == "zip" {
                let archive = answer.decoded();
                assert_eq!(unzip(&archive).len(), 2, "{command}");
                program("python3")
                    .args([
                        "-c",
                        "import io, sys, zipfile; zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read())).testzip()",
                    ])
                    .stdin(&archive)
                    .run()
                    .expect(0);
            }
        }
    }
}

/// With the output made text (`String::from_utf8_lossy`) in `Journal::output`, 0xff became U+FFFD; with its line ends
/// made newlines, the CR was gone.
#[test]
fn f23_every_byte_of_the_output_is_kept() {
    let bytes = b"a\rb\r\nc\xff\xfe\xc3(\0\x1b[1m\n\r\r\nno end";
    let command = r#"cat "$INPUT_FILE_PATH""#;
    let server = serve_command(command).quiet().start();
    assert_eq!(server.post(encode(bytes)).send().expect(200).body, bytes);
    let run = || bandog(["run", "--log-level", "CRITICAL"]).with_workspace().stdin(encode(bytes));
    assert_eq!(run().args(["--", "/bin/sh", "-c", command]).run().expect(0).stdout, bytes);
    let ran = run().args(["--output", "logs", "--", "/bin/sh", "-c", command]).run().expect(0);
    assert_eq!(fs::read(ran.home().join("logs")).expect("a file"), bytes);
    let copy = serve(function("copy.sh")).start();
    assert_eq!(decode(copy.post(encode(bytes)).send().expect(200).body), bytes);
}

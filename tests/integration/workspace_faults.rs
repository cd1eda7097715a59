//! The place for workspaces is full, read-only or gone, or no descriptor is free: a clear answer, bandog goes on, and
//! nothing is left.
//!
//! The small file systems are mounted in a mount namespace of bandog's own, so that nothing can be left mounted.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{
    Answer, Server, Wire, did_not_run, encode, eventually, function, listing, noise, program, serve, serve_command,
    server::Builder,
};

/// Has bandog see a tmpfs of its own where workspaces are made; `None`, with a note, where that is not permitted.
fn on_tmpfs(builder: Builder, options: &str) -> Option<Builder> {
    let permitted = Command::new("unshare").args(["--mount", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    match permitted {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            did_not_run("workspace faults", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Err(error) => {
            did_not_run("workspace faults", &format!("unshare: {error}"));
            return None;
        }
    }
    let mount = format!("mount -t tmpfs -o {options} bandog workspace && exec \"$0\" \"$@\"");
    Some(builder.after_command(format!("exec unshare --mount /bin/sh -c '{mount}' \"$0\" \"$@\"")))
}

/// The workspaces as bandog sees them.
fn inside(server: &Server) -> PathBuf {
    let path = server.workspace();
    Path::new("/proc").join(server.pid().to_string()).join("root").join(path.strip_prefix("/").expect("absolute"))
}

/// Mounts what bandog sees anew.
#[track_caller]
fn remount(server: &Server, option: &str) {
    let pid = server.pid().to_string();
    let ran = program("nsenter").args(["--mount", "--target", &pid, "mount", "-o", &format!("remount,{option}")]);
    ran.arg(server.workspace()).run().expect(0);
}

/// A failure that names itself and says what to do.
#[track_caller]
fn fails(answer: &Answer, slug: &str, parts: &[&str]) {
    let problem = answer.problem(500);
    assert_eq!(answer.wants("x-bandog-error"), slug, "{answer}");
    let detail = problem["detail"].as_str().expect("text");
    for part in parts {
        assert!(detail.contains(part), "no {part:?} in {answer}");
    }
}

/// The next small request is served, and nothing is left of any.
#[track_caller]
fn goes_on(server: &Server, filler: &[&str]) {
    let answer = server.post(encode("small")).send().expect(200);
    assert!(!answer.body.is_empty(), "{answer}");
    eventually(&format!("nothing is left: {:?}: {server}", listing(&inside(server))), || {
        (listing(&inside(server)) == filler && server.descendants().is_empty()).then_some(())
    });
}

#[test]
fn a_body_that_does_not_fit_on_the_disk_is_answered_with_what_to_do() {
    let Some(builder) = on_tmpfs(serve(function("copy.sh")), "size=1m") else { return };
    let server = builder.start();
    let large = noise(4 << 20);
    let mut form = b"--b\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n".to_vec();
    form.extend_from_slice(&large);
    form.extend_from_slice(b"\r\n--b--\r\n");
    let encoded = encode(&large);
    let row = format!("[{}0]", "1234567,".repeat(1 << 19));
    for (media, body) in [
        ("application/octet-stream", large.as_slice()),
        ("application/base64", encoded.as_bytes()),
        ("application/json", row.as_bytes()),
        ("text/plain", row.as_bytes()),
        ("multipart/form-data; boundary=b", &form),
    ] {
        for chunks in [&[][..], &[70_000]] {
            let request = server.post(body).media(media);
            let request = if chunks.is_empty() { request } else { request.chunked(chunks) };
            fails(&request.send(), "input-not-stored", &["No space left on device", "--workspace"]);
            goes_on(&server, &[]);
        }
    }
}

#[test]
fn a_function_that_fills_the_disk_fails_by_itself_and_nothing_of_it_is_left() {
    let command = r#"n=$(tr -cd 0-9 <"$INPUT_FILE_PATH"); head -c "${n:-5}" /dev/zero >"$TMP_OUTPUT_DIR/x""#;
    let Some(builder) = on_tmpfs(serve_command(command).quiet(), "size=1m") else { return };
    let server = builder.start();
    let answer = server.post(encode("4000000")).send();
    fails(&answer, "function-failed", &["exited with code"]);
    assert!(answer.json()["logs"].as_str().is_some_and(|logs| logs.contains("No space left on device")), "{answer}");
    goes_on(&server, &[]);
}

#[test]
fn logs_that_do_not_fit_on_the_disk_are_not_answered_in_part() {
    let Some(builder) = on_tmpfs(serve(function("spam.sh")).quiet(), "size=256k") else { return };
    let server = builder.start();
    fails(&server.post(encode("3000000")).send(), "workspace-unavailable", &["No space left on device"]);
    let answer = server.post(encode("100000")).send().expect(200);
    assert_eq!(answer.body.len(), 100_000);
    eventually("nothing is left", || listing(&inside(&server)).is_empty().then_some(()));
}

#[test]
fn standard_output_that_does_not_fit_on_the_disk_is_not_answered_in_part() {
    let Some(builder) = on_tmpfs(serve_command("exec head -c \"$(cat)\" /dev/zero").quiet(), "size=256k") else {
        return;
    };
    let server = builder.args(["--mode", "stdio"]).start();
    fails(&server.post("3000000").send(), "workspace-unavailable", &["No space left on device"]);
    let answer = server.post("100000").send().expect(200);
    assert_eq!(answer.body.len(), 100_000);
    eventually("nothing is left", || listing(&inside(&server)).is_empty().then_some(()));
}

#[test]
fn without_inodes_every_stage_fails_clearly_and_takes_back_what_it_made() {
    let Some(builder) = on_tmpfs(serve(function("copy.sh")), "size=1m,nr_inodes=12") else { return };
    let server = builder.start();
    let mut fillers = Vec::new();
    for number in 10.. {
        let name = format!("filler-{number}");
        if fs::File::create_new(inside(&server).join(&name)).is_err() {
            break;
        }
        fillers.push(name);
    }
    // The workspace, its two directories, the input file, the output file.
    let stages = [
        "workspace-unavailable",
        "workspace-unavailable",
        "workspace-unavailable",
        "input-not-stored",
        "function-failed",
    ];
    for slug in stages {
        let answer = server.post(encode("small")).send();
        let parts: &[&str] = if slug == "function-failed" { &[] } else { &["No space left on device", "--workspace"] };
        fails(&answer, slug, parts);
        eventually("only the fillers are left", || (listing(&inside(&server)) == fillers).then_some(()));
        fs::remove_file(inside(&server).join(fillers.pop().expect("enough of them"))).expect("removable");
    }
    let left: Vec<&str> = fillers.iter().map(String::as_str).collect();
    goes_on(&server, &left);
}

#[test]
fn a_workspace_that_becomes_read_only_is_said_so_and_used_again_when_it_can_be() {
    let Some(builder) = on_tmpfs(serve(function("hold.sh")), "size=1m") else { return };
    let server = builder.start();
    std::thread::scope(|scope| {
        let held = scope.spawn(|| server.get("/").header("X-Call-Id", "held").send());
        server.sign("started.held");
        remount(&server, "ro");
        fails(&server.get("/").send(), "workspace-unavailable", &["Read-only file system", "--workspace"]);
        server.give("go");
        // A call that runs already ends as it would have; its workspace cannot be removed now.
        assert!(held.join().expect("an answer").expect(200).text().contains("\ndone\n"));
    });
    assert!(!listing(&inside(&server)).is_empty());
    server.log_line("what could not be removed", |line| line.contains("cannot remove the workspace"));
    remount(&server, "rw");
    goes_on(&server, &[]);
}

#[test]
fn a_workspace_that_cannot_be_written_prevents_the_start() {
    let mount = "mount -t tmpfs -o ro bandog workspace && exec \"$0\" \"$@\"";
    if on_tmpfs(Builder::new(), "size=1m").is_none() {
        return;
    }
    let command =
        program("unshare").args(["--mount", "/bin/sh", "-c", mount, crate::harness::command::BINARY, "serve"]);
    let ran = command.args(["--listen", "127.0.0.1:0"]).with_workspace().args(["--", "/bin/true"]).run().expect(78);
    assert!(ran.complaint().contains("read-only") && ran.complaint().contains("--workspace"), "{ran}");
}

/// A directory outside that must not be read through bandog, or changed.
fn secrets(server: &Server) -> PathBuf {
    let path = server.scratch().join("secrets");
    fs::create_dir_all(path.join("out")).expect("a directory");
    fs::write(path.join("precious"), "the secret").expect("writable");
    path
}

#[test]
fn a_place_for_workspaces_that_is_renamed_or_replaced_by_a_link_leads_nowhere_else() {
    let server = serve(function("copy.sh")).start();
    let (place, away, secrets) = (server.workspace(), server.scratch().join("away"), secrets(&server));
    let before = listing(&secrets);
    fs::rename(&place, &away).expect("rename");
    // The function is told of directories that it does not find.
    fails(&server.post(encode("x")).send(), "function-failed", &[]);
    std::os::unix::fs::symlink(&secrets, &place).expect("symlink");
    fails(&server.post(encode("x")).send(), "function-failed", &[]);
    assert_eq!(listing(&secrets), before);
    eventually("nothing is left where it is now", || listing(&away).is_empty().then_some(()));
    fs::remove_file(&place).expect("a link");
    fs::rename(&away, &place).expect("rename");
    server.post(encode("x")).send().expect(200);
}

#[test]
fn a_place_for_workspaces_that_is_removed_is_said_so() {
    let server = serve(function("copy.sh")).start();
    fs::remove_dir(server.workspace()).expect("empty");
    for _ in 0..3 {
        let answer = server.post(encode("x")).send();
        fails(&answer, "workspace-unavailable", &["No such file or directory", "make it again"]);
    }
    server.get("/_/health").send().expect(200);
    fs::create_dir(server.workspace()).expect("made again");
    server.post(encode("x")).send().expect(200);
}

/// A volume that is mounted again, a directory that a deployment replaces.
#[test]
fn a_place_for_workspaces_that_is_replaced_by_another_is_found_again() {
    let server = serve(function("copy.sh")).start();
    server.post(encode("x")).send().expect(200);
    fs::rename(server.workspace(), server.scratch().join("away")).expect("rename");
    fs::create_dir(server.workspace()).expect("made");
    eventually("the new one is used", || (server.post(encode("x")).send().status == 200).then_some(()));
    assert_eq!(listing(&server.scratch().join("away")), [""; 0]);
}

#[test]
fn without_descriptors_requests_fail_clearly_or_wait_and_afterwards_all_is_as_before() {
    let server = serve(function("copy.sh")).after_command("ulimit -n 40").start();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count();
    server.post(encode("x")).send().expect(200);
    let before = eventually("the first connection is gone", || Some(descriptors()).filter(|count| *count < 24));
    let mut wires: Vec<Wire> = (0..60).map(|_| server.connect()).collect();
    server.log_line("accepting pauses", |line| line.contains("cannot accept a connection"));
    // Those that were accepted have left no descriptor for a workspace, or few.
    let mut failed = 0;
    let body = encode("x");
    for wire in wires.iter_mut().take(10) {
        let answer = server.post(&body).send_on(wire);
        if answer.status != 200 {
            assert!(!answer.problem(500)["detail"].as_str().expect("text").is_empty(), "{answer}");
            failed += 1;
        }
    }
    assert!(failed > 0, "there were descriptors after all: {server}");
    // The others are not lost: they are taken when there is room.
    let last = wires.pop().expect("sixty");
    drop(wires);
    let mut last = last;
    server.post(&body).send_on(&mut last).expect(200);
    drop(last);
    // A workspace that could not be removed for want of descriptors is removed after these, at the latest.
    server.post(&body).send().expect(200);
    eventually("as many descriptors as before", || (descriptors() <= before).then_some(()));
    eventually("nothing is left", || (server.open().is_empty() && server.descendants().is_empty()).then_some(()));
}

#[test]
fn what_a_function_mounts_in_its_workspace_is_taken_away_and_not_emptied() {
    let command = r#"
        mkdir -p "$SCRATCH/data" "$TMP_INPUT_DIR/data"
        echo precious >"$SCRATCH/data/precious"
        : >"$TMP_INPUT_DIR/file"
        mount --bind "$SCRATCH/data" "$TMP_INPUT_DIR/data"
        mount --bind "$SCRATCH/data/precious" "$TMP_INPUT_DIR/file"
        mount -t tmpfs none "$TMP_OUTPUT_DIR"
    "#;
    let Some(builder) = on_tmpfs(serve_command(command), "size=8m") else { return };
    let server = builder.quiet().start();
    server.get("/").send().expect(200);
    // Without `RESOLVE_NO_XDEV` in `removal::open_within` it is gone.
    let precious = server.workspace().with_file_name("scratch").join("data/precious");
    assert_eq!(fs::read_to_string(precious).expect("it is still there"), "precious\n");
    assert_eq!(listing(&inside(&server)), [""; 0], "{server}");
}

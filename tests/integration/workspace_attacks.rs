//! Attacks of a function on its own workspace, and of a neighbour on the directory around it: no link is followed out
//! of it, not when collecting and not when removing, and nothing is left.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::harness::{
    Server, children, did_not_run, encode, eventually, function, listing, program, serve, serve_command,
};

const SECRET: &str = "the secret that nobody may see";

/// A directory outside of every workspace.
struct Outside(tempfile::TempDir);

impl Outside {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join("out")).expect("a directory");
        for name in ["precious", "out/precious"] {
            fs::write(dir.path().join(name), SECRET).expect("writable");
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert_eq!(listing(self.path()), ["out", "out/precious", "precious"]);
        for name in ["precious", "out/precious"] {
            let path = self.path().join(name);
            assert_eq!(fs::read_to_string(&path).expect("readable"), SECRET);
            assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o644);
        }
    }
}

/// Whether the secret is in a body, also in base64 at any offset.
fn shows_secret(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    (0..3).any(|skip| text.contains(&encode(&SECRET[skip..])[..24])) || text.contains(SECRET)
}

/// The commands of a function (`$W` is its workspace, `$OUTSIDE` the directory outside), the status, and the content of
/// the answer.
const ATTACKS: &[(&str, u16, &str)] = &[
    (r#"rm -rf "$W""#, 200, ""),
    (r#"rm -rf "$W"/*"#, 200, ""),
    (r#"rm -rf "$TMP_OUTPUT_DIR""#, 200, ""),
    (r#"mv "$W" "$W-away""#, 200, ""),
    (r#"mv "$W" "$W-away"; ln -s "$OUTSIDE" "$W""#, 200, ""),
    (r#"mv "$W" "$W-away"; mkdir -p "$W/out/x"; : >"$W/file""#, 200, ""),
    (r#"mv "$W" "$W-away"; : >"$W""#, 200, ""),
    (r#"rm -rf "$W"; ln -s "$OUTSIDE" "$W""#, 200, ""),
    (r#"mv "$TMP_OUTPUT_DIR" "$W/away"; ln -s "$OUTSIDE" "$TMP_OUTPUT_DIR""#, 200, ""),
    (r#"rm -rf "$TMP_OUTPUT_DIR"; ln -s "$OUTSIDE/out" "$TMP_OUTPUT_DIR""#, 200, ""),
    (r#"rm -rf "$TMP_INPUT_DIR"; ln -s "$OUTSIDE" "$TMP_INPUT_DIR""#, 200, ""),
    (r#"ln -s "$OUTSIDE/precious" "$TMP_OUTPUT_DIR/x"; ln -s "$OUTSIDE" "$TMP_OUTPUT_DIR/d""#, 200, ""),
    (r#"cd "$TMP_OUTPUT_DIR"; ln -s ../../../../../../../../"$OUTSIDE/precious" x; ln -s "$W/out/x" y"#, 200, ""),
    (
        r#"mkdir "$TMP_OUTPUT_DIR/d"; ln -s "$OUTSIDE" "$TMP_OUTPUT_DIR/d/e"; ln -s d/e/precious "$TMP_OUTPUT_DIR/z""#,
        200,
        "",
    ),
    (
        r#"mkfifo "$TMP_OUTPUT_DIR/fifo"; ln -s fifo "$TMP_OUTPUT_DIR/link"; ln -s /dev/zero "$TMP_OUTPUT_DIR/zero""#,
        200,
        "",
    ),
    (r#"cd "$TMP_OUTPUT_DIR"; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'"#, 200, ""),
    (r#"mknod "$TMP_OUTPUT_DIR/null" c 1 3 2>/dev/null || :"#, 200, ""),
    (r#"ln -s /etc/passwd "$RESPONSE_HEADERS_PATH""#, 500, "RESPONSE_HEADERS_PATH"),
    (r#"ln -s "$OUTSIDE/precious" "$RESPONSE_HEADERS_PATH""#, 500, "RESPONSE_HEADERS_PATH"),
    (r#"mkfifo "$RESPONSE_HEADERS_PATH""#, 500, "RESPONSE_HEADERS_PATH"),
    (r#"mkdir "$RESPONSE_HEADERS_PATH""#, 500, "RESPONSE_HEADERS_PATH"),
    (r#"mkdir "$W/logs"; ln -s "$OUTSIDE/new" "$W/logs-x""#, 200, ""),
];

#[test]
fn whatever_a_function_does_to_its_workspace_nothing_outside_is_read_or_changed_and_nothing_is_left() {
    let outside = Outside::new();
    let server = serve_command(r#"W=${TMP_OUTPUT_DIR%/out}; eval "$Http_X_Attack"; exit 0"#)
        .env("OUTSIDE", outside.path())
        .quiet()
        .start();
    for (attack, status, part) in ATTACKS {
        for accept in ["*/*", "application/json", "text/event-stream"] {
            let answer = server.post(encode("input")).header("X-Attack", attack).accept(accept).send();
            let wanted = if accept == "text/event-stream" { 200 } else { *status };
            assert!(answer.status == wanted && answer.whole, "{attack}: {answer}");
            assert!(answer.text().contains(part) && !shows_secret(&answer.body), "{attack}: {answer}");
            assert!(!answer.text().contains("root:"), "{attack}: {answer}");
            outside.is_untouched();
            eventually(&format!("nothing is left after {attack}: {:?}", server.open()), || {
                (server.open().is_empty() && server.descendants().is_empty()).then_some(())
            });
        }
    }
}

#[test]
fn long_logs_are_not_written_where_a_link_leads() {
    let outside = Outside::new();
    let command =
        r#"W=${TMP_OUTPUT_DIR%/out}; mv "$W" "$W-away"; ln -s "$OUTSIDE" "$W"; seq 1 100000000 | head -c 2000000"#;
    let server = serve_command(command).env("OUTSIDE", outside.path()).quiet().start();
    let answer = server.get("/").send().expect(200);
    assert_eq!(answer.body.len(), 2_000_000);
    outside.is_untouched();
    server.is_clean();
}

#[test]
fn a_workspace_moved_out_of_its_place_is_removed_there() {
    let outside = Outside::new();
    let command = r#"W=${TMP_OUTPUT_DIR%/out}; mv "$W" "$SCRATCH/moved"; ln -s "$OUTSIDE" "$W""#;
    let server = serve_command(command).env("OUTSIDE", outside.path()).quiet().start();
    server.post(encode("input")).send().expect(200);
    eventually("nothing is left where it was moved", || (!server.scratch().join("moved").exists()).then_some(()));
    outside.is_untouched();
    server.is_clean();
}

/// The output directory of the one invocation that there is.
fn output_of(server: &Server) -> Option<PathBuf> {
    let workspace = fs::read_dir(server.workspace()).ok()?.flatten().next()?;
    Some(workspace.path().join("out"))
}

#[test]
fn a_file_that_becomes_a_link_while_it_is_read_is_not_followed() {
    let outside = Outside::new();
    let command = r#"cd "$TMP_OUTPUT_DIR"; for i in 5 6 7 8 9; do head -c 300000 /dev/zero >"a$i"; mkdir "d$i"; : >"d$i/precious"; done"#;
    let server = serve_command(command).quiet().start();
    let over = AtomicBool::new(false);
    let (mut whole, mut swapped) = (0, 0);
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            let mut swaps = 0;
            while !over.load(Ordering::Relaxed) {
                // The function has written its last file: it must not follow the links itself.
                let Some(output) = output_of(&server).filter(|output| output.join("d9/precious").exists()) else {
                    continue;
                };
                // Anything may have been removed meanwhile.
                for name in ["a7", "d7", "d8/precious"] {
                    let path = output.join(name);
                    let target = if name == "d7" { outside.path().to_owned() } else { outside.path().join("precious") };
                    let aside = output.join(".aside");
                    if path.exists() && fs::rename(&path, &aside).is_ok() && symlink(target, &path).is_ok() {
                        swaps += 1;
                    }
                    let _ = fs::remove_file(&aside);
                }
            }
            swaps
        });
        for round in 0..30 {
            let accept = ["application/octet-stream", "application/json", "*/*"][round % 3];
            let answer = server.get("/").accept(accept).send();
            // Broken off, a failure, or an answer without what was swapped in time.
            assert!(matches!(answer.status, 200 | 500), "{answer}");
            assert!(!shows_secret(&answer.body), "the link was followed, as {accept}");
            whole += usize::from(answer.whole);
        }
        over.store(true, Ordering::Relaxed);
        swapped = racer.join().expect("the racer");
    });
    assert!(swapped > 0, "nothing was ever swapped; {whole} answers were whole");
    outside.is_untouched();
    server.is_clean();
}

/// A shell command as another user.
#[track_caller]
fn as_neighbour(command: &str, place: &Path) -> crate::harness::Ran {
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "/bin/sh", "-c", command];
    program("setpriv").args(nobody).env("PLACE", place).run()
}

#[test]
fn a_neighbour_in_a_shared_directory_changes_nothing_and_sees_nothing() {
    if !rustix::process::geteuid().is_root() {
        return did_not_run("hostile neighbour", "only root can become another user");
    }
    let builder = serve(function("hold.sh")).quiet();
    let place = builder.workspace();
    fs::set_permissions(place.parent().expect("a home"), fs::Permissions::from_mode(0o755)).expect("chmod");
    fs::set_permissions(&place, fs::Permissions::from_mode(0o1777)).expect("chmod");
    let outside = Outside::new();
    let prepare = format!(
        r#"cd "$PLACE"; ln -s '{outside}' bandog-0123456789ab-3; ln -s '{outside}' bandog-0123456789ab-4; : >bandog-0123456789ab-5; mkfifo bandog-0123456789ab-6
        mkdir -p bandog-0123456789ab-0/in bandog-0123456789ab-1 bandog-0123456789ab-2/inner; chmod 000 bandog-0123456789ab-2
        i=0; while [ $i -lt 500 ]; do : >"bandog-0123456789ab-1$i"; i=$((i + 1)); done"#,
        outside = outside.path().display()
    );
    as_neighbour(&prepare, &place).expect(0);
    let theirs = listing(&place);
    assert!(theirs.len() > 500);
    // A lock of theirs is none of ours.
    let locked = fs::File::open(place.join("bandog-0123456789ab-1")).expect("a directory");
    rustix::fs::flock(&locked, rustix::fs::FlockOperation::LockExclusive).expect("a lock");
    let server = builder.start();
    assert_eq!(listing(&place), theirs, "the start touches nothing of theirs");
    std::thread::scope(|scope| {
        let held = scope.spawn(|| server.post(encode("ours")).header("X-Call-Id", "held").send());
        server.sign("started.held");
        assert_eq!(children(i32::try_from(server.pid()).expect("a pid")).len(), 1);
        let own = listing(&place).into_iter().find(|path| !theirs.contains(path)).expect("our workspace");
        let own = place.join(own.split('/').next().expect("a name"));
        for attempt in ["ls", "rmdir", "mv -t /tmp", "chmod 777", "cat"] {
            let tried = as_neighbour(&format!("{attempt} '{}'", own.display()), &place);
            assert_ne!(tried.code(), 0, "{attempt}: {tried}");
        }
        let listed = as_neighbour(&format!("cat '{}'/in/*", own.display()), &place);
        assert!(listed.code() != 0 && listed.stdout.is_empty(), "{listed}");
        server.give("go");
        assert_eq!(held.join().expect("an answer").expect(200).text(), "done\n");
    });
    eventually("ours is removed and theirs is left alone", || (listing(&place) == theirs).then_some(()));
    outside.is_untouched();
    as_neighbour(r#"cd "$PLACE"; chmod 700 bandog-0123456789ab-2; rm -rf bandog-*"#, &place).expect(0);
}

//! Nothing outlives its request, however it tries, and nothing outlives bandog by much.
//!
//! `fixtures/leave` has functions that leave something behind, one habit each. Every one is tried with every end of a
//! request, by an ordinary process, by one that is process 1 (`unshare --pid`), and with and without a cgroup;
//! `images.rs` has the same in a container.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::harness::{
    Request, Server, did_not_run, encode, eventually, fixture, marked, serve_command, server::Builder,
};

/// Leaves behind what the caller asks for, and then ends or does not.
const FUNCTION: &str = r#"
    "$LEAVE/$Http_X_Leaves" || exit 9
    echo $$ >"$SCRATCH/.started.$CALL_ID" && mv "$SCRATCH/.started.$CALL_ID" "$SCRATCH/started.$CALL_ID"
    case $Http_X_Then in
    exit) exit ;;
    stop) kill -STOP $$ ;;
    esac
    exec sleep "$HARNESS_MARK"
"#;

/// Habits that work for every user.
const ANYBODY: [&str; 8] =
    ["child.sh", "grandchildren.sh", "closed.sh", "daemon.sh", "deaf.sh", "stopped.sh", "traced.py", "vforked.py"];

/// Habits that need root to set up. The bombs among them, for a limit counts all processes of a user.
const ROOT: [&str; 4] = ["namespace.sh", "stranger.sh", "bomb.py", "swarm.py"];

/// A process that is never the same: found because no orphan is reaped while its kin is looked for.
const HOPPER: &str = "hopper.py";

/// bandog in the cgroup that the tests run in.
const ORDINARY: &[&str] = &[];

/// Where no cgroup can be seen.
const WITHOUT_CGROUP: &[&str] = &["unshare", "--mount", "sh", "-c", "umount --all --types cgroup2; exec \"$0\" \"$@\""];

/// The first process of a namespace, as in a container.
const PROCESS_1: &[&str] = &["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];

/// Both.
const PROCESS_1_WITHOUT_CGROUP: &[&str] = &[
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--mount-proc",
    "--kill-child",
    "sh",
    "-c",
    "umount --all --types cgroup2; exec \"$0\" \"$@\"",
];

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        did_not_run("what users, namespaces and mounts hide", "only root can make them");
    }
    root
}

/// The habits that are tried here.
fn habits() -> Vec<&'static str> {
    ANYBODY.into_iter().chain(ROOT.into_iter().filter(|_| is_root())).chain([HOPPER]).collect()
}

/// A listener for [`FUNCTION`].
fn serve() -> Builder {
    serve_command(FUNCTION)
        .args(["--log-level", "ERROR"])
        .env("LEAVE", fixture("leave"))
        .args(["--kill-grace", "200ms"])
}

fn leaves(server: &Server, habit: &str, then: &str) -> Request {
    server.get("/").header("X-Leaves", habit).header("X-Then", then).header("X-Call-Id", format!("{habit}.{then}"))
}

#[track_caller]
fn nobody_lives(server: &Server, habit: &str) {
    let living = server.living();
    let shown: Vec<_> = living.iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/status"))).collect();
    assert!(living.is_empty(), "left by {habit}: {shown:?} {server}");
}

fn after_its_end(under: &'static [&'static str]) {
    let server = serve().under(under).start();
    for habit in habits() {
        for _ in 0..3 {
            leaves(&server, habit, "exit").send().expect(200);
            nobody_lives(&server, habit);
        }
    }
    server.is_clean();
}

fn after_a_timeout(under: &'static [&'static str]) {
    let server = serve().under(under).args(["--exec-timeout", "2s"]).start();
    thread::scope(|scope| {
        for habit in habits() {
            for then in ["stay", "stop"] {
                let request = leaves(&server, habit, then);
                scope.spawn(|| request.send().problem(504));
                server.sign(&format!("started.{habit}.{then}"));
            }
        }
    });
    nobody_lives(&server, "one of them");
    server.is_clean();
}

fn after_the_client_has_gone(under: &'static [&'static str]) {
    let server = serve().under(under).start();
    for habit in habits() {
        for then in ["stay", "stop"] {
            let mut wire = server.connect();
            wire.write(&leaves(&server, habit, then).head());
            server.sign(&format!("started.{habit}.{then}"));
            wire.leave();
            server.is_clean();
        }
    }
}

fn after_the_shutdown(under: &'static [&'static str]) {
    let mut server = serve().under(under).args(["--drain-timeout", "1s"]).start();
    let _wires: Vec<_> = habits()
        .into_iter()
        .map(|habit| {
            let mut wire = server.connect();
            wire.write(&leaves(&server, habit, "stay").head());
            server.sign(&format!("started.{habit}.stay"));
            wire
        })
        .collect();
    server.signal(rustix::process::Signal::TERM);
    let (status, _) = server.end();
    assert_eq!(status.code(), Some(0), "{server}");
    server.check_nothing_is_left();
}

#[test]
fn nothing_outlives_the_function() {
    after_its_end(ORDINARY);
}

#[test]
fn nothing_outlives_a_timeout() {
    after_a_timeout(ORDINARY);
}

#[test]
fn nothing_outlives_a_client_that_has_gone() {
    after_the_client_has_gone(ORDINARY);
}

#[test]
fn nothing_outlives_the_shutdown() {
    after_the_shutdown(ORDINARY);
}

#[test]
fn nothing_outlives_the_function_without_a_cgroup() {
    if is_root() {
        after_its_end(WITHOUT_CGROUP);
    }
}

#[test]
fn nothing_outlives_a_timeout_without_a_cgroup() {
    if is_root() {
        after_a_timeout(WITHOUT_CGROUP);
    }
}

#[test]
fn nothing_outlives_a_client_that_has_gone_without_a_cgroup() {
    if is_root() {
        after_the_client_has_gone(WITHOUT_CGROUP);
    }
}

#[test]
fn nothing_outlives_the_shutdown_without_a_cgroup() {
    if is_root() {
        after_the_shutdown(WITHOUT_CGROUP);
    }
}

#[test]
fn as_process_1_nothing_outlives_the_function() {
    if is_root() {
        after_its_end(PROCESS_1);
        after_its_end(PROCESS_1_WITHOUT_CGROUP);
    }
}

#[test]
fn as_process_1_nothing_outlives_a_timeout() {
    if is_root() {
        after_a_timeout(PROCESS_1_WITHOUT_CGROUP);
    }
}

#[test]
fn of_two_side_by_side_only_the_own_are_killed() {
    for under in [ORDINARY, WITHOUT_CGROUP].into_iter().filter(|under| under.is_empty() || is_root()) {
        let server = serve().under(under).start();
        let mut wire = server.connect();
        wire.write(&leaves(&server, "daemon.sh", "stay").head());
        server.sign("started.daemon.sh.stay");
        let other: i32 = server.sign("daemon.daemon.sh.stay").trim().parse().expect("a process id");
        for _ in 0..10 {
            leaves(&server, "daemon.sh", "exit").send().expect(200);
            let own: i32 = server.sign("daemon.daemon.sh.exit").trim().parse().expect("a process id");
            let living = server.living();
            assert!(living.contains(&other) && !living.contains(&own), "{own} ended, {other} did not: {living:?}");
            fs::remove_file(server.scratch().join("daemon.daemon.sh.exit")).expect("removable");
        }
        wire.leave();
        server.is_clean();
    }
}

#[test]
fn what_a_killed_bandog_leaves_ends_with_it_or_at_the_next_start() {
    for under in [ORDINARY, WITHOUT_CGROUP].into_iter().filter(|under| under.is_empty() || is_root()) {
        let neighbour = serve().under(under).start();
        let mut wire = neighbour.connect();
        wire.write(&leaves(&neighbour, "daemon.sh", "stay").head());
        let next_door = ["started", "daemon"].map(|kind| neighbour.sign(&format!("{kind}.daemon.sh.stay")));
        let next_door = next_door.map(|pid| pid.trim().parse::<i32>().expect("a process id"));

        let first = serve().under(under).beside(&neighbour).start();
        let habits = ["child.sh", "grandchildren.sh", "daemon.sh", "stopped.sh", "deaf.sh"];
        let started = habits.map(|habit| {
            let mut wire = first.connect();
            wire.write(&leaves(&first, habit, "stay").head());
            let leader = first.sign(&format!("started.{habit}.stay"));
            (wire, leader.trim().parse::<i32>().expect("a process id"))
        });
        let (wires, leaders): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let mark = first.mark().to_owned();
        let cgroups = cgroups_of(&first);
        let daemon: i32 = first.sign("daemon.daemon.sh.stay").trim().parse().expect("a process id");
        let killed = Instant::now();
        let home = first.kill();
        drop(wires);
        // The functions alone: an adopted process gets no signal when bandog dies.
        eventually("the functions died with it", || {
            let living = marked(&mark);
            (!leaders.iter().any(|pid| living.contains(pid))).then_some(())
        });
        eprintln!("the functions died {:?} after it", killed.elapsed());
        assert!(marked(&mark).contains(&daemon), "a daemon is not told");

        let second = serve().under(under).after(home).start();
        assert_eq!(marked(&mark), [0; 0], "{second}");
        for cgroup in &cgroups {
            assert!(!cgroup.exists(), "{} is left: {second}", cgroup.display());
        }
        let living = neighbour.living();
        assert!(next_door.iter().all(|pid| living.contains(pid)), "the neighbour's are untouched: {living:?} {second}");
        let open = neighbour.open().into_iter().filter(|path| !path.contains('/')).count();
        assert_eq!(open, 1, "only the neighbour's workspace is left: {second}");
        wire.leave();
        neighbour.is_clean();
        drop(second);
    }
}

/// How many orphans each of [`ORPHANAGE`] makes.
const ORPHANS: u32 = 500;

/// Makes orphans that end at once: half of them before their parent does.
const ORPHANAGE: &str = "n=0; while [ $n -lt 500 ]; do (: &); n=$((n + 1)); done; exit \"$(cat \"$INPUT_FILE_PATH\")\"";

fn reaping(under: &'static [&'static str]) {
    let server = serve_command(ORPHANAGE).quiet().under(under).start();
    let begun = Instant::now();
    let rounds = 4;
    thread::scope(|scope| {
        for client in 0..4_u32 {
            let server = &server;
            scope.spawn(move || {
                for round in 0..rounds {
                    let code = 1 + client * 50 + round;
                    let problem = server.post(encode(code.to_string())).send().problem(500);
                    assert_eq!(problem["exit_code"], code, "{problem}");
                }
            });
        }
    });
    let rate = f64::from(4 * rounds * ORPHANS) / begun.elapsed().as_secs_f64();
    let caught_up = Instant::now();
    server.is_clean();
    eprintln!("{rate:.0} orphans a second; the last was gone {:?} after the last answer", caught_up.elapsed());
    // A reaper that does not keep up leaves thousands behind.
    assert!(caught_up.elapsed() < Duration::from_secs(5), "it took {:?}", caught_up.elapsed());
}

#[test]
fn orphans_are_reaped_and_no_exit_code_is_stolen() {
    reaping(ORDINARY);
}

#[test]
fn as_process_1_orphans_are_reaped_and_no_exit_code_is_stolen() {
    if is_root() {
        reaping(PROCESS_1);
    }
}

#[test]
fn cgroups_are_used_if_they_can_be_and_none_is_left() {
    let mut server = serve_command(FUNCTION).env("LEAVE", fixture("leave")).args(["--log-level", "DEBUG"]).start();
    server.log_line("whether cgroups are used", |line| line.contains("functions run ") && line.contains("cgroups"));
    let usable = server.log().contains("functions run in cgroups below");
    let mut wire = server.connect();
    wire.write(&leaves(&server, "daemon.sh", "stay").head());
    server.sign("started.daemon.sh.stay");
    let own = cgroups_of(&server);
    assert_eq!(own.len(), usize::from(usable), "one for function and daemon: {own:?} {server}");
    assert!(own.iter().all(|path| path.exists()), "{own:?}");
    wire.leave();
    server.is_clean();
    for habit in ["child.sh", "daemon.sh", "deaf.sh"] {
        leaves(&server, habit, "exit").send().expect(200);
    }
    server.signal(rustix::process::Signal::TERM);
    server.end();
    server.check_nothing_is_left();
    for cgroup in own.iter().filter_map(|path| path.parent()) {
        assert!(!cgroup.exists(), "{} is left", cgroup.display());
    }
    if !usable {
        did_not_run("cgroups", "none can be made here");
    }
}

#[test]
fn what_drops_every_mark_still_ends_with_its_cgroup() {
    let server = serve_command(FUNCTION).env("LEAVE", fixture("leave")).args(["--log-level", "DEBUG"]).start();
    server.log_line("whether cgroups are used", |line| line.contains("functions run ") && line.contains("cgroups"));
    if !server.log().contains("functions run in cgroups below") {
        did_not_run("what only a cgroup holds", "none can be made here");
        return;
    }
    for _ in 0..5 {
        leaves(&server, "unmarked.sh", "exit").send().expect(200);
        nobody_lives(&server, "unmarked.sh");
        fs::remove_file(server.scratch().join("unmarked")).expect("it was there");
    }
}

#[test]
fn what_leaves_the_cgroup_but_not_the_group_is_killed_whatever_it_drops() {
    let server = serve_command(FUNCTION).env("LEAVE", fixture("leave")).args(["--log-level", "DEBUG"]).start();
    server.log_line("whether cgroups are used", |line| line.contains("functions run ") && line.contains("cgroups"));
    if !server.log().contains("functions run in cgroups below") {
        did_not_run("what leaves its cgroup", "none can be made here");
        return;
    }
    for _ in 0..5 {
        leaves(&server, "mover.sh", "exit").send().expect(200);
        // bandog cannot wait for a process that it knows by its group alone, whose number is gone.
        eventually("the end of mover.sh's child", || server.living().is_empty().then_some(()));
        fs::remove_file(server.scratch().join("moved")).expect("it was there");
    }
    server.is_clean();
}

/// The cgroups in which it has functions running.
fn cgroups_of(server: &Server) -> BTreeSet<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("readable");
    let Some(mount) = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|line| line[2] == "cgroup2")
    else {
        return BTreeSet::new();
    };
    let of = |pid: i32| fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let own = |text: String| text.lines().find_map(|line| line.strip_prefix("0::/").map(str::to_owned));
    let paths = server.living().into_iter().filter_map(|pid| own(of(pid)));
    paths.filter(|path| path.contains("bandog-")).map(|path| Path::new(mount[1]).join(path)).collect()
}

#[test]
fn a_function_that_goes_over_to_another_group_is_ended_like_any_other() {
    let leave = fixture("leave/aside.py");
    let server = serve_command(&format!("exec {}", leave.display()))
        .quiet()
        .args(["--exec-timeout", "2s", "--kill-grace", "200ms"])
        .start();
    // Without the signal to the leader itself in `Leader::signal` it runs for as long as it likes.
    server.get("/").send().problem(504);
    nobody_lives(&server, "aside.py");
    server.is_clean();
}

#[test]
fn a_function_that_makes_siblings_of_itself_leaves_none_living_or_dead() {
    let leave = fixture("leave/sibling.py");
    let server = serve_command(&format!("exec {}", leave.display())).quiet().start();
    for _ in 0..3 {
        server.get("/").send().expect(200);
        // Without `leftovers::end_siblings` they are children of a thread that waits for no child.
        nobody_lives(&server, "sibling.py");
        server.is_clean();
    }
}

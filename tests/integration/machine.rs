//! bandog's promises where it has cgroup v2 to itself: in a virtual machine of its own (`scripts/machine.sh`), with an
//! older kernel than most containers have. The checks are in `machine/script.sh`, one boot makes all of them.

use std::{process::Command, sync::OnceLock};

use crate::harness::{did_not_run, shown};

/// The output of the machine; `None` where none can be had.
fn machine() -> Option<&'static str> {
    static CONSOLE: OnceLock<Result<String, String>> = OnceLock::new();
    let console = CONSOLE.get_or_init(|| {
        let root = env!("CARGO_MANIFEST_DIR");
        run(root, "scripts/build.sh", &[])?;
        run(root, "scripts/machine.sh", &["tests/integration/machine/script.sh"])
    });
    match console {
        Ok(console) => Some(console),
        Err(reason) => {
            did_not_run("machine tests", reason);
            None
        }
    }
}

/// The standard output of a script that succeeds; the standard error of one that does not.
fn run(root: &str, script: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(format!("{root}/{script}")).args(arguments).current_dir(root).output();
    let output = output.map_err(|error| format!("{script}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(shown(&output.stderr))
    }
}

/// Looks for the line of a check. The name of a test is the name of its check.
#[track_caller]
fn holds(check: &str) {
    let Some(console) = machine() else { return };
    let wanted = format!("ok {check}");
    assert!(console.lines().any(|line| line == wanted), "{check}:\n{console}");
}

#[test]
fn memory_is_limited_for_all_processes_of_an_invocation_together() {
    holds("memory_is_limited_for_all_processes_of_an_invocation_together");
}

#[test]
fn processes_of_an_invocation_are_limited_for_root_too() {
    holds("processes_of_an_invocation_are_limited_for_root_too");
}

#[test]
fn a_bomb_that_leaves_its_group_each_time_is_gone_with_its_answer() {
    holds("a_bomb_that_leaves_its_group_each_time_is_gone_with_its_answer");
}

#[test]
fn daemons_are_gone_with_their_answer_with_and_without_cgroups() {
    holds("daemons_are_gone_with_their_answer_with_and_without_cgroups");
}

#[test]
fn a_killed_bandog_leaves_nothing_for_long() {
    holds("a_killed_bandog_leaves_nothing_for_long");
}

#[test]
fn limits_work_in_a_cgroup_of_a_container_engine() {
    holds("limits_work_in_a_cgroup_of_a_container_engine");
}

#[test]
fn a_sandbox_that_the_kernel_cannot_make_is_refused_at_start() {
    holds("a_sandbox_that_the_kernel_cannot_make_is_refused_at_start");
}

#[test]
fn what_one_invocation_does_to_its_limits_is_not_the_next_ones() {
    holds("what_one_invocation_does_to_its_limits_is_not_the_next_ones");
}

#[test]
fn a_limit_that_one_controller_holds_does_not_wait_for_the_other() {
    holds("a_limit_that_one_controller_holds_does_not_wait_for_the_other");
}

#[test]
fn memory_of_the_container_is_told_apart_beside_other_limits() {
    holds("memory_of_the_container_is_told_apart_beside_other_limits");
}

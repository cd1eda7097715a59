//! The command lines of platforms, and mistakes of a configuration.

use crate::harness::{Builder, Ran, bandog};

fn fwatchdog(arguments: &[&str]) -> crate::harness::Command {
    bandog(arguments).named("fwatchdog")
}

#[test]
fn the_probe_by_command_finds_the_lock_and_says_so_when_it_is_missing() {
    let server = Builder::new().fwatchdog().env("fprocess", "supervisor").env("SCRIPT", "OgA=").start();
    let place = server.lock().parent().expect("a directory").to_owned();
    for flag in ["-run-healthcheck", "--run-healthcheck", "-run-healthcheck=true"] {
        // Whatever else is set: nothing of it is read.
        let ran = fwatchdog(&[flag]).env("TMPDIR", &place).env("read_timeout", "nonsense").run().expect(0);
        assert!(ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran}");
    }
    std::fs::remove_file(server.lock()).expect("removed");
    let ran = fwatchdog(&["-run-healthcheck"]).env("TMPDIR", &place).run().expect(1);
    assert_eq!(ran.complaint(), "unable to find lock file.\n");
}

#[test]
fn the_version_is_one_line_of_the_log_and_the_help_is_gos() {
    for flag in ["-version", "--version"] {
        let ran = fwatchdog(&[flag]).run().expect(0);
        let line = ran.complaint();
        assert!(line.ends_with(&format!(" Version: {}\tSHA: unknown\n", env!("CARGO_PKG_VERSION"))), "{ran}");
        assert!(line.lines().count() == 1 && ran.stdout.is_empty(), "{ran}");
    }
    let ran = fwatchdog(&["-h"]).run().expect(0);
    assert!(ran.complaint().starts_with("Usage of ") && ran.complaint().contains("  -run-healthcheck\n"), "{ran}");
}

#[test]
fn bandogs_own_commands_work_under_the_name_too() {
    let run = fwatchdog(&["run", "--log-level", "critical", "-i", "x"]).with_workspace();
    assert_eq!(run.args(["--", "echo", "hello"]).run().expect(0).text(), "hello\n");
    let help = fwatchdog(&["--help"]).run().expect(0);
    assert!(help.text().contains("--exec-timeout"), "{help}");
}

fn check(variables: &[(&str, &str)]) -> Ran {
    let command = fwatchdog(&["check"]).with_workspace();
    variables.iter().fold(command, |command, (name, value)| command.env(name, value)).run()
}

/// Value and origin of a setting, as `check` prints them.
fn shown(ran: &Ran, name: &str) -> String {
    let line = ran.text().lines().find(|line| line.split_whitespace().next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {ran}"));
    line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
}

#[test]
fn check_shows_what_the_old_names_say_and_where_it_comes_from() {
    let ran = check(&[
        ("fprocess", "/oscar/bin/supervisor"),
        ("SCRIPT", "OgA="),
        ("port", "9000"),
        ("PORT", "8080"),
        ("max_inflight", "3"),
        ("exec_timeout", "0"),
        ("write_timeout", "5m"),
        ("healthcheck_interval", "5"),
        ("read_timeout", "20"),
        ("BANDOG_READ_TIMEOUT", "7s"),
        ("cgi_headers", "false"),
        ("suppress_lock", "true"),
    ])
    .expect(0);
    for (name, wanted) in [
        ("--mode", "files fprocess"),
        ("--listen", "0.0.0.0:9000 port"),
        ("--max-inflight", "3 max_inflight"),
        ("--exec-timeout", "5m write_timeout"),
        ("--drain-timeout", "5m write_timeout"),
        ("--shutdown-delay", "5s healthcheck_interval"),
        ("--read-timeout", "7s BANDOG_READ_TIMEOUT"),
        ("--metrics", "0.0.0.0:8081 default"),
        ("--service", "- default"),
        ("cgi_headers", "false cgi_headers"),
        ("suppress_lock", "true suppress_lock"),
    ] {
        assert_eq!(shown(&ran, name), wanted, "{name}");
    }
}

#[test]
fn every_value_that_makes_no_sense_is_named_and_lenient_takes_the_defaults() {
    let wrong = [
        ("fprocess", "supervisor"),
        ("SCRIPT", "OgA="),
        ("read_timeout", "1d"),
        ("write_timeout", "-5"),
        ("max_inflight", "many"),
        ("write_debug", "maybe"),
    ];
    let ran = check(&wrong).expect(78);
    for name in ["read_timeout", "write_timeout", "max_inflight", "write_debug"] {
        assert!(ran.text().contains(&format!("mistake: {name}: ")), "{name}: {ran}");
    }
    let lenient: Vec<_> = wrong.into_iter().chain([("BANDOG_COMPAT", "lenient")]).collect();
    let ran = check(&lenient).expect(0);
    assert!(ran.text().contains("warning: read_timeout: \"1d\""), "{ran}");
    assert_eq!(shown(&ran, "--read-timeout"), "30s default");
}

#[test]
fn what_bandog_does_not_do_and_words_it_does_not_know_keep_it_from_starting() {
    for (name, value, told) in [
        ("oauth_enabled", "true", "no browser login"),
        ("mode", "afterburn", "no such mode"),
        ("mode", "inproc", "no such mode"),
        ("one_shot", "true", "does not end after one request"),
        ("BANDOG_COMPAT", "status-409", "status-408"),
    ] {
        let ran = check(&[("fprocess", "cat"), (name, value)]).expect(78);
        assert!(ran.text().contains("mistake: ") && ran.text().contains(told), "{name}={value}: {ran}");
    }
    let ran = check(&[("fprocess", "/oscar/bin/supervisor")]).expect(78);
    assert!(ran.text().contains("names OSCAR's supervisor"), "{ran}");
}

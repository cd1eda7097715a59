//! Values, defaults and secrets.

use std::{io::Write as _, os::fd::AsRawFd as _, time::Duration};

use super::super::setting::Group;
use super::*;
use crate::{invocation::Stdin, logs::Level, telemetry::Format};

#[test]
fn with_nothing_set_the_defaults_are_those_that_are_documented() {
    let config = World::new().config();
    assert_eq!(config.listener.address.to_string(), "0.0.0.0:8080");
    assert_eq!(config.telemetry.metrics, Metrics::On);
    assert_eq!(config.function.service, None);
    assert_eq!(config.telemetry.level, Level::Info);
    assert_eq!(config.telemetry.format, Format::Text);
    assert!(!config.telemetry.forward_logs);
    assert_eq!(config.limits.max_logs, 64 << 20);
    assert_eq!(config.limits.exec_timeout, Some(Duration::from_mins(5)));
    assert_eq!(config.limits.kill_grace, Duration::from_secs(5));
    assert_eq!((config.limits.max_inflight, config.limits.max_queue), (0, 0));
    assert_eq!(config.limits.queue_timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.limits.max_body, 1 << 30);
    assert_eq!(config.limits.read_timeout, Some(Duration::from_mins(5)));
    assert_eq!(config.listener.auth.token, None);
    assert_eq!(config.function.workspace, Path::new("/tmp"));
    assert_eq!(config.lifecycle.shutdown_delay, Duration::ZERO);
    assert_eq!(config.lifecycle.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.bodies.stdin, Stdin::Null);
    assert_eq!(config.listener.address_file, None);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn every_default_is_read_without_a_mistake() {
    let resolution = World::new().sources.resolve();
    assert_eq!(resolution.mistakes, []);
    for setting in setting::ALL {
        let is_listed = resolution.entries.iter().any(|entry| entry.name == setting.flag());
        // `--script` shows as the function.
        assert!(is_listed || setting.name == "script", "{}", setting.name);
    }
}

#[test]
fn a_flag_beats_bandogs_variable_beats_the_platform_beats_the_file_beats_the_default() {
    let level = |world: &World| (world.config().telemetry.level, world.origin("--log-level"));
    let world = World::new();
    assert_eq!(level(&world), (Level::Info, "default".to_owned()));
    let world = world.file("function_config.yaml", "log_level: debug\nname: from-file\n");
    let file = world.path("function_config.yaml");
    assert_eq!(level(&world), (Level::Debug, format!("key log_level of {}", file.display())));
    let world = world.variable("LOG_LEVEL", "warning");
    assert_eq!(level(&world), (Level::Warning, "LOG_LEVEL".to_owned()));
    let world = world.variable("BANDOG_LOG_LEVEL", "Error");
    assert_eq!(level(&world), (Level::Error, "BANDOG_LOG_LEVEL".to_owned()));
    let world = world.flag("log-level", "CRITICAL");
    assert_eq!(level(&world), (Level::Critical, "flag".to_owned()));
}

#[test]
fn the_service_is_named_by_oscar_then_knative_then_the_file() {
    let world = World::new().file("function_config.yaml", "name: file\n");
    assert_eq!(world.config().function.service.as_deref(), Some("file"));
    let world = world.variable("K_SERVICE", "knative");
    assert_eq!(world.config().function.service.as_deref(), Some("knative"));
    let world = world.variable("OSCAR_SERVICE_NAME", "oscar");
    assert_eq!(world.config().function.service.as_deref(), Some("oscar"));
    let world = world.variable("OSCAR_SERVICE_NAME", "");
    assert_eq!(world.config().function.service.as_deref(), Some("knative"), "the platform left it empty");
}

#[test]
fn zero_means_no_limit_where_a_limit_is_meant() {
    let config = World::new()
        .flag("exec-timeout", "0")
        .flag("read-timeout", "0s")
        .flag("queue-timeout", "0")
        .flag("kill-grace", "0")
        .flag("drain-timeout", "0")
        .flag("max-body", "0")
        .flag("max-logs", "0")
        .config();
    assert_eq!(
        (config.limits.exec_timeout, config.limits.read_timeout, config.limits.queue_timeout),
        (None, None, None)
    );
    assert_eq!((config.limits.kill_grace, config.lifecycle.drain_timeout), (Duration::ZERO, Duration::ZERO));
    assert_eq!((config.limits.max_body, config.limits.max_logs), (0, 0));
}

#[test]
fn port_is_listened_on_if_nothing_else_is_said() {
    let world = World::new().variable("PORT", "9000");
    assert_eq!(world.config().listener.address.to_string(), "0.0.0.0:9000");
    assert_eq!(world.origin("--listen"), "PORT");
    assert_eq!(World::new().variable("PORT", "0").config().listener.address.port(), 0);
    for wrong in ["http", "65536", "-1", "+80", "127.0.0.1:80", "tcp://10.0.0.1:80"] {
        let mistake = World::new().variable("PORT", wrong).mistake();
        assert_eq!(mistake, format!("--listen: {wrong:?} (from PORT): expected a port number from 0 to 65535"));
    }
    let unused = World::new().variable("PORT", "tcp://10.0.0.1:80").flag("listen", ":0");
    assert_eq!(unused.config().listener.address.to_string(), "0.0.0.0:0", "what is not used is no mistake");
}

#[test]
fn metrics_are_on_off_or_elsewhere() {
    assert_eq!(World::new().flag("metrics", "OFF").config().telemetry.metrics, Metrics::Off);
    let elsewhere = World::new().flag("metrics", ":8081").config().telemetry.metrics;
    assert_eq!(elsewhere, Metrics::At(([0, 0, 0, 0], 8081).into()));
    assert!(World::new().flag("metrics", "maybe").mistake().contains("expected on, off, or an address"));
}

#[test]
fn a_switch_set_by_a_variable_is_taken_back_by_its_flag() {
    let world = World::new().variable("BANDOG_FORWARD_LOGS", "yes");
    assert!(world.config().telemetry.forward_logs);
    assert!(!world.flag("forward-logs", "false").config().telemetry.forward_logs);
    assert!(World::new().variable("BANDOG_FORWARD_LOGS", "maybe").mistake().contains("expected true or false"));
}

#[test]
fn blanks_around_a_value_are_no_part_of_it() {
    let config = World::new().variable("BANDOG_EXEC_TIMEOUT", " 10m\n").variable("BANDOG_LISTEN", ":1\n").config();
    assert_eq!(config.limits.exec_timeout, Some(Duration::from_mins(10)));
    assert_eq!(config.listener.address.port(), 1);
}

#[test]
fn a_token_is_never_shown() {
    for token in ["s3cr3t", "s3cr3t with blanks", "s3cr3t\u{e9}"] {
        for world in [World::new().flag("token", token), World::new().variable("BANDOG_TOKEN", token)] {
            let resolution = world.sources.resolve();
            assert!(!format!("{resolution:?}").contains("s3cr3t"), "{resolution:?}");
        }
    }
    let world = World::new().flag("token", "s3cr3t").flag("token-file", "/nonexistent");
    assert!(!format!("{:?}", world.sources.resolve()).contains("s3cr3t"));
}

/// A pipe as `<(…)` makes it: what has been written to it is read once, and not waited for.
#[test]
fn a_file_that_is_read_again_cannot_be_a_pipe() {
    for (flag, content, advice) in [
        ("token-file", "t0ken", "give a file, or the token itself in BANDOG_TOKEN"),
        ("script", "#!/bin/sh\n", "give a file"),
        ("ca-file", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "give a file"),
    ] {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(content.as_bytes()).expect("written");
        drop(writer);
        let world = if flag == "script" { World::without_function() } else { World::new() };
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let mistake = world.flag(flag, &path).mistake();
        assert!(mistake.contains("is a pipe") && mistake.contains("can be read only once"), "{mistake}");
        assert!(mistake.ends_with(advice), "{mistake}");
    }
}

#[test]
fn a_token_is_given_once_and_is_not_empty() {
    let config = World::new().variable("BANDOG_TOKEN", "abc\n").config();
    assert_eq!(config.listener.auth.token, Some(Token::Value("abc".to_owned())));
    assert!(World::new().variable("BANDOG_TOKEN", " ").mistake().contains("the token is empty"));
    let both = World::new().variable("BANDOG_TOKEN", "abc").flag("token-file", "/nonexistent").mistake();
    assert_eq!(both, "--token (from BANDOG_TOKEN): given together with --token-file; keep one of them");
}

#[test]
fn a_token_file_is_read_at_start() {
    let world = World::new().file("token", "abc\n").file("empty", "\n").file("two", "a b\n");
    let with = |name: &str| {
        let path = world.path(name);
        let mut sources = world.sources.clone();
        sources.typed.values.insert("token-file", path.clone().into());
        (
            path,
            sources
                .resolve()
                .into_config()
                .map(|config| config.listener.auth.token)
                .map_err(|mistakes| mistakes.to_string()),
        )
    };
    let (path, good) = with("token");
    assert_eq!(good, Ok(Some(Token::File(path))));
    assert!(with("empty").1.expect_err("empty").contains("the token is empty"));
    assert!(with("two").1.expect_err("blanks").contains("visible ASCII"));
    assert!(with("absent").1.expect_err("absent").contains("cannot be read"));
}

#[test]
fn functions_do_not_inherit_what_is_bandogs() {
    let config = World::new().variable("BANDOG_TOKEN", "s3cr3t").variable("HOME", "/root").config();
    assert_eq!(config.function.environment, [("HOME".into(), "/root".into())]);
}

#[test]
fn the_workspace_is_an_existing_directory_in_which_a_directory_can_be_made() {
    let world = World::new().file("file", "");
    let with = |path: &Path| {
        let mut sources = world.sources.clone();
        sources.environment.insert("TMPDIR".into(), path.into());
        sources.resolve().into_config().map(|config| config.function.workspace).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(with(world.dir.path()), Ok(world.dir.path().to_owned()));
    assert_eq!(fs::read_dir(world.dir.path()).expect("dir").count(), 1, "nothing is left of the attempt");
    let absent = with(&world.path("absent")).expect_err("absent");
    assert!(absent.contains("(from TMPDIR)") && absent.contains("--workspace"), "{absent}");
    assert!(with(&world.path("file")).expect_err("a file").contains("not a directory"));
    // Root may write anywhere but here.
    assert!(with(Path::new("/proc/self")).expect_err("proc").contains("cannot make a directory in it"));
}

/// The limits that the status page does not show, with the reason.
const NOT_SHOWN: [(&str, &str); 4] = [
    ("retries", "it permits more, and limits nothing"),
    ("kill-grace", "it only delays the end that another limit brings"),
    ("user", "the page does not tell callers who functions run as"),
    ("allow-write", "the page shows whether there is a sandbox, and not its paths"),
];

#[test]
fn the_status_page_shows_every_limit() {
    let limits = compose::http_settings(&World::new().config()).admin.limits;
    let shown = serde_json::to_value(limits).expect("JSON");
    let mut shown: Vec<&str> = shown.as_object().expect("an object").keys().map(String::as_str).collect();
    let limits = setting::ALL.iter().filter(|setting| matches!(setting.group, Group::Limits | Group::Confinement));
    for setting in limits.filter(|setting| NOT_SHOWN.iter().all(|(name, _)| *name != setting.name)) {
        let name = setting.name.replace('-', "_");
        let before = shown.len();
        shown.retain(|key| key.strip_suffix("_seconds").unwrap_or(key) != name);
        assert_eq!(before - shown.len(), 1, "{name}: add it to ShownLimits, or to NOT_SHOWN with a reason");
    }
    assert_eq!(shown, [""; 0], "the page shows only limits that can be set");
}

//! The promises of the configuration.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

mod actions;

/// Sources in which nothing is set but a function and a place for workspaces.
struct World {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let mut world = Self::without_function();
        world.sources.typed.command = vec!["/bin/sh".into()];
        world
    }

    fn without_function() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let paths = Paths {
            config: dir.path().join("function_config.yaml"),
            script: dir.path().join("script.sh"),
            actions: vec![dir.path().join("root"), dir.path().to_owned()],
        };
        Self { dir, sources: Sources { paths, ..Sources::default() } }
    }

    fn flag(mut self, name: &'static str, value: &str) -> Self {
        self.sources.typed.values.insert(name, value.into());
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.into(), value.into());
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.dir.path().join(name), content).expect("written");
        self
    }

    fn program(self, name: &str, content: &str) -> Self {
        let world = self.file(name, content);
        fs::set_permissions(world.dir.path().join(name), fs::Permissions::from_mode(0o755)).expect("chmod");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn config(&self) -> Config {
        self.sources.resolve().into_config().expect("no mistake")
    }

    fn mistakes(&self) -> Vec<String> {
        self.sources.resolve().mistakes.iter().map(ToString::to_string).collect()
    }

    fn mistake(&self) -> String {
        let mistakes = self.mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        mistakes[0].clone()
    }

    fn command(&self) -> Command {
        self.config().command.expect("a function")
    }

    fn origin(&self, name: &str) -> String {
        let resolution = self.sources.resolve();
        resolution.entries.iter().find(|entry| entry.name == name).expect("listed").origin.to_string()
    }
}

fn words(command: &Command) -> Vec<String> {
    command.arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

// ---- values ----

#[test]
fn with_nothing_set_the_defaults_are_those_that_are_documented() {
    let config = World::new().config();
    assert_eq!(config.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.metrics, Metrics::On);
    assert_eq!(config.service, None);
    assert_eq!(config.log_level, Level::Info);
    assert_eq!(config.log_format, Format::Text);
    assert!(!config.forward_logs);
    assert_eq!(config.max_logs, 64 << 20);
    assert_eq!(config.exec_timeout, Some(Duration::from_mins(5)));
    assert_eq!(config.kill_grace, Duration::from_secs(5));
    assert_eq!((config.max_inflight, config.max_queue), (0, 0));
    assert_eq!(config.queue_timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.max_body, 1 << 30);
    assert_eq!(config.read_timeout, Some(Duration::from_mins(5)));
    assert_eq!(config.token, None);
    assert_eq!(config.workspace, Path::new("/tmp"));
    assert_eq!(config.shutdown_delay, Duration::ZERO);
    assert_eq!(config.drain_timeout, Duration::from_secs(25));
    assert_eq!(config.stdin, Stdin::Null);
    assert_eq!(config.address_file, None);
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
    let level = |world: &World| (world.config().log_level, world.origin("--log-level"));
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
    assert_eq!(world.config().service.as_deref(), Some("file"));
    let world = world.variable("K_SERVICE", "knative");
    assert_eq!(world.config().service.as_deref(), Some("knative"));
    let world = world.variable("OSCAR_SERVICE_NAME", "oscar");
    assert_eq!(world.config().service.as_deref(), Some("oscar"));
    let world = world.variable("OSCAR_SERVICE_NAME", "");
    assert_eq!(world.config().service.as_deref(), Some("knative"), "the platform left it empty");
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
    assert_eq!((config.exec_timeout, config.read_timeout, config.queue_timeout), (None, None, None));
    assert_eq!((config.kill_grace, config.drain_timeout), (Duration::ZERO, Duration::ZERO));
    assert_eq!((config.max_body, config.max_logs), (0, 0));
}

#[test]
fn port_is_listened_on_if_nothing_else_is_said() {
    let world = World::new().variable("PORT", "9000");
    assert_eq!(world.config().listen.to_string(), "0.0.0.0:9000");
    assert_eq!(world.origin("--listen"), "PORT");
    assert_eq!(World::new().variable("PORT", "0").config().listen.port(), 0);
    for wrong in ["http", "65536", "-1", "+80", "127.0.0.1:80", "tcp://10.0.0.1:80"] {
        let mistake = World::new().variable("PORT", wrong).mistake();
        assert_eq!(mistake, format!("--listen: {wrong:?} (from PORT): expected a port number from 0 to 65535"));
    }
    let unused = World::new().variable("PORT", "tcp://10.0.0.1:80").flag("listen", ":0");
    assert_eq!(unused.config().listen.to_string(), "0.0.0.0:0", "what is not used is no mistake");
}

#[test]
fn metrics_are_on_off_or_elsewhere() {
    assert_eq!(World::new().flag("metrics", "OFF").config().metrics, Metrics::Off);
    let elsewhere = World::new().flag("metrics", ":8081").config().metrics;
    assert_eq!(elsewhere, Metrics::At(([0, 0, 0, 0], 8081).into()));
    assert!(World::new().flag("metrics", "maybe").mistake().contains("expected on, off, or an address"));
}

#[test]
fn a_switch_set_by_a_variable_is_taken_back_by_its_flag() {
    let world = World::new().variable("BANDOG_FORWARD_LOGS", "yes");
    assert!(world.config().forward_logs);
    assert!(!world.flag("forward-logs", "false").config().forward_logs);
    assert!(World::new().variable("BANDOG_FORWARD_LOGS", "maybe").mistake().contains("expected true or false"));
}

#[test]
fn blanks_around_a_value_are_no_part_of_it() {
    let config = World::new().variable("BANDOG_EXEC_TIMEOUT", " 10m\n").variable("BANDOG_LISTEN", ":1\n").config();
    assert_eq!(config.exec_timeout, Some(Duration::from_mins(10)));
    assert_eq!(config.listen.port(), 1);
}

// ---- mistakes ----

#[test]
fn a_mistake_says_name_value_origin_and_what_was_expected() {
    assert_eq!(
        World::new().variable("BANDOG_EXEC_TIMEOUT", "5 parsecs").mistake(),
        "--exec-timeout: \"5 parsecs\" (from BANDOG_EXEC_TIMEOUT): expected a duration such as 300, 300s, 5m, 1m30s"
    );
    assert_eq!(
        World::new().flag("max-body", "lots").mistake(),
        "--max-body: \"lots\": expected a size such as 1024, 64KiB, 10MB, 1GiB"
    );
    assert_eq!(
        World::new().flag("max-inflight", "+1").mistake(),
        "--max-inflight: \"+1\": expected a whole number such as 0 or 16"
    );
    assert_eq!(
        World::new().flag("mode", "stream").mistake(),
        "--mode: \"stream\": expected files or stdio or streaming or http or static"
    );
}

#[test]
fn a_function_at_a_url_needs_no_command_and_any_other_does() {
    let upstream = "http://127.0.0.1:3000/api/";
    let world = || World::without_function().flag("mode", "http");
    let config = world().flag("upstream", upstream).config();
    assert_eq!((config.mode, config.command), (Mode::Http, None));
    assert_eq!(config.upstream.expect("a place").to_string(), "http://127.0.0.1:3000/api");
    assert!(world().mistake().starts_with("function: nothing to run"));
    assert!(World::without_function().flag("upstream", upstream).mistake().starts_with("function: nothing to run"));
    assert!(world().flag("upstream", "https://x").mistake().contains("expected a URL such as http://"));
    let ready = World::new().flag("mode", "http").flag("ready-path", "healthz").mistake();
    assert!(ready.contains("expected a path such as /healthz"), "{ready}");
}

#[test]
fn what_is_of_another_mode_is_a_warning() {
    let resolution = World::new().flag("upstream", "http://x").flag("ready-path", "/x").sources.resolve();
    let warnings = resolution.warnings.join("\n");
    assert!(resolution.config.is_some() && warnings.contains("--upstream: ignored"), "{warnings}");
    assert!(warnings.contains("--ready-path: ignored"), "{warnings}");
}

#[test]
fn static_files_need_a_directory_and_nothing_to_run() {
    let world = || World::without_function().flag("mode", "static");
    let mut typed = world();
    typed.sources.typed.script = Some(typed.dir.path().into());
    let config = typed.config();
    assert_eq!((config.mode, config.static_dir), (Mode::Static, Some(typed.dir.path().to_owned())));
    assert!(world().mistake().contains("no directory is given"));
    let missing = world().flag("static-dir", "/nowhere/at/all").mistake();
    assert!(missing.contains("expected a directory that is there"), "{missing}");
    typed.sources.typed.command = vec!["/bin/true".into()];
    assert!(typed.mistake().contains("--mode static runs nothing"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let world = World::without_function()
        .flag("listen", "nowhere")
        .flag("exec-timeout", "soon")
        .flag("max-body", "99999999999999999999GiB")
        .flag("stdin", "tty")
        .flag("log-format", "xml")
        .flag("metrics", "::")
        .flag("workspace", "/nonexistent/dir")
        .flag("token", "")
        .variable("BANDOG_KILL_GRACE", "")
        .variable("BANDOG_MAX_QUEUE", "many")
        .variable("LOG_LEVEL", "chatty")
        .variable("BANDOG_SERVICE", "a/b")
        .flag("config", "/nonexistent.yaml");
    let mistakes = world.mistakes();
    assert_eq!(mistakes.len(), 14, "{mistakes:#?}");
    let Err(Mistakes(all)) = world.sources.resolve().into_config() else { panic!("no configuration") };
    assert_eq!(all.len(), 14);
}

#[test]
fn an_empty_variable_of_bandogs_own_is_a_mistake_and_never_a_default() {
    for setting in setting::ALL {
        let mistakes = World::new().variable(&setting.variable(), "").mistakes();
        // A command after `--` makes the script irrelevant, wherever it comes from.
        assert_eq!(mistakes.len(), usize::from(setting.name != "script"), "{}: {mistakes:?}", setting.name);
    }
}

#[test]
fn a_value_that_is_not_text_is_a_mistake_and_not_a_panic() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut world = World::new();
    let bytes = OsString::from_vec(vec![0xff, 0xfe]);
    for setting in setting::ALL {
        world.sources.typed.values.insert(setting.name, bytes.clone());
    }
    assert!(world.mistakes().len() > 15);
}

#[test]
fn an_unknown_variable_of_bandogs_is_a_warning_that_reaches_the_configuration() {
    let config = World::new().variable("BANDOG_EXEC_TIMOUT", "5m").config();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].contains("did you mean BANDOG_EXEC_TIMEOUT?"), "{:?}", config.warnings);
}

// ---- secrets ----

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

#[test]
fn a_token_is_given_once_and_is_not_empty() {
    let config = World::new().variable("BANDOG_TOKEN", "abc\n").config();
    assert_eq!(config.token, Some(Token::Value("abc".to_owned())));
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
        (path, sources.resolve().into_config().map(|config| config.token).map_err(|mistakes| mistakes.to_string()))
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
    assert_eq!(config.environment, [("HOME".into(), "/root".into())]);
}

// ---- the configuration file ----

#[test]
fn a_named_file_that_is_absent_too_large_or_not_yaml_is_a_mistake() {
    let absent = World::new().flag("config", "/nonexistent.yaml").mistake();
    assert!(absent.starts_with("--config: \"/nonexistent.yaml\": cannot be read: "), "{absent}");
    let endless = World::new().flag("config", "/dev/zero").mistake();
    assert!(endless.contains("expected a file of at most 1MiB"), "{endless}");
    let world = World::new().file("function_config.yaml", "name: ocr\nlog_level: [s3cr3t]\n");
    let mistake = world.mistake();
    assert!(mistake.contains("function_config.yaml\": expected YAML") && mistake.contains("line 2"), "{mistake}");
    assert!(!mistake.contains("s3cr3t"));
}

#[test]
fn the_configuration_may_be_base64_in_a_variable() {
    let encoded = BASE64_STANDARD.encode("name: ocr\nlog_level: ERROR\n");
    let world = World::new().variable("FUNCTION_CONFIG", &encoded);
    assert_eq!(world.config().service.as_deref(), Some("ocr"));
    assert_eq!(world.origin("--log-level"), "key log_level of FUNCTION_CONFIG");
    let broken = World::new().variable("FUNCTION_CONFIG", "{}").mistake();
    assert_eq!(broken, "--config: \"(YAML in base64)\" (from FUNCTION_CONFIG): expected YAML in base64");
    let file_first = world.file("function_config.yaml", "name: file\n");
    assert_eq!(file_first.config().service.as_deref(), Some("file"));
}

#[test]
fn a_wrong_level_in_the_file_names_the_file() {
    let world = World::new().file("function_config.yaml", "log_level: chatty\n");
    let mistake = world.mistake();
    assert!(mistake.starts_with("--log-level: \"chatty\" (from key log_level of /"), "{mistake}");
}

// ---- the workspace ----

#[test]
fn the_workspace_is_an_existing_directory_in_which_a_directory_can_be_made() {
    let world = World::new().file("file", "");
    let with = |path: &Path| {
        let mut sources = world.sources.clone();
        sources.environment.insert("TMPDIR".into(), path.into());
        sources.resolve().into_config().map(|config| config.workspace).map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(with(world.dir.path()), Ok(world.dir.path().to_owned()));
    assert_eq!(fs::read_dir(world.dir.path()).expect("dir").count(), 1, "nothing is left of the attempt");
    let absent = with(&world.path("absent")).expect_err("absent");
    assert!(absent.contains("(from TMPDIR)") && absent.contains("--workspace"), "{absent}");
    assert!(with(&world.path("file")).expect_err("a file").contains("not a directory"));
    // Root may write anywhere but here.
    assert!(with(Path::new("/proc/self")).expect_err("proc").contains("cannot make a directory in it"));
}

// ---- the function ----

#[test]
fn the_function_is_chosen_in_the_order_that_is_documented() {
    let world = World::without_function();
    assert!(world.mistake().starts_with("function: nothing to run; give a script"));

    let world = world.variable("fprocess", "sh -c 'echo  \"two words\"'").variable("PATH", "/nowhere:/bin");
    let command = world.command();
    assert_eq!(words(&command), ["sh", "-c", "echo  \"two words\""]);
    assert_eq!((command.program.as_path(), command.origin), (Path::new("/bin/sh"), "fprocess"));
    assert_eq!(world.origin("function"), "fprocess");

    let world = world.file("script.sh", "echo oscar\n");
    let standard = world.path("script.sh").display().to_string();
    assert_eq!(words(&world.command()), ["/bin/sh", &standard]);
    assert_eq!(world.command().origin, "/oscar/config/script.sh");

    let world = world.variable("SCRIPT", &BASE64_STANDARD.encode("#!/bin/sh\necho inline\n"));
    let inline = world.command().inline_script.expect("a script without a file");
    assert_eq!(inline.text, b"#!/bin/sh\necho inline\n");
    assert_eq!(world.command().origin, "SCRIPT");

    let world = world.file("mine.sh", "echo mine\n");
    let mine = world.path("mine.sh").display().to_string();
    let world = world.variable("BANDOG_SCRIPT", &mine);
    assert_eq!(words(&world.command()), ["/bin/sh", &mine]);
    assert_eq!(world.origin("function"), "BANDOG_SCRIPT");

    let mut world = world;
    world.sources.typed.command = vec!["/bin/sh".into(), "-c".into(), "true".into()];
    assert_eq!(words(&world.command()), ["/bin/sh", "-c", "true"]);
    assert_eq!(world.origin("function"), "command line");
}

#[test]
fn a_script_runs_by_itself_if_it_can_and_by_the_shell_if_not() {
    let world = World::without_function()
        .program("python", "#!/usr/bin/env python3\n")
        .program("bare", "echo bare\n")
        .program("binary", "\x7fELF\0\0\0")
        .file("plain", "#!/usr/bin/env python3\n");
    let command = |name: &str| {
        let mut sources = world.sources.clone();
        sources.typed.script = Some(world.path(name).into());
        sources.resolve().into_config().expect("fine").command.expect("a function")
    };
    for name in ["python", "binary"] {
        assert_eq!(command(name).program, world.path(name));
        assert_eq!(command(name).arguments, [world.path(name)]);
    }
    // execve(2) refuses a text without `#!`; a shell runs it.
    for name in ["bare", "plain"] {
        assert_eq!(command(name).program, Path::new("/bin/sh"));
        assert_eq!(command(name).arguments, [Path::new("/bin/sh"), &world.path(name)]);
    }
}

#[test]
fn a_script_that_is_absent_or_a_directory_is_a_mistake() {
    let mut world = World::without_function();
    world.sources.typed.script = Some("/nonexistent/ocr.sh".into());
    assert_eq!(world.mistake(), "SCRIPT: \"/nonexistent/ocr.sh\": no such file");
    world.sources.typed.script = Some("/tmp".into());
    assert_eq!(world.mistake(), "SCRIPT: \"/tmp\": is a directory; give the file in it");
    world.sources.typed.script = Some("srve".into());
    assert!(world.mistake().contains("if a subcommand was meant, it comes first"), "{}", world.mistake());
    let world = World::without_function().flag("script", "/nonexistent/ocr.sh");
    assert_eq!(world.mistake(), "--script: \"/nonexistent/ocr.sh\": no such file");
}

#[test]
fn a_script_and_another_function_together_are_a_mistake() {
    let mut world = World::new();
    world.sources.typed.script = Some("/bin/sh".into());
    assert_eq!(world.mistake(), "SCRIPT: \"/bin/sh\": given together with -- COMMAND; keep one of them");
    world.sources.typed.command.clear();
    let world = world.flag("script", "/bin/sh");
    assert_eq!(world.mistake(), "SCRIPT: \"/bin/sh\": given together with --script; keep one of them");
    let world = World::new().flag("script", "/bin/sh");
    assert_eq!(world.config().warnings, ["--script: ignored, since a command is given after --"]);
}

#[test]
fn a_command_is_looked_up_at_start_and_keeps_its_name() {
    let mut world = World::without_function().program("tool", "#!/bin/sh\n").file("data", "x");
    let path = format!("/nonexistent:{}", world.dir.path().display());
    world.sources.environment.insert("PATH".into(), path.clone().into());
    world.sources.typed.command = vec!["tool".into(), "arg".into()];
    assert_eq!(world.command().program, world.path("tool"));
    assert_eq!(words(&world.command()), ["tool", "arg"]);
    world.sources.typed.command = vec!["absent".into()];
    assert_eq!(
        world.mistake(),
        format!("COMMAND: \"absent\": not found in PATH ({path}); install it in the image or give its path")
    );
    world.sources.typed.command = vec!["data".into()];
    assert!(world.mistake().contains("which cannot be executed; chmod +x it"));
    world.sources.typed.command = vec![world.path("data").into()];
    assert!(world.mistake().contains("cannot be executed; chmod +x it"));
    world.sources.typed.command = vec!["/nonexistent/tool".into()];
    assert_eq!(world.mistake(), "COMMAND: \"/nonexistent/tool\": no such file");
}

#[test]
fn a_broken_inline_script_or_fprocess_is_a_mistake() {
    let inline = World::without_function().variable("SCRIPT", "{s3cr3t}").mistake();
    assert!(inline.starts_with("SCRIPT: expected the script in base64"), "{inline}");
    let quotes = World::without_function().variable("fprocess", "sh -c 'open").mistake();
    assert!(
        quotes.starts_with("fprocess: \"sh -c 'open\": expected a command line with its quotes closed"),
        "{quotes}"
    );
    let absent = World::without_function().variable("fprocess", "absent-tool x").variable("PATH", "/bin").mistake();
    assert_eq!(absent, "fprocess: \"absent-tool\": not found in PATH (/bin); install it in the image or give its path");
}

#[test]
fn an_fprocess_that_names_the_supervisor_asks_for_its_script() {
    let world = World::without_function().variable("fprocess", "/var/task/supervisor");
    assert!(world.mistake().contains("whose work bandog does itself; mount the script at"), "{}", world.mistake());
    let world = world.file("script.sh", "echo\n");
    assert_eq!(world.command().origin, "/oscar/config/script.sh");
}

// ---- hostile input ----

#[test]
fn no_configuration_input_panics_the_parsers() {
    for file in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/configuration")).expect("corpus") {
        let seed = fs::read(file.expect("entry").path()).expect("seed");
        let variants = (0..seed.len().min(200)).flat_map(|at| {
            let changed = |byte: u8| {
                let mut bytes = seed.clone();
                bytes[at] = byte;
                bytes
            };
            [changed(0), changed(b'&'), changed(0xff), changed(b'9'), seed[..at].to_vec()]
        });
        for bytes in [seed.clone()].into_iter().chain(variants) {
            parse_anything(&bytes);
        }
    }
}

#[test]
fn old_ways_are_had_back_under_the_old_names_only() {
    for (face, has) in [(Face::Bandog, false), (Face::Fwatchdog, true), (Face::Supervisor, true)] {
        let mut world = World::new().flag("compat", "newline");
        world.sources.face = face;
        let Resolution { config, warnings, .. } = world.sources.resolve();
        let is_warned = warnings.iter().any(|warning| warning.contains("--compat: without effect"));
        assert_eq!((config.map(|config| config.compat.has(Habit::Newline)), is_warned), (Some(has), !has), "{face:?}");
    }
}

//! Mistakes, and input that no parser may panic on.

use super::*;

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
        "--mode: \"stream\": expected files, stdio, streaming, http or static; did you mean streaming?"
    );
}

#[test]
fn a_function_at_a_url_needs_no_command_and_any_other_does() {
    let upstream = "http://127.0.0.1:3000/api/";
    let world = || World::without_function().flag("mode", "http");
    let config = world().flag("upstream", upstream).config();
    assert_eq!((config.mode, config.function.command), (Mode::Http, None));
    assert_eq!(config.target.upstream.expect("a place").to_string(), "http://127.0.0.1:3000/api");
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
    assert_eq!((config.mode, config.target.static_dir), (Mode::Static, Some(typed.dir.path().to_owned())));
    assert!(world().mistake().contains("no directory is given"));
    let missing = world().flag("static-dir", "/nowhere/at/all").mistake();
    assert!(missing.contains("expected an existing directory"), "{missing}");
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

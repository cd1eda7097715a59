//! `--actions`.

use super::*;

const COUNT: &str = "oms: 1
info: {title: t, version: 1, description: d}
actions:
  count:
    format: {command: [./count.sh, -x]}
    output: {type: int}
";

#[test]
fn a_file_of_actions_is_found_by_its_names_in_order_first_at_the_root_then_here() {
    let found = |world: &World| world.config().actions.service.map(|service| service.file.clone());
    let text = "oms: 1\ninfo: {title: t, version: 1, description: d}\nactions: {a: {format: {command: /bin/sh}}}\n";
    let mut world = World::without_function();
    assert!(world.mistake().starts_with("function: nothing to run;"), "{}", world.mistake());
    for name in ["microservice.yaml", "microservice.yml", "oms.yaml", "oms.yml"] {
        world = world.file(name, text);
        assert_eq!(found(&world), Some(world.path(name)));
    }
    fs::create_dir(world.path("root")).expect("mkdir");
    let world = world.file("root/microservice.yaml", text);
    assert_eq!(found(&world), Some(world.path("root/microservice.yaml")));
    assert_eq!(world.origin("--actions"), "default");
    let named = world.path("oms.yaml");
    let world = world.variable("BANDOG_ACTIONS", named.to_str().expect("UTF-8"));
    assert_eq!((found(&world), world.origin("--actions")), (Some(named), "BANDOG_ACTIONS".to_owned()));
    let mut world = world.flag("actions", "off");
    assert!(world.mistake().starts_with("function: nothing to run;"), "{}", world.mistake());
    world.sources.typed.command = vec!["/bin/sh".into()];
    assert_eq!((found(&world), world.origin("--actions")), (None, "flag".to_owned()));
}

#[test]
fn what_takes_the_place_of_another_looks_for_no_file_of_actions_but_takes_one_it_is_given() {
    for face in [InvokedAs::Fwatchdog, InvokedAs::Supervisor] {
        let mut world = World::new().file("oms.yml", COUNT).program("count.sh", "#!/bin/sh\n");
        world.sources.invoked_as = face;
        assert!(world.config().actions.service.is_none(), "{face:?}");
        let file = world.path("oms.yml");
        fs::write(&file, COUNT.replace("./count.sh", "/bin/sh")).expect("written");
        let world = world.variable("BANDOG_ACTIONS", file.to_str().expect("UTF-8"));
        assert!(world.config().actions.service.is_some(), "{face:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_of_its_own() {
    let world = World::without_function().flag("actions", "/does/not/exist.yml");
    let mistake = world.mistake();
    assert!(mistake.starts_with("--actions: \"/does/not/exist.yml\": cannot be read:"), "{mistake}");
    let large = format!("oms: 1 # {}\n", "x".repeat(1024 * 1024));
    let world = World::without_function().file("oms.yml", &large);
    assert!(world.mistake().ends_with("expected a file of at most 1MiB"), "{}", world.mistake());
}

#[test]
fn commands_of_actions_are_looked_for_at_start_and_a_missing_one_is_told_with_its_line() {
    let world = World::without_function().program("count.sh", "#!/bin/sh\n").file("bare.sh", "echo\n");
    let text = COUNT.replace("./count.sh", world.path("count.sh").to_str().expect("UTF-8"));
    let bare = world.path("bare.sh");
    fs::set_permissions(&bare, fs::Permissions::from_mode(0o755)).expect("chmod");
    let more = format!(
        "  bare: {{format: {{command: '{} -v'}}}}\nlifecycle: {{startup: {{command: sh -c x}}, shutdown: {{command: [sh, y]}}}}\n",
        bare.display()
    );
    let world = world.file("oms.yml", &format!("{text}{more}")).variable("PATH", "/bin:/usr/bin");
    let programs = world.config().actions.programs;
    assert_eq!(programs.actions["count"].program, world.path("count.sh"));
    // The action has the words after the program.
    assert_eq!(words(&programs.actions["count"]), [world.path("count.sh").display().to_string()]);
    assert_eq!(programs.actions["bare"].program, Path::new("/bin/sh"));
    assert_eq!(words(&programs.actions["bare"]), ["/bin/sh", bare.to_str().expect("UTF-8")]);
    assert_eq!(programs.startup.as_ref().map(words), Some(vec!["sh".into(), "-c".into(), "x".into()]));
    assert_eq!(programs.shutdown.as_ref().map(words), Some(vec!["sh".into(), "y".into()]));

    let wrong = "omg: 1\ninfo: {title: t, version: 1, description: d}\ncommands:\n  no-such:\n    format:\n      command: no-such-program -x\n  named: {help: x}\n\
                 lifecycle:\n  startup: {command: [/no/such]}\n".replace("no-such:", "absent:");
    let world = World::without_function().file("oms.yml", &wrong).variable("PATH", "/bin");
    let file = world.path("oms.yml").display().to_string();
    let missing = "not found in PATH (/bin); install it in the image or give its path";
    assert_eq!(
        world.mistakes(),
        [
            format!("{file}:6: commands.absent.format.command: \"no-such-program\": {missing}"),
            format!("{file}:7: commands.named: \"named\": {missing}"),
            format!("{file}:9: lifecycle.startup.command: \"/no/such\": no such file"),
        ]
    );
}

#[test]
fn mistakes_of_the_file_stand_among_all_others_and_name_file_and_line() {
    let world = World::without_function()
        .file("oms.yml", "oms: 1\nactions:\n  a: {format: {command: 5, x: 1}}\ninfo: {title: a}\n");
    let world = world.flag("max-body", "lots").flag("exec-timeout", "soon");
    let Resolution { mistakes, warnings, config, .. } = world.sources.resolve();
    assert!(config.is_none());
    let file = world.path("oms.yml").display().to_string();
    let shown: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 3, "{shown:#?}");
    assert_eq!(shown[0], format!("{file}:3: actions.a.format.x: unknown key; expected one of command"));
    assert_eq!(warnings, [format!("{file}:4: info: version, description missing; it describes the service to people")]);
}

#[test]
fn variables_of_the_file_are_checked_given_to_functions_and_masked() {
    let text = format!(
        "{}environment:\n  api_key: {{type: uuid, required: true, sensitive: true, help: 'Of the account.'}}\n  \
         LEVEL: {{type: int, default: 010, range: {{max: 20}}}}\n  OLD: {{type: string, deprecated: true, pattern: '^o'}}\n  \
         TOKEN: {{type: string, default: s3cr3t, sensitive: true}}\n  EMPTY: {{type: string, required: true, default: ''}}\n",
        COUNT.replace("./count.sh", "/bin/sh")
    );
    let world = World::without_function().file("oms.yml", &text);
    let file = world.path("oms.yml").display().to_string();
    assert_eq!(
        world.mistakes(),
        [format!("{file}:8: environment.API_KEY: the variable API_KEY is not set; expected a UUID (Of the account.)")]
    );
    let wrong = world.variable("API_KEY", "s3cr3t").variable("LEVEL", "21").variable("OLD", "x");
    assert_eq!(
        wrong.mistakes(),
        [
            format!("{file}:8: environment.API_KEY: the variable API_KEY does not fit; expected a UUID"),
            format!(
                "{file}:9: environment.LEVEL: \"21\": the variable LEVEL does not fit; expected a whole number of at most 20"
            ),
            format!(
                "{file}:10: environment.OLD: \"x\": the variable OLD does not fit; expected a string with the pattern ^o"
            ),
        ]
    );
    let key = "01234567-89ab-cdef-0123-456789abcdef";
    let world = wrong.variable("API_KEY", key).variable("LEVEL", "7").variable("OLD", "old");
    let config = world.config();
    let of = |name: &str| {
        let mut found = config.function.environment.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.to_string_lossy().into_owned());
        assert!(found.next().is_none(), "{name} twice");
        value
    };
    assert_eq!(of("LEVEL").as_deref(), Some("7"));
    assert_eq!((of("TOKEN").as_deref(), of("EMPTY").as_deref()), (Some("s3cr3t"), Some("")));
    assert_eq!(config.warnings, [format!("OLD: deprecated according to {file}")]);
    let entries = world.sources.resolve().entries;
    let shown: Vec<_> =
        entries.iter().map(|entry| format!("{} {} {}", entry.name, entry.value, entry.origin)).collect();
    assert!(shown.contains(&"variable API_KEY *** API_KEY".to_owned()), "{shown:#?}");
    assert!(shown.contains(&format!("variable TOKEN *** {file}:11")), "{shown:#?}");
    assert!(shown.contains(&format!("action count /bin/sh -x {file}:4")), "{shown:#?}");
    assert!(!shown.concat().contains(key) && !shown.concat().contains("s3cr3t"), "{shown:#?}");
}

#[test]
fn files_of_actions_are_looked_for_at_the_root_and_in_the_working_directory() {
    assert_eq!(Paths::default().actions, [Path::new("/"), Path::new(".")]);
}

#[test]
fn an_action_in_the_place_of_a_script_is_told_how_it_is_run() {
    let mut world = World::without_function().file("oms.yml", &COUNT.replace("./count.sh", "/bin/sh"));
    world.sources.typed.script = Some("count".into());
    assert_eq!(world.mistake(), "SCRIPT: \"count\": is an action, not a file; run it with bandog run count");
    world.sources.typed.script = Some("cuont".into());
    assert!(world.mistake().contains("cuont); a subcommand comes first"), "{}", world.mistake());
    let mut world = World::without_function().flag("actions", "/does/not/exist.yml");
    world.sources.typed.script = Some("count".into());
    let mistakes = world.mistakes();
    assert!(
        mistakes.iter().any(|mistake| mistake.ends_with("correct the actions file and use bandog run")),
        "{mistakes:?}"
    );
}

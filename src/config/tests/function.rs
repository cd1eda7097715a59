//! The command of the function.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;

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
fn an_interpreter_that_is_not_used_is_a_warning_that_says_how_it_would_be() {
    let world = World::without_function()
        .file("python", "#!/usr/bin/env python3\nimport os\n")
        .file("bash", "#!/bin/bash -e\n:")
        .file("sh", "#!/bin/sh -e\n:")
        .file("env-sh", "#! /usr/bin/env sh\n:")
        .file("bare", ":")
        .program("may", "#!/usr/bin/env python3\n");
    let warnings = |name: &str| {
        let mut sources = world.sources.clone();
        sources.typed.script = Some(world.path(name).into());
        sources.resolve().warnings
    };
    for (name, interpreter) in [("python", "/usr/bin/env python3"), ("bash", "/bin/bash -e")] {
        let path = world.path(name).display().to_string();
        let said = format!(
            "{path} is run by /bin/sh, not by {interpreter} as its first line says, because it is not executable: chmod +x \
             {path}"
        );
        assert_eq!(warnings(name), [said]);
    }
    for name in ["sh", "env-sh", "bare", "may"] {
        assert_eq!(warnings(name), [""; 0], "{name}");
    }
    // An order, and OSCAR's habit.
    let mut world = world;
    let python = world.path("python");
    world.sources.typed.command = vec!["/bin/sh".into(), python.into()];
    assert_eq!(world.sources.resolve().warnings, [""; 0]);
    let oscar = World::without_function().file("script.sh", "#!/usr/bin/env python3\n");
    assert_eq!(oscar.sources.resolve().warnings, [""; 0]);
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
        sources.resolve().into_config().expect("fine").function.command.expect("a function")
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
    assert_eq!(
        world.mistake(),
        "SCRIPT: \"/tmp\": is a directory; give the file in it, or serve its files with bandog --mode static DIR"
    );
    world.sources.typed.script = Some("srve".into());
    assert!(world.mistake().contains("srve); a subcommand comes first"), "{}", world.mistake());
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

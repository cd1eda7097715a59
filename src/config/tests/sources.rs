//! The configuration file and `--compat`.

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;
use crate::platform::LegacyBehaviour;

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
    assert_eq!(world.config().function.service.as_deref(), Some("ocr"));
    assert_eq!(world.origin("--log-level"), "key log_level of FUNCTION_CONFIG");
    let broken = World::new().variable("FUNCTION_CONFIG", "{}").mistake();
    assert_eq!(broken, "--config: \"(YAML in base64)\" (from FUNCTION_CONFIG): expected YAML in base64");
    let file_first = world.file("function_config.yaml", "name: file\n");
    assert_eq!(file_first.config().function.service.as_deref(), Some("file"));
}

#[test]
fn a_wrong_level_in_the_file_names_the_file() {
    let world = World::new().file("function_config.yaml", "log_level: chatty\n");
    let mistake = world.mistake();
    assert!(mistake.starts_with("--log-level: \"chatty\" (from key log_level of /"), "{mistake}");
}

#[test]
fn old_ways_are_had_back_under_the_old_names_only() {
    for (face, has) in [(InvokedAs::Bandog, false), (InvokedAs::Fwatchdog, true), (InvokedAs::Supervisor, true)] {
        let mut world = World::new().flag("compat", "newline");
        world.sources.invoked_as = face;
        let Resolution { config, warnings, .. } = world.sources.resolve();
        let is_warned = warnings.iter().any(|warning| warning.contains("--compat: has no effect"));
        assert_eq!(
            (config.map(|config| config.replaced.compat.has(LegacyBehaviour::Newline)), is_warned),
            (Some(has), !has),
            "{face:?}"
        );
    }
}

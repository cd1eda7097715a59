use super::*;

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// The result of reading variables.
struct Found {
    watchdog: WatchdogSettings,
    translation: Translation,
}

fn read_with(pairs: &[(&str, &str)], compat: Compat) -> Found {
    let (watchdog, translation) = read(&environment(pairs), compat, false);
    Found { watchdog, translation }
}

fn found(pairs: &[(&str, &str)]) -> Found {
    read_with(pairs, Compat::default())
}

fn lenient(pairs: &[(&str, &str)]) -> Found {
    read_with(pairs, Compat::default().with(LegacyBehaviour::Lenient))
}

fn value(found: &Found, setting: &str) -> String {
    found.translation.values.get(setting).map_or_else(String::new, |value| value.text.to_string_lossy().into_owned())
}

#[test]
fn the_names_that_are_set_say_which_of_the_two_it_is() {
    let classic = found(&[("fprocess", "cat"), ("cgi_headers", "true"), ("content_type", "")]);
    assert_eq!((classic.watchdog.kind, &*value(&classic, "mode")), (WatchdogKind::Classic, "stdio"));
    for (pairs, mode) in [
        (&[("fprocess", "cat"), ("mode", "serializing")][..], "stdio"),
        (&[("fprocess", "cat"), ("mode", "streaming")], "streaming"),
        (&[("function_process", "cat")], "streaming"),
        (&[("fprocess", "cat"), ("prefix_logs", "false")], "streaming"),
        (&[("fprocess", "node x.js"), ("mode", "http"), ("upstream_url", "http://127.0.0.1:3000")], "http"),
        (&[("mode", "static")], "static"),
    ] {
        let of = found(pairs);
        assert_eq!((of.watchdog.kind, &*value(&of, "mode")), (WatchdogKind::Of, mode), "{pairs:?}");
        assert_eq!(of.translation.errors, [], "{pairs:?}");
    }
}

#[test]
fn the_supervisors_work_is_done_in_process_whatever_the_mode() {
    for pairs in [
        &[("fprocess", "/oscar/bin/supervisor")][..],
        &[("fprocess", "/oscar/bin/alpine/supervisor --x"), ("mode", "streaming")],
        &[],
    ] {
        assert_eq!(value(&found(pairs), "mode"), "files", "{pairs:?}");
    }
}

#[test]
fn integers_are_seconds_and_the_run_ends_with_the_shorter_of_its_limits() {
    for (pairs, exec) in [
        (&[][..], "30s"),
        (&[("write_timeout", "0")], "0"),
        (&[("exec_timeout", "10"), ("write_timeout", "1m30s")], "10s"),
        (&[("exec_timeout", "300"), ("write_timeout", "20")], "20s"),
        (&[("exec_timeout", "0"), ("write_timeout", "300")], "5m"),
        (&[("exec_timeout", "-5s"), ("write_timeout", "-5s")], "0"),
        (&[("mode", "streaming"), ("write_timeout", "1h")], "30s"),
        (&[("mode", "streaming"), ("write_timeout", "1h"), ("exec_timeout", "0")], "1h"),
    ] {
        let found = found(pairs);
        assert_eq!(value(&found, "exec-timeout"), exec, "{pairs:?}");
        assert_eq!(found.translation.errors, [], "{pairs:?}");
    }
    let long = found(&[("write_timeout", "300"), ("healthcheck_interval", "5")]);
    assert_eq!((&*value(&long, "drain-timeout"), &*value(&long, "shutdown-delay")), ("5m", "5s"));
    assert_eq!(value(&found(&[("write_timeout", "300")]), "shutdown-delay"), "", "no delay that nobody asked for");
}

#[test]
fn what_makes_no_sense_is_a_mistake_that_names_it_and_all_of_them_are_told() {
    let wrong = [
        ("read_timeout", "1d"),
        ("write_timeout", "-5"),
        ("exec_timeout", "1.5"),
        ("healthcheck_interval", " 5"),
        ("max_inflight", "many"),
        ("port", "70000"),
        ("write_debug", "maybe"),
        ("content_type", "a\nb"),
    ];
    let strict = found(&wrong);
    let mut names: Vec<&str> = strict.translation.errors.iter().map(|mistake| mistake.name).collect();
    names.sort_unstable();
    let mut wanted: Vec<&str> = wrong.iter().map(|(name, _)| *name).collect();
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    let lenient = lenient(&wrong);
    assert_eq!(
        (lenient.translation.errors.len(), lenient.translation.warnings.len()),
        (0, wrong.len()),
        "{:?}",
        lenient.translation.warnings
    );
    assert_eq!(value(&lenient, "read-timeout"), "30s");
}

#[test]
fn what_bandog_does_not_do_is_never_passed_over() {
    for (name, value) in
        [("mode", "afterburn"), ("mode", "inproc"), ("mode", "htpp"), ("oauth_enabled", "true"), ("one_shot", "true")]
    {
        let lenient = lenient(&[(name, value)]);
        assert!(
            lenient.translation.errors.iter().any(|mistake| mistake.name == name),
            "{name}={value}: {:?}",
            lenient.translation.errors
        );
        assert!(
            found(&[(name, value)]).translation.errors.iter().any(|mistake| mistake.name == name),
            "{name}={value}"
        );
    }
    assert_eq!(found(&[("oauth_enabled", "false"), ("one_shot", "0")]).translation.errors, []);
}

#[test]
fn switches_are_read_as_the_one_that_is_meant_reads_them() {
    let classic =
        found(&[("fprocess", "cat"), ("cgi_headers", "False"), ("write_debug", "1"), ("suppress_lock", "true")]);
    let watchdog = &classic.watchdog;
    assert!(!watchdog.cgi_headers && !watchdog.write_debug && watchdog.lock.is_none());
    assert!(
        classic.translation.warnings.iter().any(|warning| warning.starts_with("write_debug: \"1\"")),
        "{:?}",
        classic.translation.warnings
    );
    let of =
        found(&[("mode", "streaming"), ("suppress_lock", "1"), ("prefix_logs", "false"), ("cgi_headers", "false")]);
    assert!(of.watchdog.lock.is_none() && !of.watchdog.prefix_logs && of.watchdog.cgi_headers);
    assert!(
        of.translation.warnings.iter().any(|warning| warning.starts_with("cgi_headers: ignored")),
        "{:?}",
        of.translation.warnings
    );
    assert_eq!(of.watchdog.content_type.as_deref(), Some("application/octet-stream"));
}

#[test]
fn the_lock_is_where_the_probes_look_for_it() {
    assert_eq!(found(&[]).watchdog.lock, Some("/tmp/.lock".into()));
    assert_eq!(found(&[("TMPDIR", "/var/tmp")]).watchdog.lock, Some("/var/tmp/.lock".into()));
}

#[test]
fn tokens_are_those_of_the_gateway_unless_another_provider_is_named() {
    let own = [("jwt_auth", "true"), ("OPENFAAS_NAME", "figlet"), ("OPENFAAS_NAMESPACE", "dev\n")];
    for (more, issuer) in [
        (&[][..], "http://gateway.openfaas:8080"),
        (&[("jwt_auth_local", "true")], "http://127.0.0.1:8080"),
        (&[("jwt_auth_local", "true"), ("jwt_auth_issuer", "https://id.example.com")], "https://id.example.com"),
    ] {
        let found = found(&[&own, more].concat());
        assert_eq!(found.translation.errors, []);
        assert_eq!((&*value(&found, "jwt-issuer"), &*value(&found, "jwt-function")), (issuer, "dev:figlet"));
        assert!(!found.watchdog.jwt_debug);
    }
    assert!(found(&[&own[..], &[("jwt_auth_debug", "true")]].concat()).watchdog.jwt_debug);
    assert_eq!(value(&found(&own[1..]), "jwt-issuer"), "");
}

#[test]
fn tokens_that_cannot_be_checked_and_a_switch_that_is_misread_are_mistakes() {
    for (variables, name) in [
        (&[("jwt_auth", "true"), ("OPENFAAS_NAMESPACE", "dev")][..], "OPENFAAS_NAME"),
        (&[("jwt_auth", "true"), ("OPENFAAS_NAME", "figlet")], "OPENFAAS_NAMESPACE"),
        (&[("jwt_auth", "1")], "jwt_auth"),
        (&[("jwt_auth", "True")], "jwt_auth"),
        (&[("jwt_auth", "yes"), ("mode", "http")], "jwt_auth"),
    ] {
        let mistakes = found(variables).translation.errors;
        assert!(mistakes.iter().any(|mistake| mistake.name == name), "{variables:?}: {mistakes:?}");
    }
}

#[test]
fn what_guards_a_function_is_never_replaced_by_its_default() {
    for (name, value) in [("jwt_auth", "enabled"), ("oauth_enabled", "enabled"), ("one_shot", "maybe")] {
        let lenient = lenient(&[(name, value)]);
        assert!(
            lenient.translation.errors.iter().any(|mistake| mistake.name == name),
            "{name}: {:?}",
            lenient.translation.errors
        );
    }
}

#[test]
fn a_limit_that_a_default_cuts_is_told_with_its_cause() {
    let cut = found(&[("fprocess", "cat"), ("exec_timeout", "5m")]);
    let exec = &cut.translation.values["exec-timeout"];
    assert_eq!((exec.text.to_str(), exec.variable), (Some("30s"), Some("the default of write_timeout")));
    let [warning] = &cut.translation.warnings[..] else { panic!("one warning: {:?}", cut.translation.warnings) };
    assert!(warning.contains("5m is cut to 30s") && warning.contains("set write_timeout as well"), "{warning}");
    for pairs in [
        &[("fprocess", "cat"), ("exec_timeout", "5m"), ("write_timeout", "10m")][..],
        &[("fprocess", "cat"), ("exec_timeout", "5m"), ("write_timeout", "1m")],
        &[("fprocess", "cat"), ("exec_timeout", "10s")],
        &[("fprocess", "cat"), ("write_timeout", "10s")],
        &[("fprocess", "cat")],
    ] {
        assert_eq!(found(pairs).translation.warnings, [""; 0], "{pairs:?}");
    }
    // Without a limit of its own the run is cut all the same.
    assert_eq!(found(&[("fprocess", "cat"), ("exec_timeout", "0")]).translation.warnings.len(), 1);
}

#[test]
fn every_name_that_the_watchdogs_know_is_used_or_named() {
    for name in ["jwt_auth_local", "hard_timeout", "read_debug", "combined_output"] {
        let warnings = found(&[("fprocess", "cat"), (name, "true")]).translation.warnings;
        assert!(warnings.len() == 1 && warnings[0].starts_with(&format!("{name}: ignored; ")), "{warnings:?}");
        assert_eq!(found(&[("fprocess", "cat"), (name, "")]).translation.warnings, [""; 0], "{name}");
    }
    for name in ["log_callid", "log_call_id"] {
        let notes = found(&[("fprocess", "cat"), ("mode", "http"), (name, "true")]).translation.notes;
        assert!(notes.iter().any(|note| note.name == name && note.is_set), "{name}: {notes:?}");
    }
}

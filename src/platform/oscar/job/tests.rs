//! The vectors are what dash 0.5.12, bash 5.2 and busybox 1.35 print; the integration tests ask the shells themselves.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use proptest::prelude::*;

use super::*;

fn chosen(event: &str, stdin: &str) -> EventSource {
    choose(event.as_bytes(), stdin.as_bytes(), false)
}

#[test]
fn what_an_unquoted_echo_prints_is_known_as_a_copy() {
    for (event, printed) in [
        ("{\"a\": 1}", "{\"a\": 1}\n"),
        ("  {\"a\":\t 1,\n\n \"b\": 2}  ", "{\"a\": 1, \"b\": 2}\n"),
        // dash reads backslashes.
        (r#"{"a":"x\ty\n\\z"}"#, "{\"a\":\"x\ty\n\\z\"}\n"),
        (r#"{"a":"x\ty\n\\z"}"#, "{\"a\":\"x\\ty\\n\\\\z\"}\n"),
        (r#"{"a":"\u00e9\"\/"}"#, "{\"a\":\"\\u00e9\\\"\\/\"}\n"),
        (r#"{"path":"C:\cats", "b": 2}"#, "{\"path\":\"C:"),
        (r"\1 \0101 \e[0m a\", "\u{1} A \u{1b}[0m a\\\n"),
        // Names of files in the place of a word.
        ("{\"q\": \"2 * 3\"}", "{\"q\": \"2 bin dev etc home 3\"}\n"),
        ("{\"q\": \"2 * 3\"}", "{\"q\": \"2 * 3\"}\n"),
        ("a? [bc]d", "a1 a2 bd cd\n"),
        (r#"{"a":[1,2],"b":"\n"}"#, "{\"a\":[1,2],\"b\":\"\n\"}\n"),
        // First words that echo takes for its own.
        ("-n text", "text"),
        ("-n -n text", "-n text"),
        ("-nE -e text", "text"),
        ("-x text", "-x text\n"),
        (" \n\t", "\n"),
        ("\\c all of it", ""),
    ] {
        assert_eq!(chosen(event, printed), EventSource::Variable, "{event:?} printed as {printed:?}");
    }
}

#[test]
fn another_event_on_the_standard_input_is_no_copy() {
    for (event, stdin) in [
        ("{\"a\": 1}", "{\"a\": 2}\n"),
        ("{\"a\": 1}", "{\"a\":  1}\n"),
        ("{\"a\": 1}", "{\"a\": 1}\n\n"),
        ("{\"a\": 1}", "{\"a\": 1} and more\n"),
        ("a * b", "a c\n"),
        ("{\"Records\":[{}]}", "{\"records\":[{}]}\n"),
        ("stale", "SGVsbG8=\n"),
        ("-n text", "-n other\n"),
        ("SGVsbG8=", "hello\n"),
        ("\\c rest", "rest\n"),
    ] {
        assert_eq!(chosen(event, stdin), EventSource::Stdin, "{event:?} and {stdin:?}");
        assert_eq!(
            choose(event.as_bytes(), stdin.as_bytes(), true),
            EventSource::Variable,
            "the pipe of a job is its own"
        );
    }
}

#[test]
fn an_event_that_was_decoded_on_the_way_is_its_decoding() {
    let text = "{\"a\":  \"*\"}\n";
    for event in [BASE64_STANDARD.encode(text), format!("{}\n", BASE64_STANDARD.encode(text))] {
        for is_job in [false, true] {
            for stdin in [text, text.trim_end()] {
                let decoded = EventSource::Decoded(text.as_bytes().to_vec());
                assert_eq!(choose(event.as_bytes(), stdin.as_bytes(), is_job), decoded);
            }
            let copy = format!("{}\n", event.trim_end());
            assert_eq!(choose(event.as_bytes(), copy.as_bytes(), is_job), EventSource::Variable);
        }
    }
    let bytes: Vec<u8> = (0..=255).collect();
    let event = BASE64_STANDARD.encode(&bytes);
    assert_eq!(choose(event.as_bytes(), &bytes, true), EventSource::Decoded(bytes));
}

#[test]
fn nothing_on_the_standard_input_leaves_the_variable() {
    assert_eq!(chosen("{\"a\": 1}", ""), EventSource::Variable);
    assert_eq!(chosen("QQ==", ""), EventSource::Variable);
}

/// A shell's `echo $EVENT`, in a directory with files that patterns may match; `None` where the machine has no such
/// shell, or the kernel no room for the event.
fn printed_by(shell: &[&str], event: &str) -> Option<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", "echo $EVENT"])
        .env_clear()
        .env("EVENT", event)
        .current_dir(directory)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

/// Text of what is hard for shells.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just(" ".to_owned()),
        Just("  ".to_owned()),
        Just("\n".to_owned()),
        Just("\t".to_owned()),
        Just("*".to_owned()),
        Just("?".to_owned()),
        Just("[a-z]".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("C*".to_owned()),
        Just("src/*.rs".to_owned()),
        Just("\\".to_owned()),
        Just("-n".to_owned()),
        Just("-e".to_owned()),
        "\\\\[0-9abcefnrtvxuUE\"/\\\\]",
        "\\\\0[0-7]{0,4}",
        "\\\\[xuU][0-9a-f]{0,8}",
        "[a-z{}\":,é日]{1,6}",
    ];
    proptest::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_shell_makes_of_any_event_is_known_as_a_copy(event in hostile()) {
        let mut shells = 0;
        for shell in [&["dash"][..], &["bash"], &["bash", "--posix"], &["busybox", "sh"]] {
            if let Some(printed) = printed_by(shell, &event) {
                shells += 1;
                prop_assert_eq!(
                    choose(event.as_bytes(), &printed, false),
                    EventSource::Variable,
                    "{:?} prints {:?} as {:?}", shell, event, String::from_utf8_lossy(&printed)
                );
            }
        }
        prop_assert!(shells >= 2, "dash and bash are on every Debian");
    }

    #[test]
    fn no_two_inputs_make_it_panic(
        event in proptest::collection::vec(any::<u8>(), 1..64),
        stdin in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let chosen = choose(&event, &stdin, false);
        prop_assert!(chosen == EventSource::Stdin || stdin.is_empty() || choose(&event, &stdin, true) == chosen);
    }
}

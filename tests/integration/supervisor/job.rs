//! OSCAR's jobs: `/bin/sh -c "echo $EVENT | /oscar/bin/supervisor"`, in every shell that an image may have for that.

use super::{CAT, MINIO, shell, supervisor};
use crate::harness::encode;

/// The shells of Debian and of most images, of images with bash for `/bin/sh`, and of Alpine.
const SHELLS: [&[&str]; 4] = [&["dash"], &["bash"], &["bash", "--posix"], &["busybox", "sh"]];

/// As OSCAR writes it.
const JOB: &str = "echo $EVENT | ./supervisor";

/// Events that an unquoted echo does not leave alone, in one shell at least.
const HOSTILE: [&str; 12] = [
    "{\"text\":  \"two  blanks\",\n\t\"more\":\t\t\"tabs\"}",
    "  {\"a\": 1}  \n",
    "{\"glob\": \"* ? [a-z] s* /*\"}",
    "{\"list\":[1, 2,\t3],\"x\":\"*\"}",
    r#"{"a":"line\nbreak\ttab \\ backslash \"quote\""}"#,
    r#"{"path":"C:\\cats\\new", "rest": "of it"}"#,
    r#"{"a":"\u00e9\u0001", "b":"\\0101 \\x41 \\e"}"#,
    "{\"é\": \"日本語 ☃\", \"b\": \"'quotes' $HOME `id` $(id) ~ #\"}",
    "[ * , 1 ]",
    "\"just  text\"",
    "[]",
    r#"["a\\","b\c"," "]"#,
];

#[test]
fn the_event_of_a_job_arrives_untouched_in_every_shell() {
    for words in SHELLS {
        for event in HOSTILE {
            for job in [true, false] {
                let mut command = shell(words, JOB, CAT).env("EVENT", event);
                if job {
                    command = command.env("JOB_UUID", "ocr-0b1c");
                }
                // One of them is no JSON, and says so of the right bytes.
                if serde_json::from_str::<serde_json::Value>(event).is_err() {
                    let ran = command.run().expect(65);
                    assert!(ran.complaint().contains("the body is not JSON"), "{words:?}: {event:?}: {ran}");
                    continue;
                }
                let ran = command.run().expect(0);
                assert_eq!(ran.text(), event, "{words:?}, job: {job}: {ran}");
            }
        }
    }
}

#[test]
fn a_job_in_base64_is_decoded_whoever_has_decoded_it_before() {
    for words in SHELLS {
        let ran = shell(words, JOB, CAT).env("EVENT", encode("hello\n")).env("JOB_UUID", "x").run().expect(0);
        assert_eq!(ran.text(), "hello\n", "{words:?}");
        // interLink's.
        let line = "echo $EVENT | base64 -d | ./supervisor";
        for event in HOSTILE.iter().filter(|event| serde_json::from_str::<serde_json::Value>(event).is_ok()) {
            let ran = shell(words, line, CAT).env("EVENT", encode(event)).env("JOB_UUID", "x").run().expect(0);
            assert_eq!(ran.text(), *event, "{words:?}");
        }
    }
}

#[test]
fn the_exit_code_of_the_script_is_that_of_the_job() {
    assert_eq!(shell(&["dash"], JOB, "exit 9").env("EVENT", "{}").env("JOB_UUID", "x").run().code(), 9);
    // The event itself is refused, and nothing is run.
    let ran = shell(&["dash"], JOB, "touch started").env("EVENT", "no!").env("JOB_UUID", "x").run().expect(65);
    assert!(!ran.home().join("started").exists());
}

#[test]
fn the_script_of_a_job_finds_the_event_in_its_environment() {
    let script = r#"printf %s "$EVENT""#;
    for event in &HOSTILE[..8] {
        let ran = shell(&["dash"], JOB, script).env("EVENT", event).env("JOB_UUID", "x").run().expect(0);
        assert_eq!(ran.text(), *event);
    }
    // That of a storage event is the inner one.
    let delegated = format!(r#"{{"storage_provider":"minio.other","event":{}}}"#, serde_json::json!(MINIO));
    let config = encode("file_stage_in: true\n");
    let command = shell(&["dash"], JOB, "env | grep -c ^EVENT=; printf %s \"$EVENT\"").env("FUNCTION_CONFIG", config);
    let ran = command.env("EVENT", delegated).env("JOB_UUID", "x").run().expect(0);
    assert_eq!(ran.text(), format!("1\n{MINIO}"));
}

#[test]
fn another_event_on_the_standard_input_is_taken_with_a_warning() {
    let run =
        |event: &str, stdin: &str| supervisor(CAT).env("LOG_LEVEL", "WARNING").env("EVENT", event).stdin(stdin).run();
    let ran = run("{\"a\": 1}", "{\"b\": 2}\n").expect(0);
    assert_eq!(ran.text(), "{\"b\": 2}\n");
    assert!(ran.complaint().contains(" - supervisor - WARNING - EVENT is not used"), "{ran}");
    let ran = run("", "{\"b\": 2}\n").expect(0);
    assert_eq!((ran.text(), ran.complaint()), ("{\"b\": 2}\n", ""), "an empty one is none");
    let ran = run("{\"a\":  1}", "").expect(0);
    assert_eq!((ran.text(), ran.complaint()), ("{\"a\":  1}", ""), "nothing on it leaves EVENT");
    // More than could be a copy is passed on whole.
    let large = format!("\"{}\"", "x".repeat(3 * 1024 * 1024));
    let ran = run("{\"a\": 1}", &large).expect(0);
    assert!(ran.text() == large, "{} bytes", ran.stdout.len());
}

#[test]
fn an_event_given_by_a_flag_is_the_event() {
    let ran =
        supervisor(CAT).args(["run", "--text-input", "{}"]).env("EVENT", "[]").env("JOB_UUID", "x").run().expect(0);
    assert_eq!(ran.text(), "{}");
}

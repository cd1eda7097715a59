//! Under the name `supervisor`: what OSCAR's jobs and everybody else who pipes an event into it were promised.

mod job;

use crate::harness::{Command, Ran, bandog, command::BINARY, encode, program};

/// The supervisor, with its workspaces where the harness looks for leftovers.
pub(crate) fn oscar_supervisor() -> Command {
    let command = bandog::<[&str; 0]>([]).named("supervisor");
    let workspace = command.home().join("workspace");
    command.env("TMPDIR", workspace)
}

/// A shell that runs this line where `./supervisor` is.
fn shell(words: &[&str], line: &str, script: &str) -> Command {
    let command = program(words[0]).args(&words[1..]).args(["-c", line]);
    std::os::unix::fs::symlink(BINARY, command.home().join("supervisor")).expect("a link to the binary");
    let workspace = command.home().join("workspace");
    command.env("TMPDIR", workspace).env("SCRIPT", encode(script)).env("LOG_LEVEL", "CRITICAL")
}

/// A run of the supervisor for this script, with nothing but the function's own output where it can be.
fn supervisor(script: &str) -> Command {
    oscar_supervisor().env("SCRIPT", encode(script)).env("LOG_LEVEL", "CRITICAL")
}

fn configured(yaml: &str, script: &str) -> Command {
    oscar_supervisor().env("SCRIPT", encode(script)).env("FUNCTION_CONFIG", encode(yaml))
}

const CAT: &str = r#"cat "$INPUT_FILE_PATH""#;

const MINIO: &str = concat!(
    r#"{"EventName":"s3:ObjectCreated:Put","Key":"in/dir/a b.png","Records":[{"eventSource":"minio:s3","#,
    r#""eventTime":"2026-11-20T14:49:56.867Z","s3":{"bucket":{"name":"in"},"object":{"key":"dir/a+b.png"}}}]}"#
);

/// Level and message of each line of the log, which must all have the supervisor's form.
fn log(ran: &Ran) -> Vec<(String, String)> {
    let lines = ran.complaint().lines().map(|line| {
        let parts: Vec<&str> = line.splitn(4, " - ").collect();
        let [time, "supervisor", level, message] = parts[..] else { panic!("another form: {line:?}: {ran}") };
        let shape: String = time.chars().map(|sign| if sign.is_ascii_digit() { 'd' } else { sign }).collect();
        assert_eq!(shape, "dddd-dd-dd dd:dd:dd,ddd", "{line}");
        (level.to_owned(), message.to_owned())
    });
    lines.collect()
}

#[test]
fn the_event_on_the_standard_input_is_the_input_and_the_result_is_all_of_the_standard_output() {
    let ran = supervisor(CAT).stdin("{\"a\":  1.50}").run().expect(0);
    assert_eq!((ran.text(), ran.complaint()), ("{\"a\":  1.50}", ""));
    let ran = supervisor(CAT).stdin(encode("hello")).run().expect(0);
    assert_eq!(ran.text(), "hello");
    let one = r#"cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/out"; echo chatter"#;
    assert_eq!(supervisor(one).stdin(encode("hello")).run().expect(0).text(), encode("hello"), "no line end after it");
}

#[test]
fn its_exit_code_is_the_scripts_and_what_is_wrong_has_one_of_its_own() {
    assert_eq!(supervisor("exit 7").run().code(), 7);
    assert_eq!(supervisor("kill -TERM $$").run().code(), 143);
    let ran = supervisor(CAT).stdin("no!").run().expect(65);
    assert!(ran.complaint().contains("the body is neither JSON"), "{ran}");
    let ran = oscar_supervisor().stdin("{}").run().expect(78);
    assert!(ran.complaint().contains("nothing to run"), "{ran}");
    let ran = oscar_supervisor().env("fprocess", "/oscar/bin/supervisor").stdin("{}").run().expect(78);
    assert!(ran.complaint().contains("nothing to run"), "the watchdog's process is none of its own: {ran}");
    assert_eq!(oscar_supervisor().env("SCRIPT", "no!").run().code(), 78);
    assert_eq!(oscar_supervisor().env("SCRIPT", "").run().code(), 78, "an empty script is none");
}

#[test]
fn a_script_in_the_environment_is_run_by_the_shell_whatever_its_first_line() {
    let ran = supervisor("#!/no/such/interpreter\necho \"shell: $0\" | sed 's/ .*script/ script/'\n").run().expect(0);
    assert!(ran.text().starts_with("shell: "), "{ran}");
}

#[test]
fn its_log_is_on_the_standard_error_in_the_supervisors_form() {
    let ran = oscar_supervisor().env("SCRIPT", encode("echo x >$TMP_OUTPUT_DIR/x")).stdin("{}").run().expect(0);
    assert_eq!(ran.text(), encode("x\n"));
    let lines = log(&ran);
    assert!(lines.iter().all(|(level, _)| level == "INFO"), "{ran}");
    for message in
        ["input ready: ", "function started: /bin/sh (pid ", "function finished: exit code 0", "output: file"]
    {
        assert!(lines.iter().any(|(_, found)| found.starts_with(message)), "{message}: {ran}");
    }
    for (level, most) in [("WARNING", 0), ("DEBUG", 1000)] {
        let ran = oscar_supervisor().env("SCRIPT", encode("true")).env("LOG_LEVEL", level).stdin("{}").run().expect(0);
        assert!(log(&ran).len() <= most && (most == 0 || log(&ran).len() > 4), "{ran}");
    }
    let failed = configured("log_level: error\n", "exit 3").stdin("{}").run().expect(3);
    assert!(failed.complaint().contains(" - supervisor - ERROR - the function exited with code 3\n"), "{failed}");
}

#[test]
fn its_configuration_comes_from_the_environment_and_an_output_without_a_provider_is_a_mistake() {
    let yaml = "name: ocr\nlog_level: WARNING\noutput:\n- storage_provider: minio.default\n  path: out\n  s3cr3t: x\n";
    let ran = configured(yaml, "touch started").stdin("{}").run().expect(78);
    assert!(ran.complaint().contains("output 1") && ran.complaint().contains("minio.default"), "{ran}");
    assert!(!ran.complaint().contains("s3cr3t") && !ran.home().join("started").exists(), "{ran}");
    let ran = configured("log_level: info\n", "true").stdin("{}").run().expect(0);
    assert!(log(&ran).len() > 3, "in any case: {ran}");
    let ran = configured("log_level: [\n", "true").stdin("{}").run().expect(78);
    assert!(ran.complaint().contains("FUNCTION_CONFIG"), "{ran}");
}

#[test]
fn an_event_of_a_store_that_is_not_configured_is_an_error_and_never_the_input() {
    let delegated = format!(r#"{{"storage_provider":"minio.other","event":{}}}"#, serde_json::json!(MINIO));
    for event in [MINIO, &delegated] {
        let ran = supervisor("touch started; cat \"$INPUT_FILE_PATH\"").stdin(event).run().expect(78);
        assert!(ran.complaint().contains("dir/a b.png") || ran.complaint().contains("minio.other"), "{ran}");
        assert!(!ran.home().join("started").exists(), "{ran}");
        let problem: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("a problem");
        assert_eq!(problem["type"], "urn:bandog:error:provider-unknown", "{ran}");
    }
    // Under its own name, without storage_providers, an event is a body like any other: the function is told of it.
    let own = ["run", "--log-level", "CRITICAL", "--", "/bin/sh", "-c", r#"printf %s "$STORAGE_OBJECT_KEY""#];
    assert_eq!(bandog(own).with_workspace().stdin(MINIO).run().expect(0).text(), "dir/a b.png");
}

#[test]
fn with_file_stage_in_a_function_is_told_and_fetches_for_itself() {
    let script = r#"printf '%s|%s|%s|%s' "${INPUT_FILE_PATH-unset}" "$STORAGE_OBJECT_KEY" "$EVENT_TIME" "$EVENT"
        test -z "$(ls "$TMP_INPUT_DIR")""#;
    let delegated = format!(r#"{{"storage_provider":"minio.other","event":{}}}"#, serde_json::json!(MINIO));
    for event in [MINIO, &delegated] {
        let ran = configured("file_stage_in: true\nlog_level: CRITICAL\n", script).stdin(event).run().expect(0);
        assert_eq!(ran.text(), format!("unset|dir/a b.png|2026-11-20T14:49:56.867Z|{MINIO}"));
    }
    let ran = configured("file_stage_in: true\n", script).stdin(encode("x")).run().expect(0);
    assert!(ran.text().contains("unset|||"), "{ran}");
    assert!(log(&ran).contains(&("INFO".to_owned(), "Skipping download of input file.".to_owned())), "{ran}");
    let stdin = configured("file_stage_in: true\nlog_level: CRITICAL\n", "cat; echo end").env("BANDOG_STDIN", "input");
    assert_eq!(stdin.stdin(encode("x")).run().expect(0).text(), "end\n");
}

#[test]
fn an_api_gateways_request_is_its_body_and_its_query() {
    let script = r#"cat "$INPUT_FILE_PATH"; printf '|%s|%s|%s' "$CONT_VAR_lang" "$CONT_VAR_mode" "$CONT_VAR_page""#;
    let event = serde_json::json!({
        "resource": "/ocr", "path": "/ocr", "httpMethod": "POST", "headers": {"Content-Type": "text/plain"},
        "queryStringParameters": {"lang": "eng", "page": "2"}, "requestContext": {}, "body": "aGVsbG8=",
        "isBase64Encoded": true,
    });
    let run =
        |command: Command| command.env("CONT_VAR_mode", "fast").env("CONT_VAR_lang", "spa").stdin(event.to_string());
    let ran = run(supervisor(script)).run().expect(0);
    assert_eq!(ran.text(), "hello|eng|fast|2", "an event's own before what is inherited");
    let own = ["run", "--log-level", "CRITICAL", "--", "/bin/sh", "-c", script];
    let ran = run(bandog(own).with_workspace()).run().expect(0);
    assert_eq!(ran.text(), format!("{event}|spa|fast|"), "only in the place of the supervisor");
}

#[test]
fn sigterm_ends_the_function_and_leaves_nothing() {
    let script = "trap 'echo told >told; exit 0' TERM; : >started; while :; do sleep 0.05; done";
    // The shell becomes the supervisor, and has a child that sends it the signal.
    let line =
        "(until [ -e started ]; do sleep 0.02; done; kill -TERM $$) & echo '{}' >event; exec ./supervisor <event";
    let ran = shell(&["dash"], line, script).run().expect(143);
    assert_eq!(std::fs::read_to_string(ran.home().join("told")).expect("it was told"), "told\n");
    // While it waits for its event, too.
    let line = "(sleep 0.3; kill -TERM $$) & mkfifo event; sleep 5 >event & exec ./supervisor <event";
    shell(&["dash"], line, "true").run().expect(143);
}

#[test]
fn each_old_way_can_be_had_back() {
    let old = |words: &str, script: &str| supervisor(script).env("BANDOG_COMPAT", words);
    let ran = old("newline", CAT).stdin(encode("hello")).run().expect(0);
    assert_eq!(ran.text(), "hello\n");
    let file = "echo x >$TMP_OUTPUT_DIR/x";
    assert_eq!(old("newline", file).stdin("{}").run().expect(0).text(), format!("{}\n", encode("x\n")));
    let ran = old("status-200", "echo before; exit 7").stdin("{}").run().expect(0);
    assert_eq!(ran.text(), "before\n");
    assert!(ran.complaint().contains("the function exited with code 7"), "{ran}");
    assert_eq!(old("status-200,newline", "echo before; kill $$").stdin("{}").run().expect(0).text(), "before\n\n");
    assert_eq!(old("status-200", "sleep 9").env("BANDOG_EXEC_TIMEOUT", "100ms").stdin("{}").run().code(), 124);
    let ran = old("stdin", CAT).env("EVENT", "[1]").env("JOB_UUID", "x").stdin("[2]").run().expect(0);
    assert_eq!(ran.text(), "[2]");
    let ran = old("loose-events", CAT).stdin(r#"{"event": {"a": 1}}"#).run().expect(0);
    assert_eq!(ran.text(), r#"{"a":1}"#);
}

#[test]
fn a_job_may_run_for_hours_unless_somebody_says_otherwise() {
    let told = |command: Command| {
        let ran = command.args(["check"]).run().expect(0);
        let line = ran.text().lines().find(|line| line.starts_with("--exec-timeout")).expect("a line").to_owned();
        line.split_whitespace().nth(1).expect("a value").to_owned()
    };
    // What a watchdog beside it is told is nothing to the supervisor.
    assert_eq!(told(supervisor(CAT).env("exec_timeout", "7")), "0");
    assert_eq!(told(supervisor(CAT).env("BANDOG_EXEC_TIMEOUT", "1h")), "1h");
}

//! The measured cases: each over HTTP and through `run`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value;

use crate::{
    harness::{
        Answer, Builder, Command, OSCAR_POD, Ran,
        archive::{names, unzip},
        bandog, decode, encode, fixture, serve,
    },
    supervisor::oscar_supervisor,
};

/// The cases of one file.
fn cases(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(fixture("golden").join(name)).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("no {field} in {case}"))
}

/// Writes the script of a case where both ways find it.
fn script(case: &Value, dir: &Path) -> std::path::PathBuf {
    let path = dir.join("script.sh");
    fs::write(&path, text(case, "script")).expect("writable");
    // Scripts without a first line of their own are for /bin/sh, as OSCAR runs them.
    let executable = text(case, "script").starts_with("#!");
    fs::set_permissions(&path, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))
        .expect("permissions");
    path
}

fn environment(case: &Value) -> impl Iterator<Item = (&str, &str)> {
    case["env"].as_object().expect("env").iter().map(|(name, value)| (name.as_str(), value.as_str().expect("a string")))
}

/// Header fields of the request, for the cases that need some.
fn fields(case: &Value) -> impl Iterator<Item = (&str, &str)> {
    let fields = case.get("headers").and_then(Value::as_object).into_iter().flatten();
    fields.map(|(name, value)| (name.as_str(), value.as_str().expect("a string")))
}

/// Judges a body by what the case says of it.
fn judge(name: &str, expect: &Value, kind: &str, body: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    if let Some(wanted) = expect["body_b64"].as_str() {
        assert_eq!(body, decode(wanted), "{name}: {shown}");
    }
    if let Some(wanted) = expect["body_contains"].as_str() {
        assert!(shown.contains(wanted), "{name}: no {wanted:?} in {shown:?}");
    }
    if kind != "zip" {
        return;
    }
    let entries = unzip(&decode(body));
    if let Some(wanted) = expect["names"].as_array() {
        let wanted: Vec<&str> = wanted.iter().map(|name| name.as_str().expect("a name")).collect();
        assert_eq!(names(&entries), wanted, "{name}");
    }
    for (entry, wanted) in expect["entries"].as_object().into_iter().flatten() {
        let found = entries.iter().find(|found| found.name() == *entry);
        let found = found.unwrap_or_else(|| panic!("{name}: no {entry} in {:?}", names(&entries)));
        assert_eq!(found.content, decode(wanted.as_str().expect("base64")), "{name}: {entry}");
    }
}

fn over_http(case: &Value) -> Answer {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut builder = serve(script(case, dir.path())).args(["--log-level", text(case, "log_level")]);
    for (name, value) in environment(case) {
        builder = builder.env(name, value);
    }
    let server = builder.start();
    let mut request = server.post(decode(text(case, "stdin_b64")));
    for (name, value) in fields(case) {
        request = request.header(name, value);
    }
    let answer = request.send();
    server.is_clean();
    answer
}

fn judge_http(case: &Value) {
    judge_answer(case, &over_http(case));
}

fn judge_answer(case: &Value, answer: &Answer) {
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let status = u16::try_from(expect["status"].as_u64().expect("a status")).expect("a status");
    assert!(answer.status == status && answer.whole, "{name}: wanted {status}: {answer}");
    if status == 200 {
        let kind = text(expect, "kind");
        assert_eq!(answer.wants("x-output-kind"), kind, "{name}: {answer}");
        judge(name, expect, kind, &answer.body);
        return;
    }
    let problem = answer.problem(status);
    for field in ["exit_code", "signal"] {
        if let Some(wanted) = expect.get(field) {
            assert_eq!(&problem[field], wanted, "{name}: {answer}");
        }
    }
    if let Some(wanted) = expect["logs_contain"].as_str() {
        assert!(problem["logs"].as_str().is_some_and(|logs| logs.contains(wanted)), "{name}: {answer}");
    }
    if let Some(wanted) = expect["detail_contains"].as_str() {
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(wanted)), "{name}: {answer}");
    }
}

/// Sends the case to the pod that OSCAR makes of it: the name, the variables and the script are those of its own
/// container. `compat` is what is wanted back of the old ways.
fn over_fwatchdog(case: &Value, compat: &[&str]) -> Answer {
    let script = encode(text(case, "script"));
    let variables = OSCAR_POD.into_iter().chain([
        ("K_SERVICE", "golden"),
        ("SCRIPT", &*script),
        ("LOG_LEVEL", text(case, "log_level")),
    ]);
    let variables = variables.chain(environment(case));
    let mut builder = Builder::new().fwatchdog();
    for (name, value) in variables {
        builder = builder.env(name, value);
    }
    if !compat.is_empty() {
        builder = builder.env("BANDOG_COMPAT", compat.join(","));
    }
    let server = builder.start();
    let answer = server.post(decode(text(case, "stdin_b64"))).send();
    assert!(answer.whole, "{answer}");
    answer
}

/// In the place of the watchdog the answers are those of bandog, and failures are worded as it did.
fn judge_fwatchdog(case: &Value) {
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let answer = over_fwatchdog(case, &[]);
    assert_eq!(u64::from(answer.status), expect["status"].as_u64().expect("a status"), "{name}: {answer}");
    assert_eq!(answer.wants("content-type"), "text/plain; charset=utf-8", "{name}: {answer}");
    if answer.status == 200 {
        judge(name, expect, text(expect, "kind"), &answer.body);
        return;
    }
    assert!(!answer.wants("x-bandog-error").is_empty() && answer.body.ends_with(b"\n"), "{name}: {answer}");
    if let Some(code) = expect["exit_code"].as_i64() {
        assert!(answer.body.starts_with(format!("exit status {code}\n").as_bytes()), "{name}: {answer}");
    }
    if let Some(wanted) = expect["logs_contain"].as_str() {
        assert!(String::from_utf8_lossy(&answer.body).contains(wanted), "{name}: {answer}");
    }
}

/// The same for cases that may set a type of their own.
fn judge_own_over_fwatchdog(case: &Value) {
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let answer = over_fwatchdog(case, &[]);
    let status = if names_storage(case) { 500 } else { expect["status"].as_u64().expect("a status") };
    assert_eq!(u64::from(answer.status), status, "{name}: {answer}");
    if status == 200 {
        judge(name, expect, text(expect, "kind"), &answer.body);
    }
}

/// With the old ways back, what the original pair wrote is answered byte for byte, wherever it was not wrong: where
/// it did not rewrite its input, and did not fail over it.
fn judge_reference(case: &Value) -> bool {
    let (name, reference) = (text(case, "name"), &case["reference"]);
    let wanted = decode(text(reference, "stdout_b64"));
    let ours = case["expect"]["body_b64"].as_str().map(decode);
    let is_failure = case["expect"]["exit_code"].is_i64();
    let is_kept = ours.is_some_and(|ours| wanted == [ours.as_slice(), b"\n"].concat());
    if reference["exit"] != 0 || !(is_kept || is_failure) {
        return false;
    }
    let answer = over_fwatchdog(case, &["newline", "status-200"]);
    assert_eq!((answer.status, answer.header("x-bandog-error")), (200, None), "{name}: {answer}");
    if is_kept {
        assert_eq!(answer.body, wanted, "{name}: {answer}");
    }
    true
}

fn judge_run(case: &Value) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = bandog(["run", "--log-level", text(case, "log_level"), "--script"])
        .arg(script(case, dir.path()))
        .with_workspace()
        .stdin(decode(text(case, "stdin_b64")));
    for (variable, value) in environment(case) {
        command = command.env(variable, value);
    }
    judge_ran(case, &command.run());
}

/// A case for the supervisor, with the script in the environment.
fn supervised(case: &Value) -> Command {
    let command = oscar_supervisor()
        .env("LOG_LEVEL", text(case, "log_level"))
        .env("SCRIPT", encode(text(case, "script")))
        .stdin(decode(text(case, "stdin_b64")));
    environment(case).fold(command, |command, (variable, value)| command.env(variable, value))
}

/// The same in the place of OSCAR's supervisor.
fn judge_supervisor(case: &Value) {
    let ran = supervised(case).run();
    if names_storage(case) {
        assert_eq!(ran.code(), 78, "{}: {ran}", text(case, "name"));
        assert!(ran.complaint().contains("no input has"), "{ran}");
        return;
    }
    judge_ran(case, &ran);
}

/// Whether it is about the interpreter in a script's first line, which OSCAR has never looked at: its images may not
/// have it.
fn names_interpreter(case: &Value) -> bool {
    text(case, "name") == "run-shebang"
}

/// Whether it is about a storage event, which in the place of the supervisor is fetched or refused, and never the input.
fn names_storage(case: &Value) -> bool {
    ["event-storage-variables", "event-storage-verbatim"].contains(&text(case, "name"))
}

fn judge_ran(case: &Value, ran: &Ran) {
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let code = match expect["status"].as_u64().expect("a status") {
        200 => 0,
        400 => 65,
        _ => {
            let code = expect["exit_code"].as_i64().or_else(|| expect["signal"].as_i64().map(|signal| 128 + signal));
            i32::try_from(code.expect("how it ends")).expect("an exit code")
        }
    };
    assert_eq!(ran.code(), code, "{name}: {ran}");
    if code == 0 {
        judge(name, expect, text(expect, "kind"), &ran.stdout);
    } else {
        assert!(!ran.stderr.is_empty(), "{name}: it says why: {ran}");
    }
    if code == 65 {
        let problem: Value =
            serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{name}: {error}: {ran}"));
        assert_eq!(problem["status"], 400, "{name}: stdout is what HTTP would send: {ran}");
    }
    if let Some(wanted) = expect["logs_contain"].as_str() {
        let all = [ran.stdout.as_slice(), &ran.stderr].concat();
        assert!(String::from_utf8_lossy(&all).contains(wanted), "{name}: {ran}");
    }
}

/// Runs every case of a file, and tells all that failed at once.
fn all(file: &str, at_least: usize, judge: impl Fn(&Value) + std::panic::RefUnwindSafe) {
    let cases = cases(file);
    assert!(cases.len() >= at_least, "{file} has {} cases", cases.len());
    let failed: Vec<&str> = cases
        .iter()
        .filter(|case| std::panic::catch_unwind(|| judge(case)).is_err())
        .map(|case| text(case, "name"))
        .collect();
    assert!(failed.is_empty(), "{} of {} cases of {file}: {failed:?}", failed.len(), cases.len());
}

#[test]
fn every_measured_case_is_answered_as_agreed_over_http() {
    all("cases.jsonl", 41, judge_http);
}

#[test]
fn every_measured_case_is_answered_as_agreed_through_run() {
    all("cases.jsonl", 41, judge_run);
}

#[test]
fn every_measured_case_is_answered_as_agreed_in_the_place_of_the_watchdog() {
    all("cases.jsonl", 41, judge_fwatchdog);
}

#[test]
fn what_the_original_pair_answered_and_was_right_comes_back_byte_for_byte() {
    let judged = cases("cases.jsonl").iter().filter(|case| judge_reference(case)).count();
    assert!(judged >= 20, "only {judged} of the cases could be compared");
}

#[test]
fn every_case_of_our_own_is_answered_as_agreed_over_http() {
    all("own.jsonl", 60, judge_http);
}

#[test]
fn every_case_of_our_own_that_needs_no_header_is_answered_as_agreed_through_run() {
    all("own.jsonl", 60, |case| {
        if fields(case).next().is_none() {
            judge_run(case);
        }
    });
}

#[test]
fn every_measured_case_is_answered_as_agreed_by_the_supervisor() {
    all("cases.jsonl", 41, judge_supervisor);
}

#[test]
fn every_case_of_our_own_that_needs_no_header_is_answered_as_agreed_by_both() {
    all("own.jsonl", 60, |case| {
        if fields(case).next().is_none() && !names_interpreter(case) {
            judge_supervisor(case);
            judge_own_over_fwatchdog(case);
        }
    });
}

/// Cases in which the pair that was measured printed something else: it rewrote JSON, failed on what was no object, took
/// any key for an event, lost bytes, or called a failure a success.
const DELIBERATE: [&str; 23] = [
    "json-object-spaces",
    "json-floats",
    "json-nan",
    "json-empty-array",
    "json-string",
    "json-true",
    "json-string-b64",
    "b64-nopad",
    "b64-std-special",
    "b64-all-junk",
    "text-hello",
    "raw-utf8-text",
    "bom-json",
    "ev-delegated-obj",
    "ev-delegated-sp",
    "ev-records-empty",
    "ev-records-nosource",
    "ev-records-badtype",
    "out-nl-name",
    "script-exit3",
    "script-syntax",
    "script-bashism",
    "script-invalid-utf8",
];

#[test]
fn in_all_other_cases_the_supervisor_prints_what_the_measured_one_printed_but_for_the_line_end() {
    all("cases.jsonl", 41, |case| {
        let name = text(case, "name");
        let printed = decode(text(&case["reference"], "stdout_b64"));
        let printed = printed.strip_suffix(b"\n").unwrap_or(&printed);
        let ran = supervised(case).run();
        let is_same = ran.stdout == printed && case["reference"]["exit"] == ran.code();
        assert_eq!(is_same, !DELIBERATE.contains(&name), "{name}: not {:?}: {ran}", String::from_utf8_lossy(printed));
    });
}

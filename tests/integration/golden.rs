//! The measured cases: each over HTTP and through `run`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value;

use crate::harness::{
    Answer,
    archive::{names, unzip},
    bandog, decode, fixture, serve,
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
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let answer = over_http(case);
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

fn judge_run(case: &Value) {
    let (name, expect) = (text(case, "name"), &case["expect"]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = bandog(["run", "--log-level", text(case, "log_level"), "--script"])
        .arg(script(case, dir.path()))
        .with_workspace()
        .stdin(decode(text(case, "stdin_b64")));
    for (variable, value) in environment(case) {
        command = command.env(variable, value);
    }
    let ran = command.run();
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

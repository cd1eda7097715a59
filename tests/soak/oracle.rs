//! Knows what must come back, byte for byte, and says in words what is wrong with what did.

use std::{
    fmt,
    io::{Cursor, Read as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::call::{Call, File, Problem, Wanted};

/// The answer that came back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The fields; names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    /// The body, without its transfer coding.
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing says.
    pub(crate) whole: bool,
}

/// A description of the fault.
pub(crate) type Wrong = String;

impl Answer {
    /// The value of a field that is there once at most.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str, wanted: &str) -> Result<(), Wrong> {
        let values: Vec<&str> =
            self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
        if values == [wanted] { Ok(()) } else { Err(format!("{name} is {values:?}, wanted {wanted:?}")) }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.body[..self.body.len().min(600)]).into_owned();
        let whole = if self.whole { "" } else { ", cut" };
        write!(f, "{} {:?}, {} bytes{whole}: {start:?}", self.status, self.fields, self.body.len())
    }
}

/// Holds an answer against what was wanted.
pub(crate) fn check(call: &Call, wanted: &Wanted, answer: &Answer) -> Result<(), Wrong> {
    if !answer.whole {
        return Err("the answer was cut".to_owned());
    }
    if let Some(length) = answer.field("content-length") {
        same("Content-Length", length, &answer.body.len().to_string())?;
    }
    match wanted {
        Wanted::Problem(problem) => return check_problem(call, problem, answer),
        Wanted::Page(part) => {
            status(answer, 200)?;
            let text = String::from_utf8_lossy(&answer.body);
            return if text.contains(part) { Ok(()) } else { Err(format!("no {part:?} in the page")) };
        }
        _ => {}
    }
    answer.has("x-call-id", &call.id)?;
    if let Wanted::Events { .. } | Wanted::BrokenEvents(_) = wanted {
        status(answer, 200)?;
        answer.has("content-type", "text/event-stream")?;
        return check_events(call, wanted, answer);
    }
    if let Wanted::Passed { status: code, kind, body } = wanted {
        status(answer, *code)?;
        check_seconds(answer.field("x-duration-seconds").unwrap_or_default())?;
        if let Some(kind) = kind {
            answer.has("content-type", kind)?;
        }
        return same_bytes("the server's answer", &answer.body, body);
    }
    if let Wanted::Echo = wanted {
        status(answer, 200)?;
        return check_echo(call, answer);
    }
    answer.has("x-exit-code", "0")?;
    check_seconds(answer.field("x-duration-seconds").unwrap_or_default())?;
    if !matches!(wanted, Wanted::Own { .. }) {
        status(answer, 200)?;
    }
    if !matches!(wanted, Wanted::Own { .. } | Wanted::Result { .. }) {
        answer.has("vary", "Accept")?;
    }
    match wanted {
        Wanted::File { file: (name, bytes), raw } => {
            answer.has("x-output-kind", "file")?;
            answer.has("x-output-name", name)?;
            match raw {
                Some(kind) => {
                    answer.has("content-type", kind)?;
                    same_bytes("the file", &answer.body, bytes)
                }
                None => same_bytes("the base64 of the file", &base64_body(answer)?, bytes),
            }
        }
        Wanted::Zip { files, raw } => {
            answer.has("x-output-kind", "zip")?;
            let archive = if *raw {
                answer.has("content-type", "application/zip")?;
                answer.body.clone()
            } else {
                base64_body(answer)?
            };
            check_zip(archive, files)
        }
        Wanted::Logs(bytes) => {
            answer.has("x-output-kind", "logs")?;
            answer.has("content-type", "text/plain; charset=utf-8")?;
            same_bytes("the logs", &answer.body, bytes)
        }
        Wanted::Json { files, logs } => {
            answer.has("content-type", "application/json")?;
            check_document(call, files, logs, &answer.body)
        }
        Wanted::Own { status: code, fields, body } => {
            status(answer, *code)?;
            for (name, value) in fields {
                answer.has(name, value)?;
            }
            same_bytes("the function's own body", &answer.body, body)
        }
        Wanted::Result { kind, body } => {
            answer.has("x-output-kind", "stdout")?;
            answer.has("content-type", kind)?;
            same_bytes("the result", &answer.body, body)
        }
        Wanted::Events { .. }
        | Wanted::BrokenEvents(_)
        | Wanted::Page(_)
        | Wanted::Problem(_)
        | Wanted::Passed { .. }
        | Wanted::Echo => Ok(()),
    }
}

/// The server saw the request as it was sent, but for the token, which stays with bandog.
fn check_echo(call: &Call, answer: &Answer) -> Result<(), Wrong> {
    let many: Vec<_> = answer.fields.iter().filter(|(name, _)| name == "x-many").map(|(_, value)| value).collect();
    if many != ["1", "2"] {
        return Err(format!("x-many is {many:?}"));
    }
    let saw: Value =
        serde_json::from_slice(&answer.body).map_err(|error| format!("an echo that is no JSON: {error}"))?;
    let text = |name: &str| saw[name].as_str().unwrap_or_default().to_owned();
    same("the method", &text("method"), call.method)?;
    same("the target", &text("target"), &call.target)?;
    // A letter for each byte.
    let sent: String = call.body.iter().map(|byte| char::from(*byte)).collect();
    same_bytes("the body", text("body").as_bytes(), sent.as_bytes())?;
    let values = |name: &str| -> Vec<&str> {
        let fields = saw["headers"].as_array().into_iter().flatten();
        fields.filter(|field| field[0] == name).filter_map(|field| field[1].as_str()).collect()
    };
    same("host", &values("host").join(", "), "soak")?;
    for (name, value) in &call.fields {
        let wanted = if *name == "Authorization" { "" } else { value };
        same(name, &values(&name.to_ascii_lowercase()).join(", "), wanted)?;
    }
    Ok(())
}

fn status(answer: &Answer, wanted: u16) -> Result<(), Wrong> {
    same("the status", &answer.status.to_string(), &wanted.to_string())
}

fn same(what: &str, came: &str, wanted: &str) -> Result<(), Wrong> {
    if came == wanted { Ok(()) } else { Err(format!("{what} is {came:?}, wanted {wanted:?}")) }
}

fn same_bytes(what: &str, came: &[u8], wanted: &[u8]) -> Result<(), Wrong> {
    if came == wanted {
        return Ok(());
    }
    let at = came.iter().zip(wanted).position(|(came, wanted)| came != wanted).unwrap_or(came.len().min(wanted.len()));
    let part = |bytes: &[u8]| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 60)]).into_owned();
    let (some, all) = (came.len(), wanted.len());
    Err(format!("{what}: {some} bytes, wanted {all}; differs at {at}: {:?}, wanted {:?}", part(came), part(wanted)))
}

/// The body, strictly decoded.
fn base64_body(answer: &Answer) -> Result<Vec<u8>, Wrong> {
    answer.has("content-type", "text/plain; charset=utf-8")?;
    answer.has("content-transfer-encoding", "base64")?;
    STANDARD.decode(&answer.body).map_err(|error| format!("the body is not base64: {error}"))
}

/// A number as C's `%f` writes it.
fn check_seconds(text: &str) -> Result<(), Wrong> {
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
    if decimals.len() == 6 && text.parse::<f64>().is_ok() { Ok(()) } else { Err(format!("seconds are {text:?}")) }
}

/// The checksum of each entry is checked by the reader.
fn check_zip(archive: Vec<u8>, wanted: &[File]) -> Result<(), Wrong> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(|error| format!("not a zip: {error}"))?;
    if archive.len() != wanted.len() {
        return Err(format!("{} files in the zip, wanted {}", archive.len(), wanted.len()));
    }
    for (index, (name, content)) in wanted.iter().enumerate() {
        let mut entry = archive.by_index(index).map_err(|error| format!("entry {index} of the zip: {error}"))?;
        let found = entry.name().map_err(|error| format!("entry {index} of the zip: {error}"))?.into_owned();
        same("the name of an entry", &found, name)?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| format!("{name} in the zip: {error}"))?;
        same_bytes(name, &bytes, content)?;
    }
    Ok(())
}

/// The document, made anew from what is known: only the duration is taken from what came.
fn check_document(call: &Call, files: &[File], logs: &str, came: &[u8]) -> Result<(), Wrong> {
    let text = String::from_utf8_lossy(came);
    let seconds = text.rsplit_once("\"duration_seconds\":").map_or("", |(_, rest)| rest);
    let seconds = seconds.split(',').next().unwrap_or_default();
    check_seconds(seconds)?;
    let files: Vec<String> = files
        .iter()
        .map(|(name, bytes)| {
            let (name, data) = (Value::from(name.as_str()), STANDARD.encode(bytes));
            format!(
                "{{\"name\":{name},\"type\":\"application/octet-stream\",\"size\":{},\"data\":\"{data}\"}}",
                bytes.len()
            )
        })
        .collect();
    let wanted = format!(
        "{{\"files\":[{}],\"logs\":{},\"exit_code\":0,\"duration_seconds\":{seconds},\"call_id\":\"{}\"}}",
        files.join(","),
        Value::from(logs),
        call.id
    );
    same_bytes("the document", came, wanted.as_bytes())
}

fn check_events(call: &Call, wanted: &Wanted, answer: &Answer) -> Result<(), Wrong> {
    // A comment keeps the connection alive; it is no event.
    let text = String::from_utf8_lossy(&answer.body).replace(": keep-alive\n\n", "");
    let (logs, result) = text.rsplit_once("event: result\ndata: ").ok_or("a stream without a result")?;
    let result = result.strip_suffix("\n\n").ok_or("a result without an end")?;
    let lines = |text: &str| text.lines().fold(String::new(), |all, line| all + "event: log\ndata: " + line + "\n\n");
    match wanted {
        Wanted::Events { files, logs: printed } => {
            same_bytes("the log events", logs.as_bytes(), lines(printed).as_bytes())?;
            check_document(call, files, printed, result.as_bytes())
        }
        Wanted::BrokenEvents(problem) => {
            if let Some(printed) = &problem.logs {
                same_bytes("the log events", logs.as_bytes(), lines(printed).as_bytes())?;
            }
            check_problem_document(call, problem, result.as_bytes())
        }
        _ => Ok(()),
    }
}

fn check_problem(call: &Call, problem: &Problem, answer: &Answer) -> Result<(), Wrong> {
    status(answer, problem.status)?;
    answer.has("x-bandog-error", problem.slug)?;
    answer.has("content-type", "application/problem+json")?;
    if problem.status == 503 && answer.field("retry-after").is_none() {
        return Err("a 503 without Retry-After".to_owned());
    }
    check_problem_document(call, problem, &answer.body)
}

fn check_problem_document(call: &Call, problem: &Problem, body: &[u8]) -> Result<(), Wrong> {
    let document: Value =
        serde_json::from_slice(body).map_err(|error| format!("a problem that is no JSON: {error}"))?;
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    same("type", &text("type"), &format!("urn:bandog:error:{}", problem.slug))?;
    same("status", &document["status"].to_string(), &problem.status.to_string())?;
    if text("title").is_empty() || text("detail").is_empty() {
        return Err("a problem without title or detail".to_owned());
    }
    if document.get("call_id").is_some() {
        same("call_id", &text("call_id"), &call.id)?;
    }
    for (name, wanted) in [("exit_code", problem.exit_code), ("signal", problem.signal)] {
        if let Some(wanted) = wanted {
            same(name, &document[name].to_string(), &wanted.to_string())?;
        }
    }
    let listed = document["errors"].as_array().into_iter().flatten();
    let of = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let mut errors: Vec<_> = listed.map(|error| (of(error, "argument"), of(error, "problem"))).collect();
    errors.sort();
    let wanted = problem.errors.iter().map(|(name, problem)| ((*name).to_owned(), (*problem).to_owned()));
    if !errors.iter().cloned().eq(wanted) {
        return Err(format!("the errors are {errors:?}, wanted {:?}", problem.errors));
    }
    if let Some(traceback) = &problem.traceback {
        same("attempts", &document["attempts"].to_string(), "1")?;
        same("traceback", &text("traceback"), traceback)?;
    }
    match &problem.logs {
        Some(logs) => same_bytes("the logs of the problem", text("logs").as_bytes(), logs.as_bytes()),
        None => Ok(()),
    }
}

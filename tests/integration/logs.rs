//! No line is lost, none is invented: what the caller sees of a run, and what the container log tells of it.

mod output;
mod start;
mod usage;

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use crate::harness::{Server, encode, function, serve, serve_command};

const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];

/// Level and message of one of bandog's own lines (`2026-11-20 14:49:56,867 - supervisor - INFO - message`).
fn own(line: &str) -> Option<(&str, &str)> {
    const SHAPE: &str = "dddd-dd-dd dd:dd:dd,ddd - supervisor - ";
    if line.len() < SHAPE.len() || !line.is_char_boundary(SHAPE.len()) {
        return None;
    }
    let (stamp, rest) = line.split_at(SHAPE.len());
    let fits =
        stamp.chars().zip(SHAPE.chars()).all(|(c, shape)| if shape == 'd' { c.is_ascii_digit() } else { c == shape });
    let (level, message) = rest.split_once(" - ")?;
    (fits && LEVELS.contains(&level) && !message.is_empty()).then_some((level, message))
}

/// The output of `seq 1 100000000 | head -c COUNT`.
fn sequence(count: usize) -> Vec<u8> {
    let mut wanted = Vec::with_capacity(count + 16);
    let mut number = 1_u64;
    while wanted.len() < count {
        wanted.extend_from_slice(number.to_string().as_bytes());
        wanted.push(b'\n');
        number += 1;
    }
    wanted.truncate(count);
    wanted
}

#[test]
fn own_lines_tell_the_milestones_of_a_run() {
    let server = serve_command("echo mine; echo theirs >&2").start();
    let answer = server.post(encode("twelve bytes")).send().expect(200);
    let lines: Vec<&str> = answer.text().lines().collect();
    let notes: Vec<&str> = lines.iter().filter_map(|line| own(line)).map(|(_, message)| message).collect();
    let rest: Vec<&str> = lines.iter().filter(|line| own(line).is_none()).copied().collect();
    assert_eq!(rest, ["mine", "theirs"], "every other line is the function's: {answer}");
    let tells = |what: &str, words: &[&str]| {
        let found = notes.iter().any(|note| words.iter().all(|word| note.to_lowercase().contains(word)));
        assert!(found, "no line on {what} with {words:?} in {notes:#?}");
    };
    tells("the input", &["event-file-", "base64", "12"]);
    tells("the start", &["pid", "/bin/sh"]);
    tells("the end", &["exit", "0"]);
    tells("the output", &["output"]);
    // In the order they happened: two before the function's lines, the rest after.
    let position = |wanted: &str| lines.iter().position(|line| *line == wanted).expect("the line");
    assert!(lines[..position("mine")].iter().all(|line| own(line).is_some()));
    assert!(position("mine") >= 2 && position("theirs") < lines.len() - 1, "{answer}");
}

#[test]
fn the_level_filters_own_lines_and_nothing_else() {
    let command = r#"ln -s /etc/passwd "$TMP_OUTPUT_DIR/leaver"; echo 'INFO - supervisor'; printf 'no end'"#;
    for (index, level) in LEVELS.iter().enumerate() {
        let server = serve_command(command).args(["--log-level", &level.to_lowercase()]).start();
        let answer = server.get("/").send().expect(200);
        let own: BTreeSet<&str> = answer.text().lines().filter_map(own).map(|(level, _)| level).collect();
        let unwanted = LEVELS[..index].iter().any(|lower| own.contains(lower));
        assert!(!unwanted, "{level}: {answer}");
        let wanted = match *level {
            "DEBUG" => &["DEBUG", "INFO", "WARNING"][..],
            "INFO" => &["INFO", "WARNING"],
            "WARNING" => &["WARNING"],
            _ => &[],
        };
        assert_eq!(own.into_iter().collect::<Vec<_>>(), wanted, "{level}: {answer}");
        assert!(answer.text().contains("INFO - supervisor\nno end"), "{level}: {answer}");
    }
}

#[test]
fn at_critical_every_byte_is_the_functions() {
    let server = serve(function("interleave.sh")).quiet().start();
    let mut wanted = String::new();
    for number in 0..500 {
        let _ = write!(wanted, "out {number}\nerr {number}\n");
    }
    wanted.push_str("no newline");
    assert_eq!(server.get("/").send().expect(200).text(), wanted);

    let all_bytes: Vec<u8> = (0..=255).collect();
    let server = serve_command("cat \"$INPUT_FILE_PATH\"").quiet().start();
    assert_eq!(server.post(encode(&all_bytes)).send().expect(200).body, all_bytes);
}

#[test]
fn long_logs_are_whole() {
    let server = serve(function("spam.sh")).quiet().start();
    for count in [262_143, 262_144, 262_145, 5_000_000] {
        let answer = server.post(encode(count.to_string())).send().expect(200);
        assert_eq!(answer.wants("content-length"), count.to_string());
        assert!(answer.body == sequence(count), "{count} bytes");
    }
    server.is_clean();
}

#[test]
fn logs_over_the_limit_are_cut_and_the_cut_is_marked() {
    let server = serve(function("spam.sh")).quiet().args(["--max-logs", "100000"]).start();
    let answer = server.post(encode("2000000")).send().expect(200);
    let text = answer.text();
    assert!(text.starts_with("1\n2\n3\n"), "the beginning is kept");
    let wanted = sequence(2_000_000);
    assert!(text.as_bytes().ends_with(&wanted[wanted.len() - 1000..]), "the end is kept");
    let mark = text.find("left out").unwrap_or_else(|| panic!("no mark in {} bytes", text.len()));
    assert!(text[mark.saturating_sub(200)..].contains("--max-logs"));
    assert_eq!(text.len(), 100_000, "beginning, mark and end together");
    let whole = server.post(encode("100000")).send().expect(200);
    assert!(whole.body == sequence(100_000), "what fits is whole");
    let more = server.post(encode("100001")).send().expect(200);
    assert!(more.body.len() == 100_000 && more.text().contains("left out"), "one byte more is a cut");
}

#[test]
fn no_character_of_a_path_makes_a_line_of_the_log_look_like_another() {
    for format in ["text", "json"] {
        let server = serve_command("echo").args(["--log-format", format]).start();
        for mark in
            ["\u{2028}", "\u{2029}", "\u{85}", "\u{202e}", "\u{61c}", "\u{2066}", "\u{200f}", "\u{feff}", "\u{ad}"]
        {
            let id = format!("call-{:x}", u32::from(mark.chars().next().expect("one")));
            server.get(&format!("/a{mark}b")).header("X-Call-Id", &id).send().expect(200);
            let line = server.log_line("the request", |line| line.contains(&id) && line.contains("/a"));
            assert!(!line.contains(mark) && line.contains("/a\\u"), "{format}: {line:?}");
        }
    }
}

#[test]
fn the_container_log_names_the_call_in_every_line_about_it() {
    let server = serve_command("echo spoken").start();
    for id in ["call-a", "call-b"] {
        server.get("/some/path").header("X-Call-Id", id).send().expect(200);
    }
    server.post("!").header("X-Call-Id", "call-c").send().problem(400);
    for (id, method, status) in [("call-a", "GET", "200"), ("call-b", "GET", "200"), ("call-c", "POST", "400")] {
        server.log_line("the access line", |line| {
            line.contains(id) && line.contains(method) && line.contains(status) && line.contains('/')
        });
        let log = server.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
        let access = lines.iter().filter(|line| line.contains(method) && line.contains(status)).count();
        assert_eq!(access, 1, "one access line: {lines:#?}");
        if status == "200" {
            assert!(lines.len() >= 4, "input, start, finish and access: {lines:#?}");
        }
    }
    assert!(!server.log().contains("spoken"), "the function's output is not forwarded at INFO: {server}");
    assert!(server.log().contains(&server.address.to_string()), "the bound address is logged: {server}");
}

#[test]
fn an_answer_of_many_pieces_has_its_access_line_too() {
    let server = serve_command("head -c 3000000 /dev/zero >\"$TMP_OUTPUT_DIR/zeros\"").start();
    server.get("/").send().expect(200);
    server.log_line("the access line", |line| line.contains("status=200") && line.contains("bytes=4000000"));
}

#[test]
fn the_container_log_can_be_json() {
    let server = serve_command("echo spoken").args(["--log-format", "json", "--forward-logs"]).start();
    server.get("/").header("X-Call-Id", "call{1}").send().expect(200);
    server.log_line("the output", |line| line.contains("spoken"));
    server.log_line("the access line", |line| line.contains("200") && line.contains("GET"));
    let log = server.log();
    let mut about = 0;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let object = line.as_object().expect("an object");
        assert!(object.values().any(|value| LEVELS.iter().any(|level| value == level)), "a level: {line}");
        about += usize::from(object.get("call_id").is_some_and(|id| id == "call{1}"));
    }
    assert!(about >= 5, "input, start, output, finish, access carry the call id: {log}");
}

#[test]
fn the_functions_output_is_forwarded_line_by_line() {
    for flags in [&["--forward-logs"][..], &["--log-level", "DEBUG"], &["--log-level", "CRITICAL", "--forward-logs"]] {
        let server = serve_command("echo first; echo second >&2; printf unfinished").args(flags).start();
        server.get("/").header("X-Call-Id", "call-f").send().expect(200);
        for text in ["first", "second", "unfinished"] {
            let line = server.log_line(text, |line| line.ends_with(text));
            assert!(line.contains("call-f"), "{flags:?}: {line}");
        }
    }
}

#[test]
fn a_long_line_is_forwarded_whole() {
    let command = "head -c 200000 /dev/zero | tr '\\0' x; echo; echo after";
    for format in ["text", "json"] {
        let server = serve_command(command).args(["--forward-logs", "--log-format", format]).quiet().start();
        let answer = server.get("/").send().expect(200);
        assert_eq!(answer.body.len(), 200_000 + 1 + 6);
        server.log_line("after", |line| line.contains("after"));
        let log = server.log();
        // In pieces of bounded size, so that memory does not grow with the line, but all of it.
        let pieces: Vec<usize> =
            log.lines().map(|line| line.matches('x').count()).filter(|count| *count > 100).collect();
        assert_eq!(pieces.iter().sum::<usize>(), 200_000, "{format}: {pieces:?}");
        assert!(pieces.len() <= 4, "{format}: {pieces:?}");
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_the_function() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let server = serve(function("spam.sh")).args(["--forward-logs"]).quiet().stderr(writer).start();
    for _ in 0..2 {
        let answer = server.post(encode("3000000")).send().expect(200);
        assert!(answer.body == sequence(3_000_000));
    }
    drop(reader);
    // The log cannot be read any more: that is no reason to fail either.
    assert!(server.post(encode("1000")).send().expect(200).body == sequence(1000));
}

#[test]
fn secrets_are_not_logged() {
    let server: Server = serve_command("echo x")
        .args(["--log-level", "DEBUG"])
        .env("BANDOG_TOKEN", "t0p-s3cret")
        .env("SOME_PASSWORD", "als0-s3cret")
        .start();
    let request = server.get("/?q=1").header("Authorization", "Bearer t0p-s3cret").header("Cookie", "c00kie-s3cret");
    let answer = request.send().expect(200);
    server.get("/").header("Authorization", "Bearer wr0ng-s3cret").send().problem(401);
    server.log_line("the access line", |line| line.contains("401"));
    let (log, seen) = (server.log(), answer.text());
    for secret in ["t0p-s3cret", "als0-s3cret", "wr0ng-s3cret", "c00kie-s3cret"] {
        assert!(!log.contains(secret), "{secret} in {log}");
        assert!(!seen.contains(secret), "{secret} in {seen}");
    }
}

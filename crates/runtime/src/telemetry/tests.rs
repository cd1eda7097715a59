use proptest::prelude::*;

use super::*;

fn line<'a>(level: Level, call_id: &'a str, message: &'a str, fields: &'a [(&'static str, Value)]) -> LogLine<'a> {
    let moment = "2026-11-20T14:49:56.867Z".parse().expect("time");
    LogLine { moment, level, logger: "name", call_id, message, said: &[], fields }
}

#[test]
fn a_function_line_is_written_in_its_own_format() {
    let moment = "2026-11-20T14:49:56.867Z".parse().expect("time");
    let line = |prefix: Option<LinePrefix>, bytes: Option<usize>| {
        let limit = bytes.map(|bytes| LineLimit { bytes, setting: "line_limit" });
        FunctionLines { prefix, limit }.text(moment, "h\u{e9}llo")
    };
    let prefix = LinePrefix { time: "%d.%m.%Y %H:%M", stream: "stderr: " };
    assert_eq!(line(Some(prefix), None), "20.11.2026 14:49 stderr: h\u{e9}llo\n");
    assert_eq!(line(None, Some(6)), "h\u{e9}llo\n");
    assert_eq!(line(None, Some(2)), "h [bandog: 5 bytes cut; see line_limit]\n");
}

#[test]
fn a_text_line_reads_as_the_contract_says_with_the_call_id() {
    let text = line(Level::Info, "abc", "input ready", &[("bytes", 7.into())]).text(true);
    assert_eq!(text, "2026-11-20 14:49:56,867 - name - INFO - [abc] input ready bytes=7");
}

#[test]
fn a_line_break_in_a_message_cannot_forge_a_line() {
    let text = line(Level::Info, "", "a\nb\u{1b}[0m", &[("path", "x\ny".into())]).text(true);
    assert_eq!(text, "2026-11-20 14:49:56,867 - name - INFO - a\\x0ab\\x1b[0m path=\"x\\ny\"");
}

#[test]
fn a_json_line_parses_and_holds_every_field() {
    let json = line(Level::Error, "abc", "said \"no\"\n", &[("exit", 3.into())]).json();
    let value: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(value["time"], "2026-11-20T14:49:56.867Z");
    assert_eq!(value["level"], "ERROR");
    assert_eq!(value["call_id"], "abc");
    assert_eq!(value["message"], "said \"no\"\n");
    assert_eq!(value["exit"], 3);
}

/// Texts with everything that could forge a line.
fn odd_texts() -> impl Strategy<Value = String> {
    let marks = vec![
        '\u{85}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{61c}',
        '\u{200e}',
        '\u{200f}',
        '\u{200b}',
        '\u{feff}',
        '\u{ad}',
        '\u{e0041}',
        '\u{9b}',
        '\u{7f}',
        '\u{1b}',
        '\n',
        '\r',
        '\0',
        '"',
        '\\',
        '=',
        ' ',
        'a',
        'é',
    ];
    prop::collection::vec(prop_oneof![prop::sample::select(marks), any::<char>()], 0..12)
        .prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #[test]
    fn no_field_of_a_line_can_forge_another_line(
        call_id in odd_texts(), message in odd_texts(), path in odd_texts(), number in any::<f64>(),
    ) {
        let fields = [("path", path.as_str().into()), ("seconds", number.into())];
        let entry = line(Level::Info, &call_id, &message, &fields);
        let (text, json) = (entry.text(true), entry.json());
        for written in [&text, &json] {
            let seen = |char: char| (!char.is_control() || char == '\t') && !is_deceptive(char);
            prop_assert!(written.chars().all(seen), "{:?}", written);
        }
        let read: Value = serde_json::from_str(&json).expect("JSON");
        prop_assert_eq!(read["message"].as_str(), Some(message.as_str()), "the value is the same");
        prop_assert_eq!(read["path"].as_str(), Some(path.as_str()));
    }

    /// A line of text: the stamp, the logger, the level, the call, the message, then fields, each of which is read back as it
    /// was: alone if it has no blanks and quotes, else as JSON.
    #[test]
    fn any_field_of_a_line_of_text_is_read_back(path in odd_texts(), code in any::<i64>(), is_last in any::<bool>()) {
        let fields = [("path", path.as_str().into()), ("code", code.into()), ("last", is_last.into())];
        let text = line(Level::Warning, "abc", "done", &fields).text(true);
        let rest = text.strip_prefix("2026-11-20 14:49:56,867 - name - WARNING - [abc] done path=");
        let rest = rest.expect("the beginning");
        let rest = rest.strip_suffix(&format!(" code={code} last={is_last}")).expect("the end");
        let read = if rest.starts_with('"') { serde_json::from_str(rest).expect("JSON") } else { rest.to_owned() };
        prop_assert_eq!(read, path);
        prop_assert!(rest.starts_with('"') || !rest.contains(' '));
    }

    /// The time, the stream, the line, as the settings ask for them; a line that is too long is cut at a character, and
    /// the mark counts the bytes that are missing.
    #[test]
    fn any_line_of_a_function_is_whole_or_says_how_much_is_missing(
        text in odd_texts(), bytes in prop::option::of(0..40_usize),
    ) {
        let moment = "2026-11-20T14:49:56.867Z".parse().expect("time");
        let limit = bytes.map(|bytes| LineLimit { bytes, setting: "line_limit" });
        let prefix = LinePrefix { time: "%Y/%m/%d %H:%M:%S", stream: "stdout: " };
        let written = FunctionLines { prefix: Some(prefix), limit }.text(moment, &text);
        let line = written.strip_prefix("2026/11/20 14:49:56 stdout: ").and_then(|line| line.strip_suffix('\n'));
        let line = line.expect("prefix and line end");
        if text.len() <= bytes.unwrap_or(usize::MAX) {
            prop_assert_eq!(line, text);
            return Ok(());
        }
        let (kept, mark) = line.rsplit_once(" [bandog: ").expect("a mark");
        let missing = mark.strip_suffix(" bytes cut; see line_limit]").expect("a mark");
        let missing: usize = missing.parse().expect("a number");
        prop_assert!(text.starts_with(kept) && kept.len() + missing == text.len());
        let next = text[kept.len()..].chars().next().expect("more").len_utf8();
        prop_assert!(kept.len() <= bytes.expect("a limit") && kept.len() + next > bytes.expect("a limit"));
    }
}

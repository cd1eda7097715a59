use proptest::prelude::*;

use super::*;
use crate::{
    invocation::Failure,
    logs::Level,
    output::{Output, testing::MemorySink},
    process::Exit,
    reply::{
        Accept, answer,
        tests::{CALL, done_with, files, run},
    },
};

/// The stream of a run that wrote these parts one after the other.
fn stream(parts: &[&[u8]]) -> String {
    let mut sink = MemorySink::default();
    let mut events = EventStream::new(&mut sink);
    let mut logs = Logs::new(Level::Critical, 0, None);
    for part in parts {
        logs.output(part);
        assert!(matches!(events.progress(&logs), Progress::Until(_)));
    }
    events.finish(&done_with(Output::None, parts.concat()), &CALL).expect("sent");
    sink.text()
}

/// Reads a stream as the WHATWG's parser does: (event, data) of each.
fn events_of(stream: &str) -> Vec<(String, String)> {
    let mut events = Vec::new();
    let (mut kind, mut data) = (String::new(), None::<String>);
    for line in stream.split('\n') {
        assert!(!line.contains('\r'));
        if line.is_empty() {
            if let Some(data) = data.take() {
                events.push((std::mem::take(&mut kind), data));
            }
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(data.map_or(value.to_owned(), |before| before + "\n" + value));
        } else if let Some(value) = line.strip_prefix("event:") {
            value.strip_prefix(' ').unwrap_or(value).clone_into(&mut kind);
        } else {
            assert!(line.starts_with(':'), "{line:?}");
        }
    }
    assert!(data.is_none(), "the last event is whole");
    events
}

fn lines(parts: &[&[u8]]) -> Vec<String> {
    let mut events = events_of(&stream(parts));
    assert_eq!(events.pop().expect("a last event").0, "result");
    events
        .into_iter()
        .map(|(kind, data)| {
            assert_eq!(kind, "log");
            data
        })
        .collect()
}

#[test]
fn the_stream_is_these_bytes() {
    assert_eq!(
        stream(&[b"first\nsec", b"ond\n\nlast"]),
        "event: log\ndata: first\n\nevent: log\ndata: second\n\nevent: log\ndata: \n\nevent: log\ndata: last\n\n\
         event: result\ndata: {\"files\":[],\"logs\":\"first\\nsecond\\n\\nlast\",\"exit_code\":0,\
         \"duration_seconds\":1.234567,\"call_id\":\"call-1\"}\n\n"
    );
}

#[test]
fn a_line_ends_at_lf_or_cr_or_both_wherever_they_are_cut() {
    assert_eq!(lines(&[b"a\r\nb\rc\nd"]), ["a", "b", "c", "d"]);
    assert_eq!(lines(&[b"a\r", b"\nb\r", b"c\r", b"\r", b"\n", b"\n"]), ["a", "b", "c", "", ""]);
    assert_eq!(lines(&[b"10%\r20%\r", b"30%\n"]), ["10%", "20%", "30%"]);
    assert_eq!(lines(&[b" leading", b" blank\n"]), [" leading blank"]);
    assert_eq!(lines(&[b"event: result\ndata: {}\n"]), ["event: result", "data: {}"]);
}

#[test]
fn a_line_is_sent_as_soon_as_it_is_whole_and_not_before() {
    let mut sink = MemorySink::default();
    let mut events = EventStream::new(&mut sink);
    let mut logs = Logs::new(Level::Critical, 0, None);
    logs.output(b"not yet");
    events.progress(&logs);
    assert_eq!(events.line, b"not yet");
    logs.output(b"\nbut now\r");
    events.progress(&logs);
    assert_eq!(sink.text(), "event: log\ndata: not yet\n\nevent: log\ndata: but now\n\n");
}

#[test]
fn a_line_without_end_is_split_between_characters() {
    for before in 0..4 {
        let text = "x".repeat(before) + &"\u{1F600}".repeat(LINE_LIMIT / 2);
        let lines = lines(&[text.as_bytes()]);
        assert!(lines.len() >= 2 && lines.iter().all(|line| line.len() <= LINE_LIMIT), "{}", lines.len());
        assert!(lines.concat() == text);
    }
    let binary = lines(&[&vec![0xFF; 3 * LINE_LIMIT]]);
    assert!(binary.len() == 3 && binary.iter().all(|line| line.chars().all(|c| c == '\u{FFFD}')));
}

#[test]
fn a_slow_reader_never_holds_up_the_function_and_misses_nothing() {
    let mut sink = MemorySink { full: true, ..MemorySink::default() };
    let mut logs = Logs::new(Level::Critical, 0, None);
    let mut events = EventStream::new(&mut sink);
    assert!(matches!(events.progress(&logs), Progress::Until(_)), "there is nothing to be behind of");
    logs.output(b"line\n");
    assert_eq!(events.progress(&logs), Progress::Behind);
    assert_eq!(events.progress_at(&logs, Instant::now() + KEEP_ALIVE), Ok(Progress::Behind));
    events.finish(&done_with(Output::None, "line\n"), &CALL).expect("sent");
    let sent = events_of(&sink.text());
    assert_eq!((sent[0].1.as_str(), sent[1].0.as_str(), sent.len()), ("line", "result", 2));
}

#[test]
fn silence_is_broken_by_a_comment() {
    let mut sink = MemorySink::default();
    let logs = Logs::new(Level::Critical, 0, None);
    let mut events = EventStream::new(&mut sink);
    let start = events.sent_at;
    for (after, wanted) in [(14, 0), (15, 1), (16, 1), (29, 1), (30, 2)] {
        events.progress_at(&logs, start + Duration::from_secs(after)).expect("sent");
        let sent = (events.sent_at - start).as_secs() / 15;
        assert_eq!(sent, wanted, "after {after} s");
    }
    assert_eq!(sink.text(), ": keep-alive\n\n".repeat(2));
}

#[test]
fn a_reader_that_went_away_is_told_at_the_end_and_nothing_more_is_sent() {
    let mut sink = MemorySink { gone: true, ..MemorySink::default() };
    let mut logs = Logs::new(Level::Critical, 0, None);
    let mut events = EventStream::new(&mut sink);
    logs.output(b"a\n");
    events.progress(&logs);
    logs.output(b"b\n");
    assert_eq!(events.progress(&logs), Progress::UpToDate);
    assert!(matches!(
        events.finish(&done_with(Output::None, ""), &CALL),
        Err(TransferError::Disconnected(Disconnected))
    ));
    assert_eq!(sink.pieces.len(), 1);
}

#[test]
fn a_failed_run_ends_with_a_result_that_is_a_problem() {
    let outcome = Outcome::Failed { report: run(Some(Exit::Code(3)), "why\n"), failure: Failure::Exit(3) };
    let mut sink = MemorySink::default();
    EventStream::new(&mut sink).finish(&outcome, &CALL).expect("sent");
    let events = events_of(&sink.text());
    assert_eq!((events[0].1.as_str(), events[1].0.as_str(), events.len()), ("why", "result", 2));
    let problem: serde_json::Value = serde_json::from_str(&events[1].1).expect("JSON");
    assert_eq!((&problem["exit_code"], &problem["logs"]), (&3.into(), &"why\n".into()));
}

#[test]
fn an_answer_after_the_run_is_the_same_stream() {
    let (_dir, output) = files(&[("f", b"abc")]);
    let outcome = done_with(output, "a\nb");
    let reply = answer(&outcome, &CALL, &Accept::parse(Some(b"text/event-stream")));
    assert_eq!(reply.head().headers[header::CONTENT_TYPE], "text/event-stream");
    assert_eq!(reply.head().length, None);
    let mut sink = MemorySink::default();
    reply.write_to(&mut sink).expect("sent");
    let events = events_of(&sink.text());
    assert_eq!((events.len(), events[2].0.as_str()), (3, "result"));
    let result: serde_json::Value = serde_json::from_str(&events[2].1).expect("JSON");
    assert_eq!((&result["files"][0]["data"], &result["logs"]), (&"YWJj".into(), &"a\nb".into()));
}

proptest! {
    #[test]
    fn lines_are_the_same_however_they_were_written(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'a')], 0..200),
        step in 1..20_usize,
    ) {
        let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").replace('\r', "\n");
        let mut wanted: Vec<_> = text.split('\n').map(str::to_owned).collect();
        if wanted.last().is_some_and(String::is_empty) {
            wanted.pop();
        }
        prop_assert_eq!(lines(&bytes.chunks(step).collect::<Vec<_>>()), wanted);
    }
}

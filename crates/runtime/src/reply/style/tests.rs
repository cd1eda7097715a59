use http::{StatusCode, header::CONTENT_TYPE};

use super::*;
use crate::{
    invocation::Failure,
    output::testing::MemorySink,
    process::Exit,
    reply::{
        Accept, ErrorCode, answer,
        tests::{CALL, done_with, files, run},
    },
};

/// A style that words everything in capitals, between brackets.
#[derive(Debug)]
struct Capitals;

impl AnswerStyle for Capitals {
    fn reads_accept(&self) -> bool {
        false
    }

    fn page(&self, problem: Problem) -> (Head, Bytes) {
        let text = problem.detail.to_uppercase();
        let (mut head, _) = problem.into_parts();
        head.status = StatusCode::IM_A_TEAPOT;
        head.length = Some(text.len() as u64);
        (head, text.into())
    }

    fn success(
        &self,
        reply: &mut Reply<'_>,
        _report: &Report,
        _response_headers: &ResponseHeaders,
        request_type: Option<&HeaderValue>,
    ) {
        if let Some(value) = request_type {
            reply.head_mut().headers.insert(CONTENT_TYPE, value.clone());
        }
        reply.surround(Bytes::from_static(b"["), Bytes::from_static(b"]"));
    }

    fn failure<'a>(
        &self,
        outcome: &'a Outcome,
        call: &CallFacts<'_>,
        _request_type: Option<&HeaderValue>,
    ) -> Reply<'a> {
        let (head, text) = self.page(Problem::of_outcome(outcome, call));
        let output = outcome.report().map(|report| FailureOutput::Logs(&report.logs));
        Reply::of_text(head, text, output, Bytes::from_static(b"."))
    }
}

/// The response in a style to a request with these header fields.
fn answered(
    style: impl AnswerStyle + 'static,
    outcome: &Outcome,
    fields: &[(header::HeaderName, &str)],
) -> (Head, String) {
    let fields = fields.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value")));
    let headers: HeaderMap = fields.collect();
    let style: Arc<dyn AnswerStyle> = Arc::new(style);
    let reply = answer(outcome, &CALL, &Accept::in_style(&headers, Some(&style)));
    let head = reply.head().clone();
    let mut sink = MemorySink::default();
    reply.write_to(&mut sink).expect("written");
    let body = sink.bytes();
    assert_eq!(head.length, Some(body.len() as u64), "as announced");
    (head, String::from_utf8(body).expect("text"))
}

#[test]
fn a_style_words_a_success() {
    let (_dir, output) = files(&[("a.png", b"a\0b")]);
    let asked = [(header::ACCEPT, "application/json"), (CONTENT_TYPE, "text/x-own")];
    let (head, body) = answered(Capitals, &done_with(output, "logs"), &asked);
    assert_eq!((head.status, &*body), (StatusCode::OK, "[YQBi]"), "the style does not heed Accept");
    assert_eq!(head.headers[CONTENT_TYPE], "text/x-own");
    assert!(!head.headers.contains_key(CONTENT_TRANSFER_ENCODING), "with the brackets it is not base64");
    assert_eq!(head.headers["x-call-id"], "call-1", "these fields are not a matter of style");
}

#[test]
fn a_style_words_a_failure_and_the_fields_of_the_report_are_added() {
    let outcome = Outcome::Failed { report: run(Some(Exit::Code(3)), "the logs"), failure: Failure::Exit(3) };
    let (head, body) = answered(Capitals, &outcome, &[]);
    assert_eq!(head.status, StatusCode::IM_A_TEAPOT);
    let detail = Problem::of_outcome(&outcome, &CALL).detail.to_uppercase();
    assert_eq!(body, format!("{detail}the logs."));
    assert_eq!(head.headers["x-exit-code"], "3");
}

#[test]
fn a_style_words_a_failure_without_a_function() {
    let (head, body) = Capitals.page(Problem::new(ErrorCode::NotFound, "no such page"));
    assert_eq!((head.status, &*body), (StatusCode::IM_A_TEAPOT, &b"NO SUCH PAGE"[..]));
}

#[test]
fn the_defaults_of_a_style_are_bandogs_own() {
    let (_dir, output) = files(&[("a.txt", b"text")]);
    let done = done_with(output, "logs");
    let failed = Outcome::Failed { report: run(Some(Exit::Code(3)), ""), failure: Failure::Exit(3) };
    for outcome in [done, failed] {
        let plain = answer(&outcome, &CALL, &Accept::default());
        let (head, _) = answered(ProblemJson, &outcome, &[]);
        assert_eq!((head.status, &head.headers), (plain.head().status, &plain.head().headers));
    }
}

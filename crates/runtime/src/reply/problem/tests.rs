use proptest::prelude::*;

use super::*;

#[test]
fn fields_and_members_that_the_caller_adds_are_in_head_and_document() {
    let (head, body) = Problem::new(ErrorCode::MethodNotAllowed, "TRACE does not invoke a function")
        .header(header::ALLOW, HeaderValue::from_static("GET, POST"))
        .member("method", "TRACE")
        .call_id("id")
        .retry_after(Duration::from_millis(1200))
        .into_parts();
    assert_eq!((head.status.as_u16(), head.length), (405, Some(body.len() as u64)));
    let field = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    assert_eq!((field("allow"), field("retry-after"), field("x-call-id")), (Some("GET, POST"), Some("2"), Some("id")));
    assert_eq!(field("content-type"), Some("application/problem+json"));
    assert_eq!(field("x-bandog-error"), Some("method-not-allowed"));
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((&document["method"], &document["call_id"]), (&"TRACE".into(), &"id".into()));
    assert_eq!(document["title"], "The method is not allowed");
}

#[test]
fn a_wait_of_no_time_is_sent_as_a_second() {
    let (head, _) = Problem::new(ErrorCode::TooManyRequests, "x").retry_after(Duration::ZERO).into_parts();
    assert_eq!(head.headers[header::RETRY_AFTER], "1");
}

proptest! {
    /// RFC 9110 §10.2.3: `delay-seconds` is a whole number. One that is less than the wait would bring the client back too
    /// early, and of 0 at once.
    #[test]
    fn any_wait_is_sent_in_whole_seconds_and_none_too_short(
        seconds in prop_oneof![0..3_u64, any::<u32>().prop_map(u64::from)],
        nanoseconds in prop_oneof![Just(0), 0..1_000_000_000_u32],
    ) {
        let wait = Duration::new(seconds, nanoseconds);
        let (head, _) = Problem::new(ErrorCode::Overloaded, "x").retry_after(wait).into_parts();
        let sent = head.headers[header::RETRY_AFTER].to_str().expect("text").to_owned();
        prop_assert!(sent.bytes().all(|byte| byte.is_ascii_digit()), "{}", sent);
        let sent: u64 = sent.parse().expect("a number");
        prop_assert!(sent >= 1 && Duration::from_secs(sent) >= wait, "{} for {:?}", sent, wait);
        prop_assert!(sent == 1 || Duration::from_secs(sent - 1) < wait, "{} for {:?}", sent, wait);
    }
}

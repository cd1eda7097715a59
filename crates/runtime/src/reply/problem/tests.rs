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

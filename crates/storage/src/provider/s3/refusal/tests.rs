use super::*;

fn refusal(status: u16, code: &str) -> Refusal {
    let status = StatusCode::from_u16(status).expect("a status");
    Refusal { status, code: code.to_owned(), message: "words".to_owned(), ..Refusal::default() }
}

#[test]
fn every_code_has_a_kind_and_only_those_that_pass_are_repeated() {
    use ErrorKind::{Changed, Clock, Credentials, Denied, NoBucket, NotFound, Rejected, Unreachable, Unverified};
    for (status, code, kind, again) in [
        (404, "NoSuchKey", NotFound, Again::Never),
        (404, "", NotFound, Again::Never),
        (404, "NoSuchBucket", NoBucket, Again::Never),
        (403, "AccessDenied", Denied, Again::Never),
        (403, "", Denied, Again::Never),
        (401, "", Credentials, Again::Never),
        (403, "InvalidAccessKeyId", Credentials, Again::Never),
        (403, "SignatureDoesNotMatch", Credentials, Again::Never),
        (400, "ExpiredToken", Credentials, Again::Never),
        (403, "RequestTimeTooSkewed", Clock, Again::Never),
        (412, "PreconditionFailed", Changed, Again::Never),
        (400, "BadDigest", Unverified, Again::Later),
        (400, "RequestTimeout", Unreachable, Again::Later),
        (503, "SlowDown", Unreachable, Again::Later),
        (500, "InternalError", Unreachable, Again::Later),
        (200, "InternalError", Unreachable, Again::Later),
        (408, "", Unreachable, Again::Later),
        (429, "", Unreachable, Again::Later),
        (502, "", Unreachable, Again::Later),
        (501, "NotImplemented", Unreachable, Again::Never),
        (400, "EntityTooLarge", Rejected, Again::Never),
        (405, "", Rejected, Again::Never),
        (301, "PermanentRedirect", Rejected, Again::Never),
    ] {
        let error = Error::from(refusal(status, code));
        assert_eq!((error.kind, error.again), (kind, again), "{status} {code}");
        assert!(error.detail.contains(&status.to_string()) && error.detail.contains(code), "{error}");
        assert_eq!(error.detail.contains("words"), !code.is_empty(), "{error}");
    }
}

#[test]
fn a_pause_is_taken_from_seconds_or_from_a_time() {
    let now = http_date("Wed, 21 Oct 2015 07:28:00 GMT");
    assert_eq!(now.expect("a date").as_second(), 1_445_412_480);
    assert_eq!(pause("7", now), Some(Duration::from_secs(7)));
    assert_eq!(pause("Wed, 21 Oct 2015 07:28:09 GMT", now), Some(Duration::from_secs(9)));
    assert_eq!(pause("Wed, 21 Oct 2015 07:27:00 GMT", now), Some(Duration::ZERO));
    assert_eq!(pause("soon", now), None);
    let asked = Refusal { retry_after: Some(Duration::from_secs(3)), ..refusal(503, "SlowDown") };
    assert_eq!(Error::from(asked).again, Again::After(Duration::from_secs(3)));
    // A failure that never passes is not repeated, even if the header asks for it.
    let asked = Refusal { retry_after: Some(Duration::from_secs(3)), ..refusal(403, "AccessDenied") };
    assert_eq!(Error::from(asked).again, Again::Never);
}

#[test]
fn a_skewed_clock_is_seen_without_a_document() {
    let now: Timestamp = "2024-01-01T00:00:00Z".parse().expect("a time");
    let seconds = |count: i64| Timestamp::from_second(now.as_second() + count).ok();
    assert!(refusal(403, "RequestTimeTooSkewed").is_skewed(now));
    for (status, code, date, is_skewed) in [
        (403, "", seconds(900), true),
        (403, "", seconds(-900), true),
        (403, "", seconds(899), false),
        (403, "", None, false),
        (403, "AccessDenied", seconds(900), false),
        (404, "", seconds(900), false),
    ] {
        let refusal = Refusal { date, ..refusal(status, code) };
        assert_eq!(refusal.is_skewed(now), is_skewed, "{refusal:?}");
    }
}

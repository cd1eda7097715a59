//! Messages of AWS without records.

use serde_json::json;

use super::*;

#[test]
fn an_envelope_of_sns_is_opened_once() {
    let sns = |kind: &str, message: &str| {
        json!({"Type": kind, "MessageId": "1", "TopicArn": "arn:aws:sns:eu:1:t", "Message": message,
            "Timestamp": "2026-11-20T14:49:56.867Z", "SubscribeURL": "http://127.0.0.1:1/"})
    };
    let message = event("aws:s3", "b", "in%2Fx").to_string();
    let notice = only(&sns("Notification", &message));
    assert_eq!(notice.object, ObjectPath::new("b", "in/x"));
    assert_eq!(notice.event, Some(message.clone()), "the function gets the message");
    let test = only(&sns("Notification", r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#));
    assert!(reason(&test).contains("test event"));

    let twice = sns("Notification", &sns("Notification", &message).to_string());
    assert_eq!(parsed(&twice), None, "an envelope in an envelope");
    assert_eq!(parsed(&sns("Notification", "fire!")), None, "a message about something else");
    assert_eq!(parsed(&sns("Greeting", &message)), None);
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        let notice = only(&sns(kind, "You have chosen to subscribe"));
        assert!(reason(&notice).contains("subscription to the topic \"arn:aws:sns:eu:1:t\""), "{notice:?}");
    }
    assert_eq!(parsed(&json!({"Type": "SubscriptionConfirmation", "TopicArn": "t"})), None);
}

#[test]
fn the_test_event_of_aws_is_ignored() {
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-20T14:49:56Z", "Bucket": "b"});
    let notice = only(&test);
    assert_eq!((notice.object.bucket.as_str(), notice.source), ("b", EventSource::Aws));
    assert!(reason(&notice).contains("test event"));
    assert_eq!(parsed(&json!({"Service": "mine", "Event": "s3:TestEvent"})), None);
}

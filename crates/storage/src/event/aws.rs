//! The messages of AWS that are no records: the envelope of SNS, and the event that tests a subscription.

use bandog_runtime::input::shape::MaybeText;
use serde::Deserialize;

use super::notice::{EventSource, Notice, NoticeKind, shown};
use crate::object::ObjectPath;

/// An HTTP message of SNS.
#[derive(Debug)]
pub(super) enum Envelope {
    /// A notification, of which this is the message.
    Message(String),
    /// A message about the subscription itself.
    Notice(Box<Notice>),
}

#[derive(Deserialize)]
struct Sns<'a> {
    #[serde(borrow, default, rename = "Type")]
    kind: MaybeText<'a>,
    #[serde(borrow, default, rename = "MessageId")]
    id: MaybeText<'a>,
    #[serde(borrow, default, rename = "TopicArn")]
    topic: MaybeText<'a>,
    #[serde(borrow, default, rename = "Message")]
    message: MaybeText<'a>,
    #[serde(borrow, default, rename = "SubscribeURL")]
    url: MaybeText<'a>,
}

/// The envelope that `json` is. Its `SubscribeURL` is never fetched: the address would be the choice of a stranger.
pub(super) fn envelope(json: &str) -> Option<Envelope> {
    let sns: Sns<'_> = serde_json::from_str(json).ok()?;
    let (topic, message) = (sns.topic.text()?, sns.id.text().and(sns.message.text())?);
    let state = match sns.kind.text()? {
        "Notification" => return Some(Envelope::Message(message.to_owned())),
        "SubscriptionConfirmation" => "waits to be confirmed by its owner, who opens its SubscribeURL",
        "UnsubscribeConfirmation" => "has ended",
        _ => return None,
    };
    sns.url.text()?;
    let kind = NoticeKind::Ignored(format!("the subscription to the topic \"{}\" {state}", shown(topic)));
    Some(Envelope::Notice(Box::new(Notice::new(EventSource::Aws, json, ObjectPath::new("", ""), kind))))
}

#[derive(Deserialize)]
struct TestEvent<'a> {
    #[serde(borrow, default, rename = "Service")]
    service: MaybeText<'a>,
    #[serde(borrow, default, rename = "Event")]
    event: MaybeText<'a>,
    #[serde(borrow, default, rename = "Bucket")]
    bucket: MaybeText<'a>,
    #[serde(borrow, default, rename = "Time")]
    time: MaybeText<'a>,
}

/// The event that S3 sends when a bucket is configured to send events. It has no records.
pub(super) fn test_event(json: &str) -> Option<Notice> {
    let event: TestEvent<'_> = serde_json::from_str(json).ok()?;
    if (event.service.text()?, event.event.text()?) != ("Amazon S3", "s3:TestEvent") {
        return None;
    }
    let object = ObjectPath::new(event.bucket.text().unwrap_or_default(), "");
    let kind = NoticeKind::Ignored("this is a test event (s3:TestEvent)".to_owned());
    let notice = Notice::new(EventSource::Aws, json, object, kind);
    Some(Notice { time: event.time.text().map(str::to_owned), ..notice })
}

//! Events about objects: the notifications that stores send, and the provider that serves each.
//!
//! Users' own JSON takes the same way in, so only the exact shape of a notification counts, and no single member.

mod aws;
mod key;
mod kind;
mod notice;
mod other;
mod record;
mod route;

use memchr::memmem;

pub use self::{
    notice::{ENVIRONMENT_LIMIT, EventSource, Notice, NoticeKind},
    route::{Route, route},
};
use crate::place::Place;

/// The longest body in bytes that is looked at: the largest message of SNS. Notifications have a few thousand. A longer body
/// is an ordinary one.
pub const MAX_BYTES: usize = 256 * 1024;

/// The members, and the value, by which bodies are told from those that are no event, as they are written.
const RECORDS: &str = "\"Records\"";
const SUBSCRIPTION: &str = "\"subscription\"";
const EVENT_TYPE: &str = "\"event_type\"";
const TOPIC: &str = "\"TopicArn\"";
const TEST_EVENT: &str = "\"s3:TestEvent\"";

/// Reads a body if it has the exact shape of an event of a store: a notice for each record, in order. `inputs` are those of
/// the configuration: an event of dCache names a file in the folder of one.
#[must_use]
pub fn parse(json: &[u8], inputs: &[Place]) -> Option<Vec<Notice>> {
    // Most bodies are not events. Searching for a member avoids parsing those.
    let has = |member: &str| memmem::find(json, member.as_bytes()).is_some();
    let may_be_event =
        json.len() <= MAX_BYTES && [RECORDS, SUBSCRIPTION, EVENT_TYPE, TOPIC, TEST_EVENT].into_iter().any(has);
    let json = std::str::from_utf8(json).ok().filter(|_| may_be_event)?;
    let envelope = if has(TOPIC) { aws::envelope(json) } else { None };
    match envelope {
        Some(aws::Envelope::Message(message)) => unwrapped(&message, inputs),
        Some(aws::Envelope::Notice(notice)) => Some(vec![*notice]),
        None => unwrapped(json, inputs),
    }
}

/// The notices of an event that is in no envelope, or no longer.
fn unwrapped(json: &str, inputs: &[Place]) -> Option<Vec<Notice>> {
    let has = |member: &str| memmem::find(json.as_bytes(), member.as_bytes()).is_some();
    let one = |notice: Option<Notice>| notice.map(|notice| vec![notice]);
    None.or_else(|| if has(RECORDS) { record::notices(json) } else { None })
        .or_else(|| if has(TEST_EVENT) { one(aws::test_event(json)) } else { None })
        .or_else(|| if has(SUBSCRIPTION) { one(other::dcache(json, inputs)) } else { None })
        .or_else(|| if has(EVENT_TYPE) { one(other::rucio(json)) } else { None })
}

#[cfg(test)]
mod tests;

//! The events of dCache and of Rucio, which have a shape of their own.

use bandog_runtime::input::shape::{MaybeText, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    kind,
    notice::{EventSource, Notice, NoticeKind, shown},
};
use crate::{name::ProviderType, object::ObjectPath, place::Place};

/// The changes after which a file of dCache is there, by their names in inotify(7).
const ARRIVALS: [&str; 3] = ["IN_CREATE", "IN_CLOSE_WRITE", "IN_MOVED_TO"];

/// The mark of a change that is about a directory.
const DIRECTORY: &str = "IN_ISDIR";

/// An event of dCache, with the subscription that it is for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DCache<'a> {
    #[serde(borrow)]
    event: DCacheEvent<'a>,
    #[serde(borrow, rename = "subscription")]
    _subscription: Text<'a>,
}

#[derive(Deserialize)]
struct DCacheEvent<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    mask: Vec<MaybeText<'a>>,
}

/// The notice of an event of dCache. It names a file, and not the folder, which is that of the first input by `WebDAV`.
pub(super) fn dcache(json: &str, inputs: &[Place]) -> Option<Notice> {
    let DCache { event: DCacheEvent { name: Text(name), mask }, .. } = serde_json::from_str(json).ok()?;
    // Only the name of one file can be there. Another path would lead out of the folder.
    if name.contains('/') || matches!(&*name, "" | "." | "..") {
        return None;
    }
    let input = inputs.iter().find(|input| input.provider.kind == ProviderType::WebDav);
    let object = input.map_or_else(|| ObjectPath::new("", name.as_ref()), |input| input.object(&name));
    let has = |change: &str| mask.iter().any(|one| one.text() == Some(change));
    let kind = if has(DIRECTORY) {
        kind::folder()
    } else if ARRIVALS.into_iter().any(has) {
        NoticeKind::Created
    } else {
        NoticeKind::Ignored(format!("its mask has none of {}", ARRIVALS.join(", ")))
    };
    Some(Notice::new(EventSource::DCache, json, object, kind).checked())
}

/// The messages of Rucio about files and datasets that are there, by `event_type` (Rucio 41.5, `rucio.core`).
const RUCIO_ARRIVALS: [&str; 6] = ["transfer-done", "stagein-done", "close", "create_dts", "rule_ok", "datasetlock_ok"];

/// Its other messages that have a scope and a name, with the reason to ignore them.
const RUCIO_OTHERS: [(&str, &str); 8] = [
    ("deletion-done", "the file was removed"),
    ("erase", "the data was removed"),
    ("lost", "the file was lost"),
    ("create_cnt", "a container holds datasets, and no files"),
    ("register_cnt", "a container holds datasets, and no files"),
    ("open", "the dataset was opened, and is not complete"),
    ("rule_progress", "the rule is not complete"),
    ("touch", "the data was only read"),
];

/// The beginnings of further types: each has one message for every state of a request.
const RUCIO_STATES: [&str; 4] = ["transfer-", "stagein-", "stageout-", "deletion-"];

#[derive(Deserialize)]
struct RucioMessage<'a> {
    #[serde(borrow)]
    event_type: Text<'a>,
    #[serde(borrow)]
    payload: RucioPayload<'a>,
    #[serde(borrow, default)]
    created_at: MaybeText<'a>,
}

#[derive(Deserialize)]
struct RucioPayload<'a> {
    #[serde(borrow)]
    scope: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow, default)]
    bytes: Option<&'a RawValue>,
}

/// The notice of a message of Rucio. Only its own types count: users' JSON has an `event_type` and a `payload` as well.
pub(super) fn rucio(json: &str) -> Option<Notice> {
    let message: RucioMessage<'_> = serde_json::from_str(json).ok()?;
    let (event_type, payload) = (message.event_type.0.to_ascii_lowercase(), message.payload);
    let kind = rucio_kind(&event_type)?;
    if payload.scope.0.is_empty() {
        return None;
    }
    let object = ObjectPath::new(payload.scope.0.as_ref(), payload.name.0.as_ref());
    // For a dataset that is the size of all its files, which no single one has.
    let size = payload.bytes.filter(|_| event_type.ends_with("-done")).and_then(|bytes| bytes.get().parse().ok());
    let time = message.created_at.text().filter(|time| !time.contains('\0')).map(str::to_owned);
    Some(Notice { size, time, ..Notice::new(EventSource::Rucio, json, object, kind) }.checked())
}

fn rucio_kind(event_type: &str) -> Option<NoticeKind> {
    if RUCIO_ARRIVALS.contains(&event_type) {
        return Some(NoticeKind::Created);
    }
    let named = RUCIO_OTHERS.iter().find(|(known, _)| *known == event_type);
    let reason = match named {
        Some((_, reason)) => reason,
        None if RUCIO_STATES.iter().any(|state| event_type.starts_with(state)) => "no file has arrived",
        None => return None,
    };
    Some(NoticeKind::Ignored(format!("{reason} ({})", shown(event_type))))
}

//! The document about an event that no single run answers.

use serde_json::{Map, Value};

use super::{error_code::ErrorCode, head::CallFacts, problem::Problem};
use crate::invocation::{RecordEnd, Report, SettledEvent, SettledRecord};

/// The document of the one record, or a list of those of several.
pub(super) fn document(event: &SettledEvent, call: &CallFacts<'_>) -> Value {
    if cfg!(not(feature = "storage")) {
        // Without storage there are no such events.
        return Value::Null;
    }
    match event.records.as_slice() {
        [record] if event.is_single => record_document(record, call),
        records => records.iter().map(|record| record_document(record, call)).collect(),
    }
}

fn record_document(record: &SettledRecord, call: &CallFacts<'_>) -> Value {
    let mut document = Map::new();
    let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
    set("object", record.object.as_str().into());
    let outcome = match &record.end {
        RecordEnd::Ignored(reason) => {
            set("status", 200.into());
            set("ignored", reason.as_str().into());
            return Value::Object(document);
        }
        RecordEnd::Duplicate => {
            set("status", 200.into());
            set("duplicate", true.into());
            return Value::Object(document);
        }
        RecordEnd::Ran(outcome) => outcome,
    };
    let code = ErrorCode::of_outcome(outcome);
    set("status", code.map_or(200, |code| code.status().as_u16()).into());
    if let Some(code) = code {
        set("error", code.as_str().into());
        set("detail", Problem::of_outcome(outcome, call).detail.into());
    }
    if let Some(stored) = outcome.report().and_then(Report::stored) {
        set("stored", stored.stored.as_slice().into());
        set("failed", stored.failed.as_slice().into());
        set("skipped", stored.skipped.as_slice().into());
    }
    Value::Object(document)
}

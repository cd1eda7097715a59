//! The outcome of an event about objects that no single run answers: nothing is run for it, or it has several records.

use super::Outcome;

/// The records of an event, each with its end.
#[derive(Debug)]
pub struct SettledEvent {
    /// The records, in order; at least one.
    pub records: Vec<SettledRecord>,
    /// Whether the event has that one record alone.
    pub is_single: bool,
}

/// A record of an event, and how it ended.
#[derive(Debug)]
pub struct SettledRecord {
    /// The place of the object.
    pub object: String,
    /// How it ended.
    pub end: RecordEnd,
}

/// How a record of an event ended.
#[derive(Debug)]
pub enum RecordEnd {
    /// Nothing was run for it, for this reason.
    Ignored(String),
    /// The function has succeeded for the same event before.
    Duplicate,
    /// The function ran, or was to run.
    Ran(Box<Outcome>),
}

impl SettledEvent {
    /// An event of one record.
    #[cfg(feature = "storage")]
    pub(crate) fn single(object: String, end: RecordEnd) -> Outcome {
        Outcome::Settled(Self { records: vec![SettledRecord { object, end }], is_single: true })
    }

    /// The outcome of the first record that failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Outcome> {
        self.records.iter().find_map(|record| match &record.end {
            RecordEnd::Ran(outcome) if !outcome.is_success() => Some(&**outcome),
            RecordEnd::Ran(_) | RecordEnd::Ignored(_) | RecordEnd::Duplicate => None,
        })
    }
}

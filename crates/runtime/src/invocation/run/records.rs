//! Events about objects: each record is a run of its own, whose input is the object.

use std::time::Instant;

use super::{ActionArguments, Call, Finished, Invocation, Received, in_workspace};
use crate::{
    input::{Input, InputDir, InputError, InputKind},
    invocation::{
        function::Function,
        observer::{InvocationObserver, NoObserver},
        outcome::{Outcome, RecordEnd, Report, SettledEvent, SettledRecord},
    },
    logs::Level,
    process::Cancel,
    storage::{Begun, ObjectEvent, StorageError, StorageErrorKind, Stored, TransferLimits},
};

/// Bytes of the largest body that is read as an event. A larger one is an ordinary body.
const EVENT_LIMIT: u64 = 256 * 1024;

impl<'a> Invocation<'a> {
    /// Runs the function for the body, which is an input or an event about objects.
    pub(super) fn go_on(
        self,
        input: Input,
        arguments: Option<ActionArguments>,
        observer: &mut dyn InvocationObserver,
    ) -> Received {
        match self.open_event(&input) {
            Ok(None) => Received::Ended(self.execute(&input, arguments, observer)),
            Ok(Some(mut records)) => match records.pop() {
                Some(record) if records.is_empty() => Received::Ended(self.run_record(record, input, observer)),
                last => {
                    records.extend(last);
                    Received::Records(records, input)
                }
            },
            Err(error) => Received::Ended(Outcome::Refused(error)),
        }
    }

    /// The records of the event that the input is, if it is one and the function has a store.
    fn open_event(&self, input: &Input) -> Result<Option<Vec<Box<dyn ObjectEvent>>>, InputError> {
        let Some(storage) = &self.function.storage else { return Ok(None) };
        let name = input.path.as_ref().and_then(|path| path.file_name());
        let Some(name) = name.filter(|_| input.kind == InputKind::Json && input.bytes <= EVENT_LIMIT) else {
            return Ok(None);
        };
        let path = self.workspace.input_path();
        let dir = InputDir { fd: self.workspace.input(), path: &path };
        let document = dir.read(name, input.bytes).map_err(InputError::Store)?;
        Ok(storage.read_event(&document, input.provider.as_deref()))
    }

    /// Runs the function for one record.
    fn run_record(
        mut self,
        mut record: Box<dyn ObjectEvent>,
        mut input: Input,
        observer: &mut dyn InvocationObserver,
    ) -> Outcome {
        let object = record.object();
        if let Some(reason) = record.ignored().map(str::to_owned) {
            self.log.note(Level::Info, &format!("event ignored: {object} ({reason})"));
            return SettledEvent::single(object, RecordEnd::Ignored(reason));
        }
        let begun = record.begin(&self.transfer_limits());
        if let Some(cause) = self.cancel.cause() {
            return Outcome::Cancelled { report: None, cause };
        }
        match begun {
            Begun::Run => {}
            Begun::Duplicate => {
                self.log.note(Level::Info, &format!("event ignored: {object} (duplicate)"));
                return SettledEvent::single(object, RecordEnd::Duplicate);
            }
            Begun::Busy(pause) => {
                let seconds = pause.as_secs() + 1;
                let detail =
                    format!("{object}: the function failed for this event before; it may run again in {seconds} s");
                let error = StorageError { kind: StorageErrorKind::Busy(pause), detail };
                return Outcome::Refused(InputError::Storage(error));
            }
        }
        if let Err(outcome) = self.fetch(&mut *record, &mut input) {
            return outcome;
        }
        let outcome = self.execute(&input, None, observer);
        record.finish(outcome.is_success());
        outcome
    }

    /// Puts the object in the place of the event.
    #[expect(clippy::result_large_err, reason = "the outcome of the invocation, and made once for it")]
    fn fetch(&mut self, record: &mut dyn ObjectEvent, input: &mut Input) -> Result<(), Outcome> {
        let path = self.workspace.input_path();
        let dir = InputDir { fd: self.workspace.input(), path: &path };
        let began = Instant::now();
        let fetched = match dir.clear() {
            Ok(()) => record.fetch(dir, self.function.max_body, &self.transfer_limits()),
            Err(error) => return Err(Outcome::Refused(InputError::Store(error))),
        };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.log.note(Level::Error, &format!("input not fetched: {error}"));
                return Err(match self.cancel.cause() {
                    Some(cause) => Outcome::Cancelled { report: None, cause },
                    None => Outcome::Refused(InputError::Storage(error)),
                });
            }
        };
        let (object, bytes, seconds) = (record.object(), fetched.bytes, began.elapsed().as_secs_f64());
        self.log.note(Level::Info, &format!("input fetched: {object} ({bytes} bytes in {seconds:.6} s)"));
        self.workspace.record_input(&fetched.path);
        self.event_bucket = fetched.bucket;
        input.variables.extend(fetched.variables);
        (input.path, input.bytes, input.event) = (Some(fetched.path), fetched.bytes, fetched.event);
        Ok(())
    }

    /// The limits of the transfers before the run, and of those after it: each may take as long as the run.
    pub(super) fn transfer_limits(&self) -> TransferLimits<'a> {
        let deadline = self.function.rules.timeout.and_then(|limit| Instant::now().checked_add(limit));
        TransferLimits { cancel: self.cancel, deadline }
    }
}

/// Runs the function for each of several records, one after the other. `input` has the variables for all of them.
///
/// A run whose output is in no store and kept nowhere else is the last one: its output is the response. The records after
/// it come again with the event, and those before it are known as duplicates then.
pub(super) fn run_each(
    function: &Function,
    call: &Call,
    records: Vec<Box<dyn ObjectEvent>>,
    input: &Input,
    cancel: &Cancel,
) -> Finished {
    let mut settled = Vec::with_capacity(records.len());
    for (number, record) in (1..).zip(records) {
        let call = Call { id: format!("{}.{number}", call.id), ..call.clone() };
        let input = Input { variables: input.variables.clone(), ..Input::without_file(InputKind::Json) };
        let object = record.object();
        let ended =
            in_workspace(function, &call, cancel, |invocation| invocation.run_record(record, input, &mut NoObserver));
        let finished = match ended {
            Ok((outcome, workspace)) => Finished { outcome, workspace: Some(workspace) },
            Err(outcome) => Finished { outcome, workspace: None },
        };
        let is_unsaved = finished.outcome.report().and_then(Report::stored).is_some_and(Stored::is_unsaved);
        if is_unsaved || matches!(finished.outcome, Outcome::Cancelled { .. }) {
            return finished;
        }
        match finished.outcome {
            Outcome::Settled(event) => settled.extend(event.records),
            outcome => settled.push(SettledRecord { object, end: RecordEnd::Ran(Box::new(outcome)) }),
        }
    }
    Finished { outcome: Outcome::Settled(SettledEvent { records: settled, is_single: false }), workspace: None }
}

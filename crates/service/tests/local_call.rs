//! One call from within this process: the front door of the command line, without a command line.

use std::{sync::Arc, thread};

use bytes::Bytes;
use hyper::Request;
use tokio::sync::watch;

use bandog_process::{Cancel, Cause};
use bandog_runtime::{
    input::{BodyError, BodySource},
    output::{BodySink, Disconnected},
    reply::ErrorCode,
};
use bandog_service::{Call, LocalStop, Phase, Service, Stop, Unfinished, call_locally, testing};

/// The input of a call, which calls it off in the middle if it is told to.
struct Input {
    pieces: Vec<&'static [u8]>,
    calls_off: Option<Cancel>,
    /// The thread that read it last.
    reader: std::sync::mpsc::Sender<Option<String>>,
}

impl BodySource for Input {
    fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let _ = self.reader.send(thread::current().name().map(str::to_owned));
        if let (true, Some(cancel)) = (self.pieces.is_empty(), &self.calls_off) {
            cancel.cancel(Cause::Shutdown);
            return Err(BodyError::Incomplete);
        }
        Ok(self.pieces.pop().map(Bytes::from_static))
    }
}

/// Keeps the result, or goes away at its first piece.
#[derive(Default)]
struct Reader {
    result: Vec<u8>,
    is_gone: bool,
}

impl BodySink for Reader {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        self.result.extend_from_slice(&piece);
        if self.is_gone { Err(Disconnected) } else { Ok(()) }
    }
}

/// The call, and the threads that have read its input.
async fn call(
    service: &Arc<Service>,
    cancel: &Cancel,
    is_called_off: bool,
    reader: &mut Reader,
) -> (Result<(), Unfinished>, Vec<Option<String>>) {
    let request = Request::post("/").header("Content-Type", "application/octet-stream");
    let (head, ()) = request.body(()).expect("a head").into_parts();
    let (threads, readers) = std::sync::mpsc::channel();
    let calls_off = is_called_off.then(|| cancel.clone());
    let source = Input { pieces: vec![b"od", b"go"], calls_off, reader: threads };
    // It lives as long as the call, so that the order stays as it is.
    let (_tell, told) = watch::channel(Stop::No);
    let stop = LocalStop { told, cancel: cancel.clone() };
    let call = Call { id: "local".to_owned(), head, action: None };
    let called = Box::pin(call_locally(Arc::clone(service), call, Box::new(source), stop, reader)).await;
    (called, readers.try_iter().collect())
}

#[tokio::test]
async fn the_thread_of_the_call_reads_its_input_and_nothing_is_left_to_drain() {
    let dir = tempfile::tempdir().expect("tempdir");
    let script = "tr a-z A-Z < \"$INPUT_FILE_PATH\" > \"$TMP_OUTPUT_DIR/out\"";
    let service = Arc::new(testing::service(dir.path(), &["/bin/sh", "-c", script], None));
    let mut reader = Reader::default();
    let (called, readers) = call(&service, &Cancel::new(), false, &mut reader).await;
    assert!(called.is_ok(), "{called:?}");
    assert_eq!(reader.result, b"R09PRA==", "the base64 of GOOD");
    assert_eq!(readers, vec![Some("invocation".to_owned()); 3], "two pieces and the end, and no thread between");
    let context = service.context();
    assert!(!context.lifecycle.is(Phase::Draining), "a call that is over needs no drain");
    assert_eq!(Arc::strong_count(context), 1, "its thread has let go of everything, as bandog may end now");
    assert_eq!((context.workspaces.open_workspaces(), context.lifecycle.in_flight().count()), (0, 0));
}

#[tokio::test]
async fn a_front_door_calls_its_call_off_before_its_input_breaks_off() {
    let dir = tempfile::tempdir().expect("tempdir");
    let service = Arc::new(testing::service(dir.path(), &["/bin/true"], None));
    let mut reader = Reader::default();
    let (called, _) = call(&service, &Cancel::new(), true, &mut reader).await;
    assert!(called.is_ok(), "{called:?}");
    let problem = String::from_utf8_lossy(&reader.result).into_owned();
    assert!(problem.contains(ErrorCode::ShuttingDown.as_str()), "no input that broke off by itself: {problem}");
}

#[tokio::test]
async fn a_call_whose_reader_goes_away_is_ended_before_the_end() {
    let dir = tempfile::tempdir().expect("tempdir");
    // More than the pieces that may be on their way.
    let script = "head -c 16777216 /dev/zero > \"$TMP_OUTPUT_DIR/out\"";
    let service = Arc::new(testing::service(dir.path(), &["/bin/sh", "-c", script], None));
    let mut reader = Reader { is_gone: true, ..Reader::default() };
    let (called, _) = call(&service, &Cancel::new(), false, &mut reader).await;
    assert!(matches!(called, Err(Unfinished::Gone)), "{called:?}");
    let context = service.context();
    assert_eq!((context.workspaces.open_workspaces(), context.lifecycle.in_flight().count()), (0, 0));
}

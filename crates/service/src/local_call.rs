//! One call of an action from within this process, without a connection: the service is started, called, and stopped.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Service,
    body::{NextFrame, Response, Upload},
    call::{Call, Responder},
    lifecycle::Stop,
    shutdown::{drain, stopped_now},
};
use crate::{
    input::{BodyError, BodySource},
    invocation::Outcome,
    output::BodySink,
    reply::{ErrorCode, Problem},
};

/// Why there was no response, or not all of it.
#[derive(Debug)]
pub enum Unfinished {
    /// The call was not taken.
    NotTaken(Box<Problem>),
    /// It failed.
    Ended(Box<Outcome>),
    /// The response broke off.
    BrokenOff,
    /// The reader of the response is gone.
    Gone,
}

/// Starts the servers that the call needs, sends its result to `sink`, and ends all that was started.
///
/// # Errors
/// There is no whole response.
pub async fn call_locally(
    service: Arc<Service>,
    call: Call,
    source: Box<dyn BodySource + Send>,
    stop: watch::Receiver<Stop>,
    sink: &mut (dyn BodySink + Send),
) -> Result<(), Unfinished> {
    let ends = tokio::spawn({
        let (service, mut stop) = (Arc::clone(&service), stop.clone());
        async move {
            if stop.wait_for(|stop| *stop > Stop::No).await.is_ok() {
                service.close(false);
                stopped_now(&mut stop).await;
                service.close(true);
            }
        }
    });
    let called = one(&service, call, source, sink).await;
    drain(&service, JoinSet::new(), stop).await;
    ends.abort();
    called
}

async fn one(
    service: &Service,
    call: Call,
    source: Box<dyn BodySource + Send>,
    sink: &mut (dyn BodySink + Send),
) -> Result<(), Unfinished> {
    let not_taken = |problem| Unfinished::NotTaken(Box::new(problem));
    let upload = LocalUpload::new(source).map_err(|error| {
        not_taken(Problem::new(ErrorCode::Overloaded, format!("cannot start a thread for the input: {error}")))
    })?;
    let Response { mut body, outcome, .. } = service.call(call, Box::new(upload), &OneCall).await.map_err(not_taken)?;
    if let Some(outcome) = outcome {
        return Err(Unfinished::Ended(outcome));
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unfinished::BrokenOff)?;
        if let Ok(data) = frame.into_data() {
            sink.send(data).map_err(|_| Unfinished::Gone)?;
        }
    }
    Ok(())
}

/// The caller of the one call, for which the servers are started when its arguments are known to be right: that may take
/// minutes.
struct OneCall;

impl Responder for OneCall {
    fn starts_servers(&self) -> bool {
        true
    }
}

/// A body that is read on a thread of its own, which is never joined: a terminal may say nothing for ever.
struct LocalUpload {
    /// Ends with `None`, unless the thread has died.
    read: mpsc::Receiver<Result<Option<Bytes>, BodyError>>,
    has_ended: bool,
}

impl LocalUpload {
    fn new(source: Box<dyn BodySource + Send>) -> io::Result<Self> {
        let (frames, read) = mpsc::channel(1);
        thread::Builder::new().name("input".to_owned()).spawn(move || pump(source, &frames))?;
        Ok(Self { read, has_ended: false })
    }
}

impl Upload for LocalUpload {
    fn next(&mut self) -> NextFrame<'_> {
        Box::pin(async {
            let frame = self.read.recv().await.unwrap_or(Err(BodyError::Incomplete))?;
            self.has_ended = frame.is_none();
            Ok(frame)
        })
    }

    fn is_end(&self) -> bool {
        self.has_ended
    }

    /// The one call there is does not wait for its input: its time limit includes that.
    fn threshold(&self) -> usize {
        0
    }
}

/// Passes the input on, for as long as it is taken.
fn pump(mut source: Box<dyn BodySource + Send>, frames: &mpsc::Sender<Result<Option<Bytes>, BodyError>>) {
    loop {
        let frame = source.next();
        if let Err(error) = &frame {
            tracing::error!("the input ended too early: {error}");
        }
        let is_last = !matches!(frame, Ok(Some(_)));
        if frames.blocking_send(frame).is_err() || is_last {
            return;
        }
    }
}

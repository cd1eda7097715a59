//! One call from within this process, without a connection: the service is called, and all that was started for the
//! call is ended.

use std::{sync::Arc, thread};

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
    executor::Executor,
    lifecycle::Stop,
    shutdown::{drain, stopped_now},
};
use crate::{
    input::{BodyError, BodySource},
    invocation::Outcome,
    output::BodySink,
    process::Cancel,
    reply::Problem,
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

/// The orders of the operator during the one call.
#[derive(Debug, Clone)]
pub struct LocalStop {
    /// The order.
    pub told: watch::Receiver<Stop>,
    /// Calls off a call that is a process. Set by the giver of the order as well, so that a body that it makes break off
    /// is not taken for one that broke off by itself.
    pub cancel: Cancel,
}

/// Starts the servers that the call needs, sends its result to `sink`, and ends all that was started.
///
/// # Errors
/// There is no whole response.
pub async fn call_locally(
    service: Arc<Service>,
    call: Call,
    source: Box<dyn BodySource + Send>,
    LocalStop { told: stop, cancel }: LocalStop,
    sink: &mut (dyn BodySink + Send),
) -> Result<(), Unfinished> {
    let is_process = service.router.find(&call).is_ok_and(|route| matches!(route.executor(), Executor::Process(_)));
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
    let called = one(&service, call, LocalUpload::new(source), &OneCall(cancel), sink).await;
    // A process ends before its response does, and nothing is left of it when its call is not in flight any more.
    if !is_process || service.context.lifecycle.in_flight().count() > 0 {
        drain(&service, JoinSet::new(), stop).await;
    }
    ends.abort();
    called
}

async fn one(
    service: &Service,
    call: Call,
    upload: LocalUpload,
    caller: &OneCall,
    sink: &mut (dyn BodySink + Send),
) -> Result<(), Unfinished> {
    let response = service.call(call, Box::new(upload), caller).await;
    let Response { mut body, outcome, .. } = response.map_err(|problem| Unfinished::NotTaken(Box::new(problem)))?;
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
struct OneCall(Cancel);

impl Responder for OneCall {
    fn starts_servers(&self) -> bool {
        true
    }

    fn cancel(&self) -> Cancel {
        self.0.clone()
    }
}

/// A body that the thread of the call reads; for a call without one, a thread of its own, which is never joined: a terminal
/// may say nothing for ever.
struct LocalUpload {
    /// Until it is read.
    unread: Option<(Box<dyn BodySource + Send>, Frames)>,
    /// Ends with `None`, unless the thread has died.
    read: mpsc::Receiver<Result<Option<Bytes>, BodyError>>,
    has_ended: bool,
}

/// Where the thread sends what it reads.
type Frames = mpsc::Sender<Result<Option<Bytes>, BodyError>>;

impl LocalUpload {
    fn new(source: Box<dyn BodySource + Send>) -> Self {
        let (frames, read) = mpsc::channel(1);
        Self { unread: Some((source, frames)), read, has_ended: false }
    }
}

impl Upload for LocalUpload {
    fn next(&mut self) -> NextFrame<'_> {
        Box::pin(async {
            if let Some((source, frames)) = self.unread.take() {
                thread::Builder::new().name("input".to_owned()).spawn(move || pump(source, &frames))?;
            }
            let frame = self.read.recv().await.unwrap_or(Err(BodyError::Incomplete))?;
            self.has_ended = frame.is_none();
            Ok(frame)
        })
    }

    fn take_source(&mut self) -> Option<Box<dyn BodySource + Send>> {
        self.unread.take().map(|(source, _)| source)
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
fn pump(mut source: Box<dyn BodySource + Send>, frames: &Frames) {
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

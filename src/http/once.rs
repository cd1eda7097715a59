//! One call of an action that is done by a request, without anybody who connects: the service is started, asked, and
//! stopped.

use std::{io, pin::Pin, sync::Arc, thread};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::HeaderMap;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use super::{
    Server,
    bridge::{Incoming, Upload},
    listener::{Stop, drain, told_to_stop_now},
    probe,
    upstream::{self, Asking},
};
use crate::{
    actions::{Action, Text, Way},
    intake::{Envelope, Source, SourceError},
    invocation::Outcome,
    output::Sink,
    reply::problem::{Problem, Slug},
};

/// What is called.
#[derive(Debug)]
pub struct OneCall {
    /// One that is done by a request.
    pub action: Arc<Action>,
    /// What it is given as text.
    pub texts: Vec<Text>,
    /// What is said of the body.
    pub envelope: Envelope,
    /// The fields of the request that is imitated.
    pub headers: HeaderMap,
    /// Its id.
    pub id: String,
}

/// Why there was no answer, or not all of it.
#[derive(Debug)]
pub enum Unfinished {
    /// It could not be taken.
    NotTaken(Box<Problem>),
    /// It ended so.
    Ended(Box<Outcome>),
    /// It broke off in the middle of the answer.
    BrokenOff,
    /// Nobody takes the answer.
    Gone,
}

/// Starts what the action needs, calls it once, sends its result to `sink`, and ends all that was started.
///
/// # Errors
/// There is no whole answer.
pub async fn call_once(
    server: Arc<Server>,
    call: OneCall,
    source: Box<dyn Source + Send>,
    stop: watch::Receiver<Stop>,
    sink: &mut (dyn Sink + Send),
) -> Result<(), Unfinished> {
    let ends = tokio::spawn({
        let (server, mut stop) = (Arc::clone(&server), stop.clone());
        async move {
            if stop.wait_for(|stop| *stop > Stop::No).await.is_ok() {
                server.close(false);
                told_to_stop_now(&mut stop).await;
                server.close(true);
            }
        }
    });
    server.backend.begin(&server);
    let called = one(&server, call, source, sink).await;
    drain(&server, JoinSet::new(), stop).await;
    ends.abort();
    called
}

async fn one(
    server: &Arc<Server>,
    call: OneCall,
    source: Box<dyn Source + Send>,
    sink: &mut (dyn Sink + Send),
) -> Result<(), Unfinished> {
    let OneCall { action, texts, envelope, headers, id } = call;
    let not_taken = |problem| Unfinished::NotTaken(Box::new(problem));
    let way = server.backend.front.as_ref().and_then(|front| front.request(&action));
    let (how, upstream) = way.ok_or_else(|| {
        not_taken(Problem::new(Slug::Internal, format!("the action {} is done by nobody", action.name)))
    })?;
    upstream.wait(server).await.map_err(not_taken)?;
    let place = server.admission.enter().await.map_err(|_| not_taken(probe::draining()))?;
    let (incoming, _given) = given_by(source).map_err(|error| {
        not_taken(Problem::new(Slug::Internal, format!("cannot start a thread for the input: {error}")))
    })?;
    let asking = Asking { action: &action, how, way: Way::Any, texts };
    let given = (&headers, envelope, incoming);
    let called = upstream::call_from_inside(server, upstream, asking, given, (place, &id)).await;
    let (_, mut body) = called.map_err(|outcome| Unfinished::Ended(Box::new(outcome)))?;
    while let Some(frame) = Pin::new(&mut body).frame().await {
        let frame = frame.map_err(|_| Unfinished::BrokenOff)?;
        if let Ok(piece) = frame.into_data() {
            sink.send(piece).map_err(|_| Unfinished::Gone)?;
        }
    }
    Ok(())
}

/// A body that is read on a thread of its own, which nobody waits for: a terminal may say nothing for ever. It breaks off
/// where what comes with it is dropped.
fn given_by(source: Box<dyn Source + Send>) -> io::Result<(Incoming, PassingOn)> {
    let (incoming, pieces) = Incoming::begun(Bytes::new());
    let (pump_end, mut read) = mpsc::channel(1);
    thread::Builder::new().name("input".to_owned()).spawn(move || pump(source, &pump_end))?;
    let passing_on = tokio::spawn(async move {
        while let Some(piece) = read.recv().await {
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    });
    Ok((incoming, PassingOn(passing_on)))
}

/// The task that passes pieces on; it ends with this.
struct PassingOn(JoinHandle<()>);

impl Drop for PassingOn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Passes on what is given, for as long as it is taken.
fn pump(mut source: Box<dyn Source + Send>, pieces: &mpsc::Sender<Upload>) {
    loop {
        let piece = match source.next() {
            Ok(Some(piece)) => Upload::Data(piece),
            Ok(None) => Upload::End,
            Err(SourceError::TimedOut) => Upload::TimedOut,
            // Leaving without a word says it.
            Err(error) => return tracing::error!("the input ended too early: {error}"),
        };
        let is_last = !matches!(piece, Upload::Data(_));
        if pieces.blocking_send(piece).is_err() || is_last {
            return;
        }
    }
}

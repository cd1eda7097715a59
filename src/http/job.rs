//! An invocation on the thread it runs on, from the network side's hands back into them.

use std::{
    os::fd::BorrowedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    Entry, Server,
    admission::Place,
    bridge::{Answer, Incoming, Port},
    marshal::Marshalled,
};
use crate::{
    intake::Source,
    invocation::{Call, Function, Outcome},
    output::{Gone, Sink},
    process::{Cancel, Exit, signal_name},
    reply::{
        self, Accept, Broken, Delivered, Head,
        problem::{self, Slug},
    },
    telemetry,
};

/// What [`reply::deliver`] does.
pub(super) type Deliver =
    fn(&Function, &Call, &mut dyn Source, &Cancel, &Accept, Option<&str>, &mut dyn reply::Port) -> Delivered;

/// An invocation on its way to a thread. Dropped there, whatever happens.
pub(super) struct Job {
    pub(super) function: Arc<Function>,
    pub(super) call: Call,
    pub(super) accept: Accept,
    pub(super) incoming: Incoming,
    /// The beginning of the document that the body is put into, if it is.
    pub(super) marshal: Option<Vec<u8>>,
    pub(super) cancel: Cancel,
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) runtime: Handle,
    pub(super) place: Place,
    pub(super) entry: Entry,
}

impl Job {
    /// The life of the invocation. A panic in it ends this one only: what it held is dropped, and the network side,
    /// which hears nothing more, answers that bandog failed, or breaks the answer off.
    pub(super) fn run(self) {
        let Self { function, call, accept, mut incoming, marshal, cancel, answer, runtime, place, entry } = self;
        let server = &entry.server;
        let mut port = Port::new(answer, &cancel, server.send_timeout.map(|limit| (limit, runtime)));
        let service = server.service.as_deref();
        let delivered = catch_unwind(AssertUnwindSafe(|| {
            let port: &mut dyn reply::Port = if server.shows_results { &mut Shown(&mut port) } else { &mut port };
            let mut source: &mut dyn Source = &mut incoming;
            let mut marshalled;
            if let Some(begin) = marshal {
                marshalled = Marshalled::new(begin, source);
                source = &mut marshalled;
            }
            (server.deliver)(&function, &call, source, &cancel, &accept, service, port)
        }));
        let Ok(mut delivered) = delivered else {
            tracing::error!(call_id = call.id, "the invocation panicked; this is a bug in bandog, please report it");
            server.count_panic();
            // The place first: whoever has the answer finds it free.
            drop((place, entry));
            return;
        };
        server.count(&delivered.finished.outcome);
        // In this order whoever has the whole answer finds nothing left: the workspace removed, the place given back,
        // and only then the end of the body.
        delivered.finished.remove_workspace();
        drop((place, entry));
        match delivered.sent {
            Ok(()) => port.finish(),
            Err(Broken::Gone(_)) => {
                tracing::debug!(call_id = call.id, "the client went away before the end of the answer");
            }
            Err(error) => {
                tracing::error!(call_id = call.id, "the answer was broken off: {error}");
                port.break_off();
            }
        }
    }
}

/// Shows an answer on standard output while it is passed on.
struct Shown<'a>(&'a mut Port);

impl Sink for Shown<'_> {
    fn send(&mut self, piece: Bytes) -> Result<(), Gone> {
        telemetry::result(&piece);
        self.0.send(piece)
    }

    fn room(&self) -> usize {
        self.0.room()
    }
}

impl reply::Port for Shown<'_> {
    fn begin(&mut self, head: Head, live: bool) {
        self.0.begin(head, live);
    }

    fn trail(&mut self, fields: HeaderMap) {
        self.0.trail(fields);
    }

    fn outlet(&self) -> Option<BorrowedFd<'_>> {
        self.0.outlet()
    }

    fn patience(&self) -> Option<Duration> {
        self.0.patience()
    }
}

impl Server {
    /// An invocation that a fault of bandog's own has ended.
    pub(super) fn count_panic(&self) {
        self.totals.count_broken();
        self.metrics.outcomes.with_label_values(&[Slug::Internal.as_str()]).inc();
        self.metrics.exits.with_label_values(&["none"]).inc();
    }

    pub(super) fn count(&self, outcome: &Outcome) {
        self.totals.count(outcome);
        let word = problem::slug(outcome).map_or("done", Slug::as_str);
        self.metrics.outcomes.with_label_values(&[word]).inc();
        let exit = match outcome {
            Outcome::Done { report, .. } | Outcome::Failed { report, .. } | Outcome::TimedOut { report, .. } => {
                report.exit
            }
            Outcome::Cancelled { report, .. } => report.as_ref().and_then(|report| report.exit),
            Outcome::Refused(_) => None,
            // The process goes on.
            Outcome::Passed => return,
        };
        match exit {
            None => self.metrics.exits.with_label_values(&["none"]).inc(),
            Some(exit) => self.count_exit(exit),
        }
    }

    pub(super) fn count_exit(&self, exit: Exit) {
        match exit {
            Exit::Code(code) => self.metrics.exits.with_label_values(&[code.to_string().as_str()]).inc(),
            Exit::Signal(signal) => self.metrics.exits.with_label_values(&[signal_name(signal)]).inc(),
        }
    }
}

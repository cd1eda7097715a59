//! A process for each call: an invocation on a thread of its own, from the network side's hands back into them.

use std::{
    io,
    os::fd::BorrowedFd,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    header::{CONNECTION, HeaderValue},
    http::request::Parts,
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    actions::{Placement, TextArgument},
    admission::Permit,
    body::{BodyIntake, CancelOnDrop, Response, ResponseSender},
    call::{Admitted, Held, Responder},
    context::Context,
    input::{BodySource, DocumentBody, DocumentFrame, Envelope},
    invocation::{Call as Invocation, Failure, Function},
    logs::Level,
    output::{BodySink, Disconnected},
    process::Cancel,
    reply::{Accept, ErrorCode, Head, Problem, Trailers, TransferError},
    request,
    runner::AdmittedInvocation,
    settings::{OnHangUp, Requests},
    telemetry,
};

/// An invocation on its way to its thread.
struct ProcessCall {
    context: Arc<Context>,
    function: Arc<Function>,
    prepared: Prepared,
    body: Box<dyn BodySource + Send>,
    cancel: Cancel,
    response: oneshot::Sender<Response>,
    runtime: Handle,
    /// Whether many responses share the caller's connection.
    is_multiplexed: bool,
    held: Held,
}

/// The parts of an invocation, except its body.
struct Prepared {
    invocation: Invocation,
    /// The form of the response.
    accept: Accept,
    /// The document that the body is put into, if it is.
    document: Option<DocumentFrame>,
}

/// Answers a call by the function.
pub(crate) async fn call(
    context: &Arc<Context>,
    function: &Arc<Function>,
    admitted: Admitted<'_>,
) -> Result<Response, Problem> {
    let Admitted { call_id, head, envelope, body, permit, responder } = admitted;
    let accept = Accept::in_style(&head.headers, context.style.as_ref());
    let accept = accept.with_trailers(Trailers::asked(head.version, &head.headers));
    let Requests { variables, document, .. } = context.settings.requests;
    let hides = |name: &str| request::is_hidden(name, variables);
    let document = document.map(|document| document.frame(&head.headers, &hides));
    let prepared = Prepared { invocation: invocation(context, &head, call_id, envelope), accept, document };
    invoke(context, function, prepared, body, permit, responder).await
}

/// Answers a call of an action by its command. The result is sent as it is, whatever the caller accepts.
pub(crate) async fn call_action(
    context: &Arc<Context>,
    function: &Arc<Function>,
    admitted: Admitted<'_>,
    way: Placement,
    texts: Vec<TextArgument>,
) -> Result<Response, Problem> {
    let Admitted { call_id, head, envelope, body, permit, responder } = admitted;
    let invocation = Invocation { way, texts, ..invocation(context, &head, call_id, envelope) };
    let prepared = Prepared { invocation, accept: Accept::default(), document: None };
    invoke(context, function, prepared, body, permit, responder).await
}

/// The invocation that a request makes.
fn invocation(context: &Context, head: &Parts, id: String, envelope: Envelope) -> Invocation {
    let Requests { variables, shows_head, .. } = context.settings.requests;
    let details = if shows_head && telemetry::is_enabled(Level::Debug) { request::details(head) } else { Vec::new() };
    let variables = request::variables(head, variables);
    Invocation { id, envelope, variables, way: Placement::Any, texts: Vec::new(), details }
}

/// The problem of a call for which there is no thread.
pub(super) fn no_thread(error: io::Error) -> Problem {
    Problem::new(ErrorCode::Overloaded, Failure::NoThread(error).to_string())
}

/// Gives the invocation to a thread, feeds it the body, and waits for the response.
async fn invoke(
    context: &Arc<Context>,
    function: &Arc<Function>,
    prepared: Prepared,
    mut input: BodyIntake,
    permit: Permit,
    caller: &dyn Responder,
) -> Result<Response, Problem> {
    let (body, upload): (Box<dyn BodySource + Send>, _) = if let Some(source) = input.take_source() {
        (source, None)
    } else {
        let (body, upload) = input.hand_over();
        (Box::new(body), upload)
    };
    let cancel = caller.cancel();
    let on_hang_up = match context.settings.on_hang_up {
        OnHangUp::Stop => Some(CancelOnDrop(cancel.clone())),
        OnHangUp::RunOn => None,
    };
    let (response, mut responded) = oneshot::channel();
    let call = ProcessCall {
        held: Held { _permit: permit, _in_flight: context.lifecycle.in_flight().enter(&cancel) },
        context: Arc::clone(context),
        function: Arc::clone(function),
        prepared,
        body,
        cancel,
        response,
        runtime: Handle::current(),
        is_multiplexed: caller.is_multiplexed(),
    };
    context.workers.submit(move || call.run()).map_err(|error| {
        tracing::error!("cannot start a thread for an invocation: {error}");
        no_thread(error)
    })?;
    let early = match upload {
        None => None,
        Some(upload) => tokio::select! {
            biased;
            // A response that comes before the end of the body is a response to the part that was read.
            response = &mut responded => Some(response),
            () = input.feed(upload) => None,
        },
    };
    let response = match early {
        Some(response) => response,
        None => responded.await,
    };
    let Ok(mut response) = response else {
        return Err(Problem::new(ErrorCode::Internal, "the invocation ended unexpectedly; see bandog's log"));
    };
    if !input.is_whole() {
        // The rest is not read.
        response.head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.body = response.body.cancelling(on_hang_up);
    Ok(response)
}

impl ProcessCall {
    /// The life of the invocation. A panic in it ends this one only: its resources are dropped, and the network side, which
    /// is sent nothing more, answers that bandog failed, or breaks the response off.
    fn run(self) {
        let Self { context, function, prepared, mut body, cancel, response, runtime, is_multiplexed, held } = self;
        let Prepared { invocation, accept, document } = prepared;
        let settings = &context.settings;
        let patience = settings.timeouts.send.map(|limit| (limit, runtime));
        let mut sender = ResponseSender::new(response, &cancel, patience).multiplexed(is_multiplexed);
        let delivered = catch_unwind(AssertUnwindSafe(|| {
            let port: &mut dyn bandog_runtime::call::ResponseWriter =
                if settings.requests.echo { &mut Echo(&mut sender) } else { &mut sender };
            let mut source: &mut dyn BodySource = &mut *body;
            let mut wrapped;
            if let Some(frame) = document {
                wrapped = DocumentBody::new(frame, source);
                source = &mut wrapped;
            }
            let service = settings.name.as_deref();
            let (function, call, accept, cancel) = (&*function, &invocation, &accept, &cancel);
            context.runner.run(AdmittedInvocation { function, call, accept, service, source, cancel }, port)
        }));
        let call_id = &*invocation.id;
        let Ok(mut delivered) = delivered else {
            tracing::error!(call_id, "the invocation panicked; this is a bug in bandog, please report it");
            context.metrics.count_panic();
            // The permit first: a client that has the response must find it free.
            drop((held, function));
            return;
        };
        context.metrics.count(&delivered.finished.outcome);
        if let Some(usage) = delivered.finished.outcome.report().and_then(|report| report.usage) {
            sender.set_usage(usage);
        }
        // In this order a client that has the whole response finds nothing left: the workspace is removed, the permit given
        // back, and only then the end of the body sent. The script that was given in the environment is removed with the
        // function, and bandog may end with the last call.
        delivered.finished.remove_workspace();
        drop((held, function, context));
        match delivered.sent {
            Ok(()) => sender.finish(),
            Err(TransferError::Disconnected(_)) => {
                tracing::debug!(call_id, "the client went away before the end of the answer");
            }
            Err(error) => {
                tracing::error!(call_id, "the answer was broken off: {error}");
                sender.break_off();
            }
        }
    }
}

/// Writes a response to standard output as well.
struct Echo<'a>(&'a mut ResponseSender);

impl BodySink for Echo<'_> {
    fn send(&mut self, piece: Bytes) -> Result<(), Disconnected> {
        telemetry::write_result(&piece);
        self.0.send(piece)
    }

    fn chunk(&self) -> usize {
        self.0.chunk()
    }

    fn room(&self) -> usize {
        self.0.room()
    }
}

impl bandog_runtime::call::ResponseWriter for Echo<'_> {
    fn begin(&mut self, head: Head, live: bool) {
        self.0.begin(head, live);
    }

    fn send_trailers(&mut self, fields: HeaderMap) {
        self.0.send_trailers(fields);
    }

    fn writable_fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.writable_fd()
    }

    fn stall_limit(&self) -> Option<Duration> {
        self.0.stall_limit()
    }
}

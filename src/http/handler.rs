//! One request, from its head to the answer's: checks that need only the head, a place, the body to the invocation,
//! the answer back.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response,
    body::{Body as _, Incoming as RequestBody},
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, WWW_AUTHENTICATE},
    http::request::Parts,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    Entry, Running, Server,
    admission::{Place, Refusal},
    bridge::{Answer, Body, HangUp, Incoming, Port, Upload},
    exchange::{Exchange, Tracked},
    probe::{self, Page},
};
use crate::{
    intake::{Envelope, Error as IntakeError, Side, SourceError},
    invocation::{Call, Outcome},
    logs::Level,
    process::{Cancel, Exit, signal_name},
    reply::{
        self, Accept, Broken, Head,
        problem::{self, Problem, Slug},
    },
    request, telemetry,
};

/// The methods that invoke the function.
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";

/// Bytes of all header fields together; more is answered with 431. The parser below has a limit of its own, higher,
/// beyond which it can only break off.
pub(super) const HEADERS_LIMIT: u32 = 64 * 1024;

/// How long a client that found no place should wait: places become free when functions end, which nobody can tell.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Answers a request. Never fails: what goes wrong is an answer, or a broken body.
pub(super) async fn handle(
    server: Arc<Server>,
    busy: Arc<AtomicUsize>,
    request: Request<RequestBody>,
) -> Result<Response<Tracked>, Infallible> {
    let mut exchange = Exchange::begin(&server, &busy, &request);
    let (head, body) = match route(&server, request, &mut exchange).await {
        Ok(answer) => answer,
        Err(problem) if exchange.call_id.is_empty() => whole(problem.into_parts()),
        Err(problem) => whole(problem.call_id(&exchange.call_id).into_parts()),
    };
    let (method, status) = (exchange.method().clone(), head.status.as_u16());
    Ok(response(&method, head, body, |body| exchange.follow(status, body)))
}

/// A page of our own as an answer.
fn whole((head, body): Page) -> Answer {
    (head, Body::Whole(Some(body)))
}

/// Answers a request on the metrics' own listener.
pub(super) fn handle_metrics(server: &Server, request: &Request<RequestBody>) -> Response<Body> {
    let (head, body) = whole(match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => probe::metrics(server),
        (_, "/metrics") => method_not_allowed("GET, HEAD").into_parts(),
        _ => Problem::new(Slug::NotFound, "the metrics are at /metrics").into_parts(),
    });
    response(request.method(), head, body, |body| body)
}

/// Head and body as hyper takes them; `wrap` is given the body as it is sent.
fn response<B>(method: &Method, head: Head, body: Body, wrap: impl FnOnce(Body) -> B) -> Response<B> {
    // RFC 9110 §9.3.2: the head of a GET, without its body.
    let body = if *method == Method::HEAD { Body::Whole(None) } else { body };
    let mut response = Response::new(wrap(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(length) = head.length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// An answer of the function's, a page of our own, or what is wrong.
async fn route(
    server: &Arc<Server>,
    request: Request<RequestBody>,
    exchange: &mut Exchange,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    if let Some(page) = probe::network_probe(&parts.headers) {
        return Ok(whole(page));
    }
    if probe::is_admin(path) {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(method_not_allowed("GET, HEAD"));
        }
        if probe::needs_token(path) && !server.guard.admits(&parts.headers) {
            return Err(unauthorized());
        }
        return probe::page(server, path).map(whole);
    }
    exchange.call_id = request::call_id(&parts.headers);
    let envelope = check_head(server, &parts)?;
    let accept = Accept::from_headers(&parts.headers);
    let details = if telemetry::shows(Level::Debug) { request::details(&parts) } else { Vec::new() };
    let call = Call { id: exchange.call_id.clone(), envelope, variables: request::variables(&parts), details };
    let place = server.admission.enter().await.map_err(|refusal| turned_away(server, refusal))?;
    // From here on, not from the head: nothing was read while there was no place, and the client cannot help that.
    let deadline = server.read_timeout.and_then(|limit| Instant::now().checked_add(limit));
    invoke(server, call, accept, place, body, deadline).await
}

/// Everything that can be wrong with a head. The token comes first: who does not have it learns nothing else.
#[expect(clippy::result_large_err, reason = "one for each request at most, and the answer to it")]
fn check_head(server: &Server, parts: &Parts) -> Result<Envelope, Problem> {
    if !server.guard.admits(&parts.headers) {
        return Err(unauthorized());
    }
    if server.is_draining() {
        return Err(probe::draining());
    }
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > HEADERS_LIMIT as usize {
        let detail = format!("the header fields have {size} bytes, at most {HEADERS_LIMIT} are taken");
        return Err(Problem::new(Slug::HeadersTooLarge, detail));
    }
    if !METHODS.split(", ").any(|method| parts.method == method) {
        return Err(method_not_allowed(METHODS));
    }
    if let (Some(service), Some(asked)) = (&server.service, parts.uri.path().strip_prefix("/run/")) {
        let asked = percent_encoding::percent_decode_str(asked.split('/').next().unwrap_or_default());
        if !asked.clone().eq(service.bytes()) {
            let detail = format!("this is the service {service:?}, not {:?}", asked.decode_utf8_lossy());
            return Err(Problem::new(Slug::NotFound, detail));
        }
    }
    // The parser undoes the last coding only, and would hand on what is left of the others as the body.
    let is_undone = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if let Some(coding) = parts.headers.get_all(TRANSFER_ENCODING).iter().find(|coding| !is_undone(coding)) {
        let detail = format!("Transfer-Encoding {coding:?} is not supported; send chunked");
        return Err(closing(Problem::new(Slug::UnsupportedEncoding, detail)));
    }
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| server.max_body > 0 && length > server.max_body) {
        return Err(refused(IntakeError::TooLarge { limit: server.max_body, side: Side::Sent }));
    }
    Envelope::parse(&request::labels(&parts.headers)).map_err(refused)
}

/// Gives the invocation to a thread, feeds it the body, and waits for the answer.
async fn invoke(
    server: &Arc<Server>,
    call: Call,
    accept: Accept,
    place: Place,
    mut body: RequestBody,
    deadline: Option<Instant>,
) -> Result<Answer, Problem> {
    // Nothing is given to a thread before there is something to do: who sends a head and no body holds a place, but
    // no thread.
    let first = match next_piece(server, &mut body, deadline).await {
        Ok(first) => first,
        Err(interrupted) => return Err(body_interrupted(server, interrupted)),
    };
    if server.is_closing() {
        return Err(probe::draining());
    }
    let (incoming, upload) = match first {
        Some(first) if !body.is_end_stream() => {
            let (incoming, sender) = Incoming::begun(first);
            (incoming, Some(sender))
        }
        first => (Incoming::whole(first), None),
    };
    let cancel = Cancel::new();
    let hang_up = HangUp(cancel.clone());
    let (answer, mut answered) = oneshot::channel();
    let job = Job { entry: Running::enter(server, &cancel), place, call, accept, incoming, cancel, answer };
    server.workers.submit(move || job.run()).map_err(|error| {
        tracing::error!("cannot start a thread for an invocation: {error}");
        Problem::new(Slug::Internal, format!("cannot start a thread for the invocation: {error}"))
    })?;
    let answered = async {
        if let Some(upload) = upload {
            tokio::select! {
                biased;
                // An answer that comes before the end of the body is an answer to what has been read of it.
                answer = &mut answered => return answer,
                () = feed(&mut body, upload, deadline, server) => {}
            }
        }
        answered.await
    };
    match answered.await {
        Ok((head, Body::Pieces { receiver, left, .. })) => {
            // Whoever leaves in the middle of the answer stops the function, if it still runs.
            Ok((head, Body::Pieces { receiver, left, _hang_up: Some(hang_up) }))
        }
        Ok(answer) => Ok(answer),
        Err(_) => Err(Problem::new(Slug::Internal, "the invocation broke down; see bandog's log")),
    }
}

/// Why a body did not arrive whole.
#[derive(Debug, Clone, Copy)]
enum Interrupted {
    Gone,
    TimedOut,
}

/// The next piece of the body that is not empty; `None` at its end.
async fn next_piece(
    server: &Server,
    body: &mut RequestBody,
    deadline: Option<Instant>,
) -> Result<Option<Bytes>, Interrupted> {
    loop {
        let frame = match deadline {
            Some(deadline) => timeout_at(deadline, body.frame()).await.map_err(|_| Interrupted::TimedOut)?,
            None => body.frame().await,
        };
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(Interrupted::Gone),
            // Trailers carry nothing for us.
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => {
                    server.metrics.received.inc_by(data.len() as u64);
                    return Ok(Some(data));
                }
                _ => {}
            },
        }
    }
}

/// Sends the rest of the body to the invocation, for as long as it takes it.
async fn feed(body: &mut RequestBody, upload: mpsc::Sender<Upload>, deadline: Option<Instant>, server: &Server) {
    loop {
        let (piece, is_last) = match next_piece(server, body, deadline).await {
            Ok(Some(data)) => (Upload::Data(data), false),
            Ok(None) => (Upload::End, true),
            Err(Interrupted::TimedOut) => (Upload::TimedOut, true),
            // Dropping the sender says it.
            Err(Interrupted::Gone) => return,
        };
        if upload.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

/// An invocation on its way to a thread. Dropped there, whatever happens.
struct Job {
    call: Call,
    accept: Accept,
    incoming: Incoming,
    cancel: Cancel,
    answer: oneshot::Sender<Answer>,
    place: Place,
    entry: Entry,
}

impl Job {
    /// The life of the invocation.
    fn run(self) {
        let Self { call, accept, mut incoming, cancel, answer, place, entry } = self;
        let server = Arc::clone(&entry.server);
        let mut port = Port::new(answer);
        let mut delivered = reply::deliver(
            &server.function,
            &call,
            &mut incoming,
            &cancel,
            &accept,
            server.service.as_deref(),
            &mut port,
        );
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
            // Dropping the port without an end breaks the connection.
            Err(error) => tracing::error!(call_id = call.id, "the answer was broken off: {error}"),
        }
    }
}

impl Server {
    fn count(&self, outcome: &Outcome) {
        self.totals.count(outcome);
        let word = problem::slug(outcome).map_or("done", Slug::as_str);
        self.metrics.outcomes.with_label_values(&[word]).inc();
        let exit = match outcome {
            Outcome::Done { report, .. } | Outcome::Failed { report, .. } | Outcome::TimedOut { report, .. } => {
                report.exit
            }
            Outcome::Cancelled { report, .. } => report.as_ref().and_then(|report| report.exit),
            Outcome::Refused(_) => None,
        };
        match exit {
            None => self.metrics.exits.with_label_values(&["none"]).inc(),
            Some(Exit::Code(code)) => self.metrics.exits.with_label_values(&[code.to_string().as_str()]).inc(),
            Some(Exit::Signal(signal)) => self.metrics.exits.with_label_values(&[signal_name(signal)]).inc(),
        }
    }
}

fn unauthorized() -> Problem {
    Problem::new(
        Slug::Unauthorized,
        "show the token: \"Authorization: Bearer TOKEN\" or, behind a proxy that takes that, \"X-Bandog-Token: TOKEN\"",
    )
    .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn method_not_allowed(allowed: &'static str) -> Problem {
    Problem::new(Slug::MethodNotAllowed, format!("use one of {allowed}"))
        .header(ALLOW, HeaderValue::from_static(allowed))
}

fn turned_away(server: &Server, refusal: Refusal) -> Problem {
    server.totals.count_turned_away();
    if refusal == Refusal::Closed {
        return probe::draining();
    }
    Problem::new(Slug::TooManyRequests, refusal.to_string()).retry_after(RETRY_AFTER)
}

/// A body that is refused for its head alone.
fn refused(error: IntakeError) -> Problem {
    let detail = error.to_string();
    let slug = problem::slug(&Outcome::Refused(error)).unwrap_or(Slug::BadInput);
    closing(Problem::new(slug, detail))
}

/// An answer after which the connection ends, since the body is not read.
fn closing(problem: Problem) -> Problem {
    problem.header(CONNECTION, HeaderValue::from_static("close"))
}

fn body_interrupted(server: &Server, interrupted: Interrupted) -> Problem {
    let error = match interrupted {
        Interrupted::TimedOut => SourceError::TimedOut,
        // Nobody will read this.
        Interrupted::Gone => SourceError::Gone,
    };
    server.totals.count_refused();
    refused(IntakeError::Source(error))
}

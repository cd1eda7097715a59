//! One request, from its head to the answer's: checks that need only the head, a place, the body to the invocation,
//! the answer back.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Method, Request, Response, Version,
    body::{Body as _, Incoming as RequestBody},
    header::{ALLOW, CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, WWW_AUTHENTICATE},
    http::request::Parts,
};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    Phase, Running, Server,
    admission::{Place, Refusal},
    arrival::{Arrival, Interrupted},
    backend::Kind,
    bridge::{Answer, Body, HangUp},
    exchange::{Exchange, Tracked},
    front::{self, Asked},
    gate, head,
    job::Job,
    link::Link,
    marshal,
    probe::{self, Page},
    site,
    upstream::{self, Passage},
};
use crate::{
    actions::Way,
    config::Habit,
    intake::{Envelope, Error as IntakeError, SourceError},
    invocation::{Call, Function, Outcome},
    logs::Level,
    process::Cancel,
    reply::{
        Accept, Head, Trailers,
        problem::{self, Problem, Slug},
    },
    request, telemetry,
};

/// How long a client that found no place should wait: places become free when functions end, which nobody can tell.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes of a body that is read though nobody asks for it; with a larger one the connection ends.
const PASSED_OVER: u64 = 16 * 1024;

/// How long such a body may take after the answer.
const PASSING_OVER: Duration = Duration::from_secs(1);

/// How long a place is kept for a client that waits to be asked for its body (`Expect: 100-continue`). One that is
/// slower than that asks again when its body has begun, like everybody.
const ASKED: Duration = Duration::from_secs(1);

/// Answers a request, or what was found wrong with its head before it was one. Never fails: what goes wrong is an
/// answer, or a broken body.
pub(super) async fn handle(
    server: Arc<Server>,
    link: Arc<Link>,
    refusal: Option<gate::Refusal>,
    request: Request<RequestBody>,
) -> Result<Response<Tracked>, Infallible> {
    let mut exchange = Exchange::begin(&server, &link, &request);
    let (version, is_small) = (request.version(), has_small_body(&request));
    let (parts, body) = request.into_parts();
    let (mut body, due) = (Some(body), AtomicBool::new(false));
    let answer = if let Some(refusal) = refusal {
        Err(closing(Problem::new(refusal.slug, refusal.detail)))
    } else {
        tokio::select! {
            biased;
            answer = route(&server, parts, &mut body, &due, &mut exchange) => answer,
            // Dropping the other one takes back everything: the turn in the queue, the function that runs.
            () = link.gone(&server.glances) => Err(gone(due.load(Ordering::Relaxed))),
        }
    };
    let (head, body) = match answer {
        Ok(answer) => answer,
        Err(problem) => {
            let problem = if is_small { problem } else { closing(problem) };
            if let Some(body) = body.filter(|body| is_small && !body.is_end_stream()) {
                tokio::spawn(pass_over(body));
            }
            let id = exchange.call_id.as_str();
            whole(server.page(if id.is_empty() { problem } else { problem.call_id(id) }))
        }
    };
    if version == Version::HTTP_10 && head.length.is_none() {
        link.end_is_not_the_end();
    }
    let (method, status) = (exchange.method().clone(), head.status.as_u16());
    Ok(response(&method, head, body, |body| exchange.follow(status, body)))
}

/// Whether the body is so small that reading it costs less than a new connection, and its sender does not wait to be
/// asked for it.
fn has_small_body(request: &Request<RequestBody>) -> bool {
    let is_small = request.body().size_hint().exact().is_some_and(|length| length <= PASSED_OVER);
    request.body().is_end_stream() || (is_small && !expects(request.headers()))
}

/// Reads a body that nobody asks for, after its request has been answered, so that the connection can be kept.
async fn pass_over(mut body: RequestBody) {
    let _ = timeout(PASSING_OVER, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

/// Whether the client waits to be asked for the body (RFC 9110 §10.1.1).
fn expects(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

/// A page of our own as an answer.
fn whole((head, body): Page) -> Answer {
    (head, Body::Whole(Some(body)))
}

/// Answers a request on the metrics' own listener.
pub(super) async fn handle_metrics(server: &Server, request: &Request<RequestBody>) -> Response<Body> {
    let (head, body) = whole(match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => probe::metrics(server).await,
        (_, "/metrics") => server.page(method_not_allowed("GET, HEAD")),
        _ => server.page(Problem::new(Slug::NotFound, "the metrics are at /metrics")),
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
///
/// Takes the body once it is to be read.
async fn route(
    server: &Arc<Server>,
    parts: Parts,
    body: &mut Option<RequestBody>,
    due: &AtomicBool,
    exchange: &mut Exchange,
) -> Result<Answer, Problem> {
    let path = parts.uri.path();
    if let Some(page) = probe::network_probe(&parts.headers) {
        server.backend.check_ready().await?;
        return Ok(whole(page));
    }
    if probe::is_admin(path) {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(method_not_allowed("GET, HEAD"));
        }
        if probe::needs_token(path) {
            let_in(server, &parts.headers).await?;
        }
        let page = probe::page(server, path).await?;
        if probe::asks_ready(path) {
            server.backend.check_ready().await?;
        }
        return Ok(whole(page));
    }
    exchange.call_id = request::call_id(&parts.headers);
    // First of all: who may not call learns nothing else.
    let_in(server, &parts.headers).await?;
    head::check(server, &parts)?;
    let asked = match &server.backend.front {
        Some(front) => front.find(&parts.method, path)?,
        None => None,
    };
    if asked.is_none() {
        head::check_call(server, &parts)?;
    }
    let envelope = head::check_body(server, &parts, asked.as_ref())?;
    // Whoever can only be turned away is so for the head alone, and not asked for the body.
    if server.admission.is_full() {
        return Err(turned_away(server, Refusal::Full));
    }
    let Some(body) = body.take() else { return Err(gone(false)) };
    let mut arrival = Arrival::new(body, server.read_timeout, &server.metrics, due);
    if let Some(upstream) = asked.as_ref().map_or_else(|| server.backend.upstream(), Asked::upstream) {
        let then = Instant::now();
        upstream.wait(server).await?;
        arrival.excuse(then);
    }
    let place = admit(server, &mut arrival, expects(&parts.headers)).await?;
    if server.is(Phase::Closing) {
        return Err(probe::draining());
    }
    let call_id = exchange.call_id.as_str();
    if let Some(asked) = asked {
        return front::call(server, asked, Passage { parts, call_id, envelope, place, arrival, link: exchange.link() })
            .await;
    }
    match &server.backend.kind {
        Kind::Function(function) => {
            let accept = Accept::in_style(&parts.headers, server.style.as_ref());
            let accept = accept.with_trailers(Trailers::asked(parts.version, &parts.headers));
            let call = told(server, &parts, call_id, envelope);
            let hides = |name: &str| request::is_hidden(name, server.cgi);
            let marshal = server.marshals.then(|| marshal::begin(&parts.headers, hides));
            invoke(server, Arc::clone(function), call, accept, marshal, place, arrival).await
        }
        Kind::Upstream(upstream) => {
            let passage = Passage { parts, call_id, envelope, place, arrival, link: exchange.link() };
            Ok(upstream::pass(server, upstream, passage).await)
        }
        Kind::Files(site) => site::serve(server, site, &parts, call_id, place).await,
        Kind::Nobody => Err(front::nothing_here(parts.uri.path())),
    }
}

/// What an invocation is told of a request.
pub(super) fn told(server: &Server, parts: &Parts, call_id: &str, envelope: Envelope) -> Call {
    let details = if telemetry::shows(Level::Debug) { request::details(parts) } else { Vec::new() };
    let (id, variables) = (call_id.to_owned(), request::variables(parts, server.cgi));
    Call { id, envelope, variables, way: Way::Any, texts: Vec::new(), details }
}

/// A place for a request whose body has begun to come.
async fn admit(server: &Server, arrival: &mut Arrival<'_>, asks: bool) -> Result<Place, Problem> {
    if asks && !arrival.is_whole() {
        // First a place, then the question: who has been asked is not refused.
        let place = queue_up(server, arrival).await?;
        match timeout(ASKED, arrival.begin()).await {
            Ok(begun) => return begun.map(|()| place).map_err(|interrupted| body_interrupted(server, interrupted)),
            Err(_) => drop(place),
        }
    }
    arrival.begin().await.map_err(|interrupted| body_interrupted(server, interrupted))?;
    queue_up(server, arrival).await
}

/// A place, after a turn in the queue. That does not count as time to send the body: nothing of it is read meanwhile.
async fn queue_up(server: &Server, arrival: &mut Arrival<'_>) -> Result<Place, Problem> {
    let then = Instant::now();
    let place = server.admission.enter().await.map_err(|refusal| turned_away(server, refusal))?;
    arrival.excuse(then);
    Ok(place)
}

/// Whether the caller may call.
async fn let_in(server: &Server, headers: &HeaderMap) -> Result<(), Problem> {
    if !server.guard.admits(headers) {
        return Err(unauthorized());
    }
    match &server.jwt {
        Some(jwt) => jwt.admit(headers).await,
        None => Ok(()),
    }
}

/// Gives the invocation to a thread, feeds it the body, and waits for the answer.
pub(super) async fn invoke(
    server: &Arc<Server>,
    function: Arc<Function>,
    call: Call,
    accept: Accept,
    marshal: Option<Vec<u8>>,
    place: Place,
    mut arrival: Arrival<'_>,
) -> Result<Answer, Problem> {
    let (incoming, upload) = arrival.hand_over();
    let cancel = Cancel::new();
    let hang_up = (!server.keeps(Habit::Detach)).then(|| HangUp(cancel.clone()));
    let (answer, mut answered) = oneshot::channel();
    let entry = Running::enter(server, &cancel);
    let job =
        Job { entry, place, function, call, accept, incoming, marshal, cancel, answer, runtime: Handle::current() };
    server.workers.submit(move || job.run()).map_err(|error| {
        tracing::error!("cannot start a thread for an invocation: {error}");
        Problem::new(Slug::Internal, format!("cannot start a thread for the invocation: {error}"))
    })?;
    let early = match upload {
        None => None,
        Some(upload) => tokio::select! {
            biased;
            // An answer that comes before the end of the body is an answer to what has been read of it.
            answer = &mut answered => Some(answer),
            () = arrival.feed(upload) => None,
        },
    };
    let answer = match early {
        Some(answer) => answer,
        None => answered.await,
    };
    let Ok((mut head, body)) = answer else {
        return Err(Problem::new(Slug::Internal, "the invocation broke down; see bandog's log"));
    };
    if !arrival.is_whole() {
        // Nobody reads the rest.
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok((head, body.with(hang_up)))
}

fn unauthorized() -> Problem {
    Problem::new(
        Slug::Unauthorized,
        "show the token: \"Authorization: Bearer TOKEN\" or, behind a proxy that takes that, \"X-Bandog-Token: TOKEN\"",
    )
    .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Problem {
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
pub(super) fn refused(error: IntakeError) -> Problem {
    let detail = error.to_string();
    let slug = problem::slug(&Outcome::Refused(error)).unwrap_or(Slug::BadInput);
    closing(Problem::new(slug, detail))
}

/// An answer after which the connection ends, since the body is not read.
fn closing(problem: Problem) -> Problem {
    if problem.headers.contains_key(CONNECTION) {
        return problem;
    }
    problem.header(CONNECTION, HeaderValue::from_static("close"))
}

/// The client has hung up. Nobody will read this, but who closed the sending half only, in the middle of a body; the
/// access log tells the other case from an answer.
fn gone(in_body: bool) -> Problem {
    if in_body {
        return refused(IntakeError::Source(SourceError::Gone));
    }
    closing(Problem::new(Slug::ClientGone, "the client went away"))
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

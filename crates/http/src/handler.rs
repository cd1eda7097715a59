//! One request, from its head to that of the response: authentication, checks of the head, an own page or the service.

use std::{
    convert::Infallible,
    sync::{Arc, atomic::Ordering},
};

use hyper::{
    Method, Request, Response as HttpResponse, Version,
    body::{Body as _, Incoming},
    header::{CONTENT_LENGTH, EXPECT},
    http::request::Parts,
};

use super::{
    Server,
    access_log::{LoggedBody, RequestRecord},
    admin::{self, Page},
    connection::{state::ConnectionState, stream::ResponseWatch, strict::HeadRefusal},
    request_body::{self, Arrival, BodyReader},
    validate,
};
use crate::{
    input::{BodyError, InputError},
    reply::{ErrorCode, Head, Problem},
    request,
    service::{Call, Response, ResponseBody},
};

/// Answers a request, or its head if that was refused before it was a request. Never fails: every failure is a response,
/// or a broken body.
pub(super) async fn handle(
    server: Arc<Server>,
    state: Arc<ConnectionState>,
    refusal: Option<HeadRefusal>,
    request: Request<Incoming>,
) -> Result<HttpResponse<LoggedBody>, Infallible> {
    let context = server.service.context();
    let mut record = RequestRecord::begin(context, &state, &request);
    let (version, is_small) = (request.version(), has_small_body(&request));
    let (mut parts, body) = request.into_parts();
    validate::settle_host(&mut parts);
    let mut body = Received { body: Some(body), arrival: Arc::clone(&record.arrival), is_small };
    let answer = if let Some(refusal) = refusal {
        Err(Problem::new(refusal.code, refusal.detail).closing())
    } else {
        tokio::select! {
            biased;
            answer = route(&server, parts, &mut body, &state, &mut record) => answer,
            // Dropping the other future takes back everything: the turn in the queue, the function that runs.
            () = state.disconnected(&server.disconnects) => Err(disconnected(body.arrival.is_due.load(Ordering::Relaxed))),
        }
    };
    let Response { head, body, .. } = match answer {
        Ok(response) => response,
        Err(problem) => {
            let problem = if is_small { problem } else { problem.closing() };
            if let Some(body) = body.body.filter(|_| is_small) {
                request_body::discard(body);
            }
            let id = record.call_id.as_str();
            whole(context.page(if id.is_empty() { problem } else { problem.call_id(id) }))
        }
    };
    if version == Version::HTTP_10 && head.length.is_none() {
        state.reset_on_close();
    }
    let watch = ResponseWatch::current();
    match &watch {
        Some(watch) => watch.begin(body.deadline()),
        None => state.set_deadline(body.deadline()),
    }
    let (method, status) = (record.method().clone(), head.status.as_u16());
    Ok(response(&method, head, body, |body| record.follow(status, body, watch)))
}

/// The body of a request.
struct Received {
    /// Until it is read.
    body: Option<Incoming>,
    arrival: Arc<Arrival>,
    is_small: bool,
}

/// Whether the body is so small that reading it costs less than a new connection, and the client does not wait to be
/// asked for it.
fn has_small_body(request: &Request<Incoming>) -> bool {
    let body = request.body();
    body.is_end_stream() || (request_body::is_small(body) && !request.headers().contains_key(EXPECT))
}

/// A page of our own as a response.
fn whole((head, body): Page) -> Response {
    Response::new(head, ResponseBody::whole(Some(body)))
}

/// Answers a request on the metrics' own listener.
pub(super) async fn handle_metrics(server: &Server, request: &Request<Incoming>) -> HttpResponse<ResponseBody> {
    let context = server.service.context();
    let page = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => admin::metrics(server).await,
        (_, "/metrics") => context.page(only_get()),
        _ => context.page(Problem::new(ErrorCode::NotFound, "the metrics are at /metrics")),
    };
    let Response { head, body, .. } = whole(page);
    response(request.method(), head, body, |body| body)
}

/// The response as hyper takes it; `wrap` is given the body as it is sent.
fn response<B>(
    method: &Method,
    head: Head,
    body: ResponseBody,
    wrap: impl FnOnce(ResponseBody) -> B,
) -> HttpResponse<B> {
    // RFC 9110 §9.3.2: the head of a GET, without its body.
    let body = if *method == Method::HEAD { body.emptied() } else { body };
    let mut response = HttpResponse::new(wrap(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(length) = head.length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    response
}

/// A page of our own, or the response of the service. Takes the body once it is to be read.
async fn route(
    server: &Server,
    head: Parts,
    received: &mut Received,
    state: &ConnectionState,
    record: &mut RequestRecord,
) -> Result<Response, Problem> {
    let path = head.uri.path();
    if let Some(page) = admin::network_probe(&head.headers) {
        server.service.check_ready().await?;
        return Ok(whole(page));
    }
    if admin::is_admin(path) {
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return Err(only_get());
        }
        if admin::needs_token(path) {
            server.auth.admit(&head.headers).await?;
        }
        let page = admin::page(server, path, head.uri.query()).await?;
        if admin::asks_ready(path) {
            server.service.check_ready().await?;
        }
        return Ok(whole(page));
    }
    record.call_id = request::call_id(&head.headers);
    // First of all: a caller that may not call learns nothing else.
    server.auth.admit(&head.headers).await?;
    validate::check(server, &head)?;
    let Received { body, arrival, is_small } = received;
    let Some(body) = body.take() else { return Err(disconnected(false)) };
    let body = BodyReader::new(body, server.settings.read_timeout, arrival, *is_small);
    let call = Call { id: record.call_id.clone(), head, action: None };
    server.service.call(call, Box::new(body), state).await
}

fn only_get() -> Problem {
    let methods = "GET, HEAD";
    Problem::method_not_allowed(format!("use one of {methods}"), methods)
}

/// The client has hung up. This is read by clients alone that closed their sending half only, in the middle of a body; the
/// access log tells the other case from a response.
fn disconnected(in_body: bool) -> Problem {
    if in_body {
        return Problem::bad_body(InputError::Body(BodyError::Incomplete));
    }
    Problem::new(ErrorCode::ClientGone, "the client went away").closing()
}

//! Calls forwarded to a server that speaks HTTP itself: a process of our own, or one that listens at `--upstream`.
//!
//! Head and body go through as they are (`request`, `response`), frame by frame, in both directions at once and with
//! backpressure; a client that asks for another protocol gets a `tunnel`. The state of the server is in `managed`, its
//! address in `address`, the connections to it in `pool`. With `--decode` a body is taken in first (`decode`).
//!
//! An exchange ends with an [`Outcome`] like any other invocation: it is counted, logged and answered by the same maps.

mod address;
mod assigned_port;
mod decode;
mod health;
mod in_flight;
mod managed;
mod pool;
pub(crate) mod request;
mod response;
mod scrape;
mod targets;
mod tls;
mod tunnel;
mod upload;

use std::{sync::Arc, time::Duration};

use bandog_runtime::daemon::Daemon;
use hyper::{
    HeaderMap, Response as HttpResponse,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    http::{request::Parts, uri::Authority},
    upgrade::OnUpgrade,
};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::{
    address::Address,
    in_flight::InFlightProxy,
    managed::ManagedServer,
    pool::{Sender, reason},
    response::{add_own, respond},
    targets::Targets,
    upload::Uploading,
};
use self::{assigned_port::AssignedPort, health::Health, pool::Pool, request::Facts};
use bandog_codec::quantity;

use crate::{
    body::{RequestBody, Response},
    call::{Admitted, Responder},
    context::Context,
    input::Envelope,
    invocation::{Cause, Failure, Function, Outcome, Report, UpstreamError, UpstreamKind},
    lifecycle::Phase,
    reply::Problem,
};

/// A client's own time limit; it can only lower `--exec-timeout`.
const X_TIMEOUT: &str = "x-timeout";

/// Between two attempts to reach a process of our own that does not listen (any more).
const PAUSE: Duration = Duration::from_millis(50);

/// How long the function of mode http may take to say that it is ready.
const READY: Duration = Duration::from_secs(2);

/// One address of a server, and the connections to it.
#[derive(Debug)]
pub struct Upstream {
    pub(crate) address: Address,
    /// The noun in messages.
    pub(crate) who: UpstreamKind,
    /// The beginning of every target.
    prefix: String,
    /// Bodies are decoded and encoded as the settings say.
    is_coded: bool,
    /// `None` for a server whose state is not known.
    managed: Option<Arc<ManagedServer>>,
    pool: Pool,
}

/// The one server that calls are forwarded to.
#[derive(Debug)]
pub struct ProxySettings {
    /// Its address and the beginning of every target; `None` for a process of our own that is told a free port.
    pub address: Option<(Authority, String)>,
    /// The path that it answers with 2xx when it is ready; without one it is ready once it listens.
    pub ready_path: Option<String>,
    /// Its process; `None` for a server that is started elsewhere.
    pub function: Option<Function>,
}

/// The head of a server's response, and the connection that the body comes on.
pub(crate) struct UpstreamResponse {
    pub(crate) response: HttpResponse<Incoming>,
    pub(crate) sender: Sender,
}

/// The time limit of an exchange, and the moment at which it is over.
pub(crate) type Deadline = Option<(Duration, Instant)>;

/// The port of plain HTTP.
const HTTP_PORT: u16 = 80;

impl Upstream {
    /// The one server that calls are forwarded to. Nothing is started yet.
    #[must_use]
    pub fn new(settings: ProxySettings) -> Self {
        let who = UpstreamKind::Function;
        let ProxySettings { address, ready_path, function } = settings;
        let (address, prefix, assigned) = if let Some((authority, prefix)) = address {
            let port = authority.port_u16().unwrap_or(HTTP_PORT);
            (Address::Named { authority, port, tls: None }, prefix, AssignedPort::Fixed(port))
        } else {
            let port = Arc::default();
            (Address::Assigned(Arc::clone(&port)), String::new(), AssignedPort::Free(port))
        };
        let health = Health {
            address: Some(address.clone()),
            target: ready_path.map(|path| format!("{prefix}{path}")),
            takes_redirections: false,
            limit: READY,
        };
        let process = function.map(|function| Daemon::new(function, who));
        let managed = Some(Arc::new(ManagedServer::new(who, process, assigned, health)));
        Self { address, who, prefix, is_coded: true, managed, pool: Pool::default() }
    }

    /// An address that calls are forwarded to as they are.
    fn plain(who: UpstreamKind, address: Address, managed: Option<Arc<ManagedServer>>) -> Self {
        Self { address, who, prefix: String::new(), is_coded: false, managed, pool: Pool::default() }
    }

    /// The server, if its state is known.
    pub(crate) fn managed(&self) -> Option<&Arc<ManagedServer>> {
        self.managed.as_ref()
    }

    /// Waits until the server is ready, for at most `--queue-timeout`.
    pub(crate) async fn wait(&self, context: &Context) -> Result<(), Problem> {
        match &self.managed {
            Some(managed) => managed.wait(context).await,
            None => Ok(()),
        }
    }

    /// Starts the server if its state is known, and waits until it is ready. A process that ends before that is not
    /// waited for.
    pub(crate) async fn begin(&self, context: &Arc<Context>) -> Result<Result<(), UpstreamError>, Problem> {
        let Some(managed) = &self.managed else { return Ok(Ok(())) };
        managed.begin(context);
        tokio::select! {
            biased;
            exit = managed.ends_early() => Ok(Err(UpstreamError::EndedEarly { upstream: self.who, exit })),
            ready = managed.wait(context) => ready.map(Ok),
        }
    }

    /// Sends a request. A process of our own that does not listen is waited for: nothing has been sent to it.
    pub(crate) async fn ask(
        &self,
        context: &Context,
        head: &Parts,
        mut body: RequestBody,
        upgrades: bool,
    ) -> Result<UpstreamResponse, UpstreamError> {
        let limit = context.settings.timeouts.queue.and_then(|limit| Instant::now().checked_add(limit));
        let ours = self.managed.as_ref().filter(|managed| managed.is_ours());
        loop {
            match (self.send(head, body, upgrades).await, ours) {
                (Ok(response), _) => return Ok(response),
                (Err((UpstreamError::Unreachable { .. }, Some(unsent))), Some(managed))
                    if limit.is_none_or(|limit| Instant::now() < limit) =>
                {
                    body = unsent;
                    sleep(PAUSE).await;
                    managed.settled(limit).await?;
                }
                (Err((error, _)), _) => return Err(error),
            }
        }
    }
}

/// Forwards a call, and the response back.
pub(crate) async fn forward(context: &Arc<Context>, upstream: &Arc<Upstream>, admitted: Admitted<'_>) -> Response {
    let Admitted { call_id, head: mut parts, envelope, body, permit, responder } = admitted;
    let in_flight = InFlightProxy::new(context, upstream, permit, call_id);
    let deadline = in_flight.deadline(limit(context.settings.timeouts.exec, &parts.headers));
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let (body, mut uploading) = Uploading::begin(body, context.settings.limits.body);
    let offered = request::protocol(&parts).filter(|_| http_body::Body::is_end_stream(&body));
    let work = exchange(&in_flight, parts, envelope, body, offered.as_ref(), responder);
    let (outcome, is_whole) = in_time(&in_flight, &mut uploading, deadline, work).await;
    let mut response = match outcome {
        Ok(UpstreamResponse { response, .. }) if response.status().as_u16() == 101 => {
            return tunnel::switch_protocols(response, on_upgrade.zip(offered), responder, in_flight);
        }
        Ok(response) => respond(response, in_flight, uploading, deadline),
        Err(outcome) => in_flight.refuse(outcome),
    };
    if !is_whole {
        // The server decides whether the rest is read.
        response.head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Waits for the end of `work`, for as long as there is a reason to; also returns whether all of the body has arrived.
pub(crate) async fn in_time<T>(
    in_flight: &InFlightProxy,
    uploading: &mut Uploading,
    deadline: Deadline,
    work: impl Future<Output = Result<T, Outcome>>,
) -> (Result<T, Outcome>, bool) {
    let outcome = tokio::select! {
        biased;
        done = work => done,
        error = uploading.fails() => Err(Outcome::Refused(error)),
        () = until(deadline) => Err(timed_out(in_flight.started, deadline.map(|(limit, _)| limit))),
        () = in_flight.context().lifecycle.reached(Phase::Closing) => {
            Err(Outcome::Cancelled { report: None, cause: Cause::Shutdown })
        }
    };
    let is_whole = uploading.is_done();
    (outcome.map_err(|outcome| uploading.fault().map_or(outcome, Outcome::Refused)), is_whole)
}

/// From the head of the request to the head of the response.
async fn exchange(
    in_flight: &InFlightProxy,
    mut parts: Parts,
    envelope: Envelope,
    mut body: RequestBody,
    offered: Option<&HeaderValue>,
    responder: &dyn Responder,
) -> Result<UpstreamResponse, Outcome> {
    let started = Instant::now();
    let (context, upstream, call_id) = (in_flight.context(), in_flight.upstream(), &*in_flight.call_id);
    let settings = &context.settings;
    if settings.bodies.decode && upstream.is_coded && !envelope.is_form() {
        body = decode::decode(context, call_id, envelope, body, &mut parts.headers).await?;
    }
    let facts = Facts {
        call_id,
        who: upstream.who,
        prefix: &upstream.prefix,
        authority: &upstream.address.to_string(),
        peer: responder.peer(),
        consumes_authorization: settings.consumes_authorization,
        encodes: settings.bodies.encode && upstream.is_coded,
    };
    let failed = |error: UpstreamError| {
        if context.lifecycle.is(Phase::Closing) {
            return Outcome::Cancelled { report: None, cause: Cause::Shutdown };
        }
        tracing::warn!(call_id, "{error}");
        Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure: Failure::Upstream(error) }
    };
    let head = request::forward(&parts, offered, &facts).map_err(failed)?;
    upstream.ask(context, &head, body, offered.is_some()).await.map_err(failed)
}

/// The time limit of one request: `--exec-timeout`, or what its client asks for if that is shorter. A client cannot
/// lift it: no time, a negative one and nonsense do not count.
pub(crate) fn limit(own: Option<Duration>, headers: &HeaderMap) -> Option<Duration> {
    let asked = headers.get(X_TIMEOUT).and_then(|value| quantity::duration(value.to_str().ok()?));
    let asked = asked.filter(|asked| !asked.is_zero());
    match (own, asked) {
        (Some(own), Some(asked)) => Some(own.min(asked)),
        (own, asked) => own.or(asked),
    }
}

fn timed_out(started: Instant, limit: Option<Duration>) -> Outcome {
    let elapsed = started.elapsed();
    Outcome::TimedOut { report: Report::of_exchange(elapsed), limit: limit.unwrap_or(elapsed) }
}

async fn until(deadline: Deadline) {
    match deadline {
        Some((_, deadline)) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_lower_the_time_limit_and_never_lift_it() {
        let second = Duration::from_secs(1);
        let with = |own, asked: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_TIMEOUT, asked.parse().expect("a value"));
            limit(own, &headers)
        };
        for (asked, wanted) in
            [("500ms", second / 2), ("2s", second), ("0s", second), ("0", second), ("-1s", second), ("x", second)]
        {
            assert_eq!(with(Some(second), asked), Some(wanted), "{asked}");
        }
        assert_eq!(with(None, "2"), Some(2 * second));
        assert_eq!(with(None, "0s"), None);
        assert_eq!(limit(Some(second), &HeaderMap::new()), Some(second));
    }
}

//! The service behind every front door: admission, router, executors and responses.
//!
//! A front door makes a [`Call`] and gives it to [`Service::call`], the one entry. The front doors are HTTP and
//! `bandog run`, which makes one call ([`call_locally`]). From there on the call takes the same way whatever it came by:
//! the router finds its executor, the admission gives it a permit, the executor takes its body in and responds. Nothing
//! here knows a front door. One that is interested in the outcome of a process, not in a response, has a [`Runner`] of its
//! own, which is given the invocation once it is admitted.
//!
//! ```text
//! call → router → admission → executor ─┬─ process       one process for each call
//!                                       ├─ proxy         a server that speaks HTTP itself
//!                                       ├─ http_action   an action that a request to a server does
//!                                       └─ files         the files of a directory
//! ```
//!
//! One thread, asynchronous, moves frames of bodies and never touches a file of a call. Everything that may block runs
//! on a thread of its own (`workers`); the border between the two is in `body`.

mod admission;
mod aside;
mod body;
mod call;
mod context;
mod executor;
mod lifecycle;
mod local_call;
mod metrics;
mod router;
mod runner;
mod settings;
mod shutdown;
#[cfg(feature = "testing")]
pub mod testing;
mod workers;

use std::{sync::Arc, time::Duration};

use hyper::{
    HeaderMap,
    header::{EXPECT, HeaderValue},
};
use tokio::time::{Instant, timeout};

pub use self::{
    admission::Admission,
    aside::aside,
    body::{BrokenBody, NextFrame, Response, ResponseBody, Upload},
    call::{ActionCall, Call, Responder, Tunnel},
    context::Context,
    executor::{Executor, ProxySettings, StaticDir, Upstream},
    lifecycle::{InFlight, Lifecycle, Phase, PhaseWatch, Stop},
    local_call::{LocalStop, Unfinished, call_locally},
    metrics::{CONTENT_TYPE as METRICS_TYPE, Metrics, OTHER as OTHER_METHOD, Totals, TotalsSnapshot},
    router::{ACTIONS_PAGE, Actions, Commands, PathPolicy, Router},
    runner::{AdmittedInvocation, Runner},
    settings::{Bodies, Limits, MetricLabels, OnHangUp, Requests, Settings, Timeouts},
    shutdown::{drain, stopped_now},
    workers::Workers,
};
use self::{
    admission::{Permit, Rejected},
    body::BodyIntake,
    call::Admitted,
    executor::ManagedServer,
};
use bandog_actions as actions;
use bandog_process::{self as process, ids};
use bandog_runtime::{
    input::{self, BodyError},
    invocation, logs, output,
    reply::{self, ErrorCode, Problem},
    request, telemetry, workspace,
};

/// How long a permit is kept for a client that waits to be asked for its body (`Expect: 100-continue`). A client that is
/// slower than that gives the permit back and asks for one again when its body has begun, like all others.
const ASKED: Duration = Duration::from_secs(1);

/// The service.
#[derive(Debug)]
pub struct Service {
    context: Arc<Context>,
    router: Router,
}

impl Service {
    /// Nothing is started yet.
    #[must_use]
    pub fn new(context: Context, router: Router) -> Self {
        Self { context: Arc::new(context), router }
    }

    /// The state that all calls share.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Starts the servers that are to run before the first call.
    pub fn begin(&self) {
        for server in self.router.managed() {
            server.begin(&self.context);
        }
    }

    /// Fails while a server that calls go to is not ready.
    ///
    /// # Errors
    /// The problem that callers are told.
    pub async fn check_ready(&self) -> Result<(), Problem> {
        for server in self.router.managed() {
            if !server.is_ready().await {
                return Err(server.not_ready());
            }
        }
        Ok(())
    }

    /// The metrics page, with the metrics of the managed server if it has some.
    pub async fn metrics_page(&self) -> Vec<u8> {
        let scraped = self.router.scrape().await;
        let Context { admission, workspaces, metrics, .. } = &*self.context;
        metrics.render(admission.queued(), workspaces.open_workspaces(), scraped.as_deref())
    }

    /// Starts nothing more, rejects the callers that wait for a permit, and terminates the calls in flight, or kills them
    /// at once.
    pub fn close(&self, now: bool) {
        let Context { lifecycle, admission, .. } = &*self.context;
        lifecycle.enter(Phase::Closing);
        admission.close();
        lifecycle.in_flight().cancel_all(now);
        for server in self.router.managed() {
            server.end(now);
        }
    }

    /// Answers a call: the one entry of every front door. Dropping the future calls it off.
    ///
    /// # Errors
    /// The problem to answer with, where the call did not reach its executor.
    pub async fn call(
        &self,
        call: Call,
        upload: Box<dyn Upload>,
        responder: &dyn Responder,
    ) -> Result<Response, Problem> {
        let context = &self.context;
        context.check_open(Phase::Draining)?;
        let route = self.router.find(&call)?;
        let expects = expects_continue(&call.head.headers)?;
        let envelope = route.envelope(context, &call.head)?;
        // A call that can only be rejected is rejected by its head alone, and its client not asked for the body.
        if context.admission.is_full() {
            return Err(rejected(context, Rejected::Full));
        }
        let mut body = BodyIntake::new(upload, &context.metrics.received);
        // Such a call starts the server itself.
        let upstream = route.executor().upstream().filter(|_| !responder.starts_servers());
        let permit = tokio::select! {
            biased;
            permit = wait_turn(context, upstream, &mut body, expects) => permit?,
            // The end waits for those alone that have a permit: a client that sends half a body, or queues behind a call
            // that never ends, holds nothing up.
            () = async { context.lifecycle.watch().reached(Phase::Draining).await } => {
                context.metrics.totals.count_turned_away();
                return Err(Problem::draining());
            }
        };
        context.check_open(Phase::Closing)?;
        let Call { id: call_id, head, .. } = call;
        route.execute(context, Admitted { call_id, head, envelope, body, permit, responder }).await
    }

    fn managed(&self) -> impl Iterator<Item = &Arc<ManagedServer>> {
        self.router.managed()
    }
}

/// Whether the client waits to be asked for the body (RFC 9110 §10.1.1).
#[expect(clippy::result_large_err, reason = "the response to the request, and made once for it")]
fn expects_continue(headers: &HeaderMap) -> Result<bool, Problem> {
    let is_continue = |value: &&HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    match headers.get(EXPECT) {
        None => Ok(false),
        Some(value) if is_continue(&value) => Ok(true),
        Some(value) => {
            let detail = format!("Expect {value:?} is not known; only 100-continue is");
            Err(Problem::new(ErrorCode::ExpectationFailed, detail))
        }
    }
}

/// A permit, once the server that the call goes to is ready.
async fn wait_turn(
    context: &Context,
    upstream: Option<&Arc<Upstream>>,
    body: &mut BodyIntake,
    expects: bool,
) -> Result<Permit, Problem> {
    if let Some(upstream) = upstream {
        let since = Instant::now();
        upstream.wait(context).await?;
        body.extend_deadline(since);
    }
    admit(context, body, expects).await
}

/// A permit for a call whose body has begun to arrive.
async fn admit(context: &Context, body: &mut BodyIntake, expects: bool) -> Result<Permit, Problem> {
    if expects && !body.is_whole() {
        // Acquire the permit before sending 100 Continue: a client we invited to upload must not be turned away.
        let permit = acquire(context, body).await?;
        match timeout(ASKED, body.begin()).await {
            Ok(begun) => return begun.map(|()| permit).map_err(|error| interrupted(context, error)),
            Err(_) => drop(permit),
        }
    }
    body.begin().await.map_err(|error| interrupted(context, error))?;
    acquire(context, body).await
}

/// A permit, after a turn in the queue. That does not count as time to send the body: none of it is read meanwhile.
async fn acquire(context: &Context, body: &mut BodyIntake) -> Result<Permit, Problem> {
    let since = Instant::now();
    let permit = context.admission.acquire().await.map_err(|why| rejected(context, why))?;
    body.extend_deadline(since);
    Ok(permit)
}

fn rejected(context: &Context, why: Rejected) -> Problem {
    context.metrics.totals.count_turned_away();
    match why {
        Rejected::Closed => Problem::draining(),
        Rejected::Full | Rejected::TooLong => Problem::new(ErrorCode::TooManyRequests, why.to_string()),
    }
}

fn interrupted(context: &Context, error: BodyError) -> Problem {
    context.metrics.totals.count_refused();
    Problem::bad_body(error.into())
}

#[cfg(test)]
mod tests;

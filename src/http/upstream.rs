//! Requests passed on to a function that speaks HTTP itself: a process of our own, or whoever listens at `--upstream`.
//!
//! Head and body go through as they are (`request`, `answer`), piece by piece, in both directions at once and with
//! back-pressure; who asks for another protocol gets a `tunnel`. How the function stands is in `standing`, where it is
//! in `address`, the connections to it are in `pool`. With `--decode` a body goes through the intake first (`decode`).
//!
//! What comes of an exchange is an [`Outcome`] as of any other invocation: counted, logged and answered by the same
//! maps.

mod address;
mod answer;
mod call;
mod decode;
mod health;
mod origins;
mod pool;
mod request;
mod scrape;
mod standing;
mod stay;
mod tls;
mod tunnel;
mod upload;

use std::{sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Response,
    body::Incoming as ResponseBody,
    header::{CONNECTION, HeaderValue},
    http::request::Parts,
    upgrade::OnUpgrade,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use self::{
    address::Address,
    health::Health,
    pool::{Pool, Sender},
    request::Facts,
    standing::Told,
    stay::Stay,
    upload::Uploading,
};
use super::{
    Phase, Running, Server,
    admission::Place,
    arrival::Arrival,
    bridge::{Answer, Incoming},
    link::Link,
};
use crate::{
    config::{Config, quantity},
    intake::Envelope,
    invocation::{Cause, Failure, Function, Outcome, Party, Report, Resident, Unanswered},
    process::Cancel,
    reply::Problem,
};
pub(super) use answer::Passing;
pub(super) use call::{Asking, call, call_from_inside};
pub(super) use origins::Origins;
pub(super) use standing::Standing;
pub(super) use tunnel::Tunnel;

/// What a client may say of its own patience; it only ever lowers `--exec-timeout`.
const X_TIMEOUT: &str = "x-timeout";

/// Between two attempts to reach a process of our own that does not listen (any more).
const PAUSE: Duration = Duration::from_millis(50);

/// How long the function of mode http may take to say that it is ready.
const READY: Duration = Duration::from_secs(2);

/// One address of a server, and the connections to it.
#[derive(Debug)]
pub(super) struct Upstream {
    address: Address,
    /// As messages name it.
    who: Party,
    /// What every target begins with.
    prefix: String,
    /// `--decode` and `--encode` are for it.
    is_coded: bool,
    /// `None` for a server that nothing is known of.
    standing: Option<Arc<Standing>>,
    pool: Pool,
}

/// A request on its way to the function.
pub(super) struct Passage<'a> {
    pub(super) parts: Parts,
    pub(super) call_id: &'a str,
    pub(super) envelope: Envelope,
    pub(super) place: Place,
    pub(super) arrival: Arrival<'a>,
    pub(super) link: &'a Arc<Link>,
}

/// The beginning of an answer, and the connection that the rest of it comes on.
struct Answered {
    response: Response<ResponseBody>,
    sender: Sender,
}

impl Upstream {
    /// The function of mode http as configured; with `function` it is a process of our own.
    pub(super) fn of_mode(config: &Config, function: Option<Function>) -> Self {
        let who = Party::Function;
        let prefix = config.upstream.as_ref().map(|given| given.prefix.clone()).unwrap_or_default();
        let (address, told) = if let Some(given) = &config.upstream {
            let (authority, port) = (given.authority.clone(), given.port());
            (Address::Named { authority, port, tls: None }, Told::Fixed(port))
        } else {
            let port = Arc::default();
            (Address::Told(Arc::clone(&port)), Told::Free(port))
        };
        let health = Health {
            address: Some(address.clone()),
            target: config.ready_path.as_ref().map(|path| format!("{prefix}{path}")),
            takes_redirections: false,
            limit: READY,
        };
        let standing =
            Arc::new(Standing::new(who, function.map(|function| Resident::new(function, who)), told, health));
        Self { address, who, prefix, is_coded: true, standing: Some(standing), pool: Pool::default() }
    }

    /// An address that is passed on to as it is.
    fn plain(who: Party, address: Address, standing: Option<Arc<Standing>>) -> Self {
        Self { address, who, prefix: String::new(), is_coded: false, standing, pool: Pool::default() }
    }

    /// How the server stands, if that is known.
    pub(super) fn standing(&self) -> Option<&Arc<Standing>> {
        self.standing.as_ref()
    }

    /// Waits until the server takes requests, for at most `--queue-timeout`.
    pub(super) async fn wait(&self, server: &Server) -> Result<(), Problem> {
        match &self.standing {
            Some(standing) => standing.wait(server).await,
            None => Ok(()),
        }
    }

    /// Sends a request. One of our own that does not listen is waited for: nothing has been sent to it.
    async fn ask(
        &self,
        server: &Server,
        head: &Parts,
        mut body: Incoming,
        upgrades: bool,
    ) -> Result<Answered, Unanswered> {
        let patience = server.queue_timeout.and_then(|patience| Instant::now().checked_add(patience));
        let ours = self.standing.as_ref().filter(|standing| standing.is_ours());
        loop {
            match (self.send(head, body, upgrades).await, ours) {
                (Ok(answered), _) => return Ok(answered),
                (Err((Unanswered::Unreachable { .. }, Some(unsent))), Some(standing))
                    if patience.is_none_or(|patience| Instant::now() < patience) =>
                {
                    body = unsent;
                    sleep(PAUSE).await;
                    standing.settled(patience).await?;
                }
                (Err((error, _)), _) => return Err(error),
            }
        }
    }
}

/// Passes a request on, and its answer back.
pub(super) async fn pass(server: &Arc<Server>, upstream: &Arc<Upstream>, passage: Passage<'_>) -> Answer {
    let Passage { mut parts, call_id, envelope, place, arrival, link } = passage;
    let entry = Running::enter(server, &Cancel::new());
    let stay = Stay::new(server, upstream, place, entry, call_id);
    let deadline = stay.deadline(limit(server.exec_timeout, &parts.headers));
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let (incoming, mut uploading) = Uploading::begin(arrival, server.max_body);
    let work = exchange(server, upstream, parts, envelope, incoming, call_id, link);
    let (outcome, is_whole) = in_time(server, &stay, &mut uploading, deadline, work).await;
    let (mut head, body) = match outcome {
        Ok(Answered { response, .. }) if response.status().as_u16() == 101 => {
            return tunnel::change_over(response, on_upgrade, link, stay);
        }
        Ok(answered) => answer::of(answered, stay, uploading, deadline),
        Err(outcome) => stay.refuse(&outcome),
    };
    if !is_whole {
        // Whether the rest is read is for the function to say.
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    (head, body)
}

/// Waits for what comes of a request, for as long as there is a reason to; and whether all of its body has come.
async fn in_time<T>(
    server: &Server,
    stay: &Stay,
    uploading: &mut Uploading,
    deadline: Option<(Duration, Instant)>,
    work: impl Future<Output = Result<T, Outcome>>,
) -> (Result<T, Outcome>, bool) {
    let outcome = tokio::select! {
        biased;
        done = work => done,
        error = uploading.fails() => Err(Outcome::Refused(error)),
        () = until(deadline) => Err(timed_out(stay.started, deadline.map(|(limit, _)| limit))),
        () = closing(server.phase.subscribe()) => Err(Outcome::Cancelled { report: None, cause: Cause::Shutdown }),
    };
    let is_whole = uploading.is_done();
    (outcome.map_err(|outcome| uploading.fault().map_or(outcome, Outcome::Refused)), is_whole)
}

/// From the head of the request to the head of the answer.
async fn exchange(
    server: &Arc<Server>,
    upstream: &Upstream,
    mut parts: Parts,
    envelope: Envelope,
    mut incoming: Incoming,
    call_id: &str,
    link: &Link,
) -> Result<Answered, Outcome> {
    let started = Instant::now();
    if server.decodes && upstream.is_coded && !envelope.is_form() {
        incoming = decode::decode(server, envelope, incoming, &mut parts.headers).await?;
    }
    let upgrades = request::protocol(&parts).filter(|_| http_body::Body::is_end_stream(&incoming));
    let facts = Facts {
        call_id,
        who: upstream.who,
        prefix: &upstream.prefix,
        authority: &upstream.address.to_string(),
        peer: link.peer(),
        is_guarded: server.is_guarded(),
        encodes: server.encodes && upstream.is_coded,
    };
    let failed = |error: Unanswered| {
        if server.is(Phase::Closing) {
            return Outcome::Cancelled { report: None, cause: Cause::Shutdown };
        }
        tracing::warn!(call_id, "{error}");
        Outcome::Failed { report: Report::of_exchange(started.elapsed()), failure: Failure::Unanswered(error) }
    };
    let head = request::forward(&parts, upgrades.as_ref(), &facts).map_err(failed)?;
    upstream.ask(server, &head, incoming, upgrades.is_some()).await.map_err(failed)
}

/// The time limit of one request: `--exec-timeout`, or what its client asks for if that is shorter. A client cannot
/// lift it: no time, a negative one and nonsense do not count.
fn limit(own: Option<Duration>, headers: &HeaderMap) -> Option<Duration> {
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

async fn until(deadline: Option<(Duration, Instant)>) {
    match deadline {
        Some((_, deadline)) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Ends when what is under way is called off: after the drain.
async fn closing(mut phase: watch::Receiver<Phase>) {
    // The sender outlives every connection.
    let _ = phase.wait_for(|phase| *phase >= Phase::Closing).await;
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

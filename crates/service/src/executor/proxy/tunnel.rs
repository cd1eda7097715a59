//! A connection that has changed over to another protocol (WebSocket): bytes to and fro, until one side ends.

use std::time::Duration;

use hyper::{
    Response as HttpResponse,
    body::Incoming,
    header::{CONNECTION, HeaderValue, UPGRADE},
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncWriteExt as _, copy, split},
    time::timeout,
};

use super::{
    in_flight::InFlightProxy,
    request::{is_offered, remove_own_of_connection},
    response,
};
use crate::{
    body::Response,
    call::{Responder, Tunnel},
    invocation::{Cause, Failure, Outcome, Report, UpstreamError},
    lifecycle::Phase,
};

/// How long one side may go on when the other has ended. A peer that vanished without a word is found by TCP keepalive.
const FAREWELL: Duration = Duration::from_secs(5);

/// Forwards the response by which the server changes to another protocol, and prepares the tunnel that follows. `asked` is
/// the client's connection, with the protocols that the server was offered.
pub(super) fn switch_protocols(
    mut upstream: HttpResponse<Incoming>,
    asked: Option<(OnUpgrade, HeaderValue)>,
    responder: &dyn Responder,
    mut in_flight: InFlightProxy,
) -> Response {
    let protocol = upstream.headers().get(UPGRADE).cloned();
    let chosen = asked.zip(protocol).filter(|((_, offered), protocol)| is_offered(offered, protocol));
    let Some(((client, _), protocol)) = chosen else {
        let failure = Failure::Upstream(UpstreamError::NoResponse {
            upstream: in_flight.who(),
            address: in_flight.authority(),
            reason: "it changed to a protocol that it was not asked for".to_owned(),
        });
        let report = Report::of_exchange(in_flight.started.elapsed());
        return in_flight.refuse(Outcome::Failed { report, failure });
    };
    let function = hyper::upgrade::on(&mut upstream);
    let (mut parts, _) = upstream.into_parts();
    remove_own_of_connection(&mut parts.headers);
    response::add_own(&mut parts.headers, &in_flight);
    parts.headers.insert(UPGRADE, protocol);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    let over = in_flight.context().lifecycle.reached(Phase::Closing);
    responder.switch_protocols(Tunnel::new(async move {
        let (Ok(client), Ok(function)) = (client.await, function.await) else { return };
        let outcome = tokio::select! {
            () = join(client, function) => Outcome::Passed,
            () = over => Outcome::Cancelled { report: None, cause: Cause::Shutdown },
        };
        let (call_id, seconds) = (in_flight.call_id.as_str(), in_flight.started.elapsed().as_secs_f64());
        tracing::debug!(call_id, seconds, "the tunnel ended");
        in_flight.end(&outcome);
    }));
    response::without_body(parts.status, parts.headers)
}

/// Passes bytes on in both directions. When one side has sent all it had to, the other is told, and has a little time.
async fn join(client: Upgraded, function: Upgraded) {
    let (mut from_client, mut to_client) = split(TokioIo::new(client));
    let (mut from_function, mut to_function) = split(TokioIo::new(function));
    let up = async {
        let _ = copy(&mut from_client, &mut to_function).await;
        let _ = to_function.shutdown().await;
    };
    let down = async {
        let _ = copy(&mut from_function, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::pin!(up, down);
    tokio::select! {
        () = &mut up => drop(timeout(FAREWELL, down).await),
        () = &mut down => drop(timeout(FAREWELL, up).await),
    }
}

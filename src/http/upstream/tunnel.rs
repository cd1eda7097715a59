//! A connection that has changed over to another protocol (WebSocket): bytes to and fro, until one side ends.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use hyper::{
    Response,
    body::Incoming as ResponseBody,
    header::{CONNECTION, HeaderValue, UPGRADE},
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncWriteExt as _, copy, split},
    time::timeout,
};

use super::{answer, closing, request::remove_own_of_connection, stay::Stay};
use crate::{
    http::{bridge::Answer, link::Link},
    invocation::{Cause, Failure, Outcome, Report, Unanswered},
};

/// How long one side may go on when the other has ended. A peer that vanished without a word is found by TCP keepalive.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is to be done with a connection once HTTP has let go of it.
pub(in crate::http) struct Tunnel(Pin<Box<dyn Future<Output = ()> + Send>>);

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

impl Tunnel {
    /// Ends with the connection.
    pub(in crate::http) async fn run(self) {
        self.0.await;
    }
}

/// Passes on that the function has changed over, and makes ready for what follows.
pub(super) fn change_over(
    mut response: Response<ResponseBody>,
    client: Option<OnUpgrade>,
    link: &Arc<Link>,
    mut stay: Stay,
) -> Answer {
    let protocol = response.headers().get(UPGRADE).cloned();
    let (Some(client), Some(protocol)) = (client, protocol) else {
        let failure = Failure::Unanswered(Unanswered::NoAnswer {
            who: stay.who(),
            place: stay.authority(),
            reason: "it changed over to another protocol without being asked".to_owned(),
        });
        let report = Report::of_exchange(stay.started.elapsed());
        return stay.refuse(&Outcome::Failed { report, failure });
    };
    let function = hyper::upgrade::on(&mut response);
    let (mut parts, _) = response.into_parts();
    remove_own_of_connection(&mut parts.headers);
    answer::add_own(&mut parts.headers, &stay);
    parts.headers.insert(UPGRADE, protocol);
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    let over = closing(stay.server().phase.subscribe());
    link.change_over(Tunnel(Box::pin(async move {
        let (Ok(client), Ok(function)) = (client.await, function.await) else { return };
        let outcome = tokio::select! {
            () = join(client, function) => Outcome::Passed,
            () = over => Outcome::Cancelled { report: None, cause: Cause::Shutdown },
        };
        let (call_id, seconds) = (stay.call_id.as_str(), stay.started.elapsed().as_secs_f64());
        tracing::debug!(call_id, seconds, "the tunnel ended");
        stay.end(&outcome);
    })));
    answer::without_body(parts.status, parts.headers)
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

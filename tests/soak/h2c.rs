//! HTTP/2 without TLS: several calls at once on one connection, each of which the client takes in a way of its own.
//!
//! However a client takes its streams, it answers every PING (RFC 9113 §6.7), as the connection is read all the time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use h2::{Ping, Reason, client::SendRequest};
use tokio::{net::TcpStream, time::timeout};

use crate::{call::Call, oracle::Answer};

/// How long all of them may take together.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a PING may take.
const PONG: Duration = Duration::from_secs(15);

/// How the client takes the answer of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taking {
    Whole,
    /// The window is opened for each piece after a rest.
    Slow(Duration),
    /// The window stays shut.
    Nothing,
    /// The client resets the stream when it has been sent.
    ResetAtOnce,
    /// The client resets it after so many bytes of the answer.
    ResetAfter(usize),
}

/// One call of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) call: Call,
    pub(crate) taking: Taking,
}

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With an answer, whole or cut.
    Answered(Answer),
    /// The server reset it so long after the request; as much of the answer had come.
    ByServer(Answer, Duration),
    /// The client reset it.
    ByClient,
}

/// Sends every call before the first answer is awaited. The window is the one that each stream begins with; none is the
/// default of RFC 9113. After the last stream the connection still has to answer a PING.
pub(crate) fn exchange(address: SocketAddr, window: Option<u32>, streams: &[Stream]) -> Result<Vec<Ended>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(say)?;
    runtime.block_on(async { timeout(PATIENCE, all(address, window, streams)).await.map_err(say)? })
}

fn say(error: impl std::fmt::Display) -> String {
    format!("HTTP/2: {error}")
}

async fn all(address: SocketAddr, window: Option<u32>, streams: &[Stream]) -> Result<Vec<Ended>, String> {
    let socket = TcpStream::connect(address).await.map_err(say)?;
    let mut builder = h2::client::Builder::new();
    if let Some(window) = window {
        builder.initial_window_size(window);
    }
    let (client, mut connection) = builder.handshake(socket).await.map_err(say)?;
    let pings = connection.ping_pong();
    let connection = tokio::spawn(connection);
    let pending: Vec<_> =
        streams.iter().map(|stream| tokio::spawn(one(client.clone(), stream.call.clone(), stream.taking))).collect();
    let mut ended = Vec::new();
    for pending in pending {
        ended.push(pending.await.map_err(say)??);
    }
    if let Some(mut pings) = pings {
        let pong = timeout(PONG, pings.ping(Ping::opaque())).await;
        pong.map_err(|_| "HTTP/2: after its last stream the connection answers no PING".to_owned())?.map_err(say)?;
    }
    drop(client);
    connection.abort();
    Ok(ended)
}

async fn one(client: SendRequest<Bytes>, call: Call, taking: Taking) -> Result<Ended, String> {
    let mut request = http::Request::builder().method(call.method).uri(format!("http://soak{}", call.target));
    for (name, value) in &call.fields {
        request = request.header(*name, value);
    }
    let request = request.body(()).map_err(say)?;
    let mut client = client.ready().await.map_err(say)?;
    let begun = Instant::now();
    let (response, mut stream) = client.send_request(request, call.body.is_empty()).map_err(say)?;
    if !call.body.is_empty() {
        stream.send_data(Bytes::from(call.body), true).map_err(say)?;
    }
    if taking == Taking::ResetAtOnce {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.send_reset(Reason::CANCEL);
        return Ok(Ended::ByClient);
    }
    let response = response.await.map_err(say)?;
    let mut answer = Answer { status: response.status().as_u16(), ..Answer::default() };
    for (name, value) in response.headers() {
        answer.fields.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let mut body = response.into_body();
    while let Some(piece) = body.data().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) if error.is_reset() && error.is_remote() => {
                return Ok(Ended::ByServer(answer, begun.elapsed()));
            }
            Err(_) => return Ok(Ended::Answered(answer)),
        };
        answer.body.extend_from_slice(&piece);
        match taking {
            Taking::Nothing => continue,
            Taking::Slow(rest) => tokio::time::sleep(rest).await,
            Taking::ResetAfter(bytes) if answer.body.len() >= bytes && answer.status == 200 => {
                stream.send_reset(Reason::CANCEL);
                return Ok(Ended::ByClient);
            }
            _ => {}
        }
        body.flow_control().release_capacity(piece.len()).map_err(say)?;
    }
    answer.whole = true;
    Ok(Ended::Answered(answer))
}

//! HTTP/2 without TLS: several calls at once on one connection.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use tokio::{net::TcpStream, time::timeout};

use crate::{call::Call, oracle::Answer};

/// How long all of them may take together.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends every call before the first answer is awaited; the last one is reset if told so, and has no answer.
pub(crate) fn exchange(address: SocketAddr, calls: &[Call], reset_last: bool) -> Result<Vec<Answer>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(say)?;
    runtime.block_on(async { timeout(PATIENCE, all(address, calls, reset_last)).await.map_err(say)? })
}

fn say(error: impl std::fmt::Display) -> String {
    format!("HTTP/2: {error}")
}

async fn all(address: SocketAddr, calls: &[Call], reset_last: bool) -> Result<Vec<Answer>, String> {
    let socket = TcpStream::connect(address).await.map_err(say)?;
    let (client, connection) = h2::client::handshake(socket).await.map_err(say)?;
    let connection = tokio::spawn(connection);
    let mut pending = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        let reset = reset_last && index + 1 == calls.len();
        pending.push(tokio::spawn(one(client.clone(), call.clone(), reset)));
    }
    drop(client);
    let mut answers = Vec::new();
    for pending in pending {
        answers.extend(pending.await.map_err(say)??);
    }
    connection.abort();
    Ok(answers)
}

async fn one(client: SendRequest<Bytes>, call: Call, reset: bool) -> Result<Option<Answer>, String> {
    let mut request = http::Request::builder().method(call.method).uri(format!("http://soak{}", call.target));
    for (name, value) in &call.fields {
        request = request.header(*name, value);
    }
    let request = request.body(()).map_err(say)?;
    let mut client = client.ready().await.map_err(say)?;
    let (response, mut stream) = client.send_request(request, call.body.is_empty()).map_err(say)?;
    if !call.body.is_empty() {
        stream.send_data(Bytes::from(call.body), true).map_err(say)?;
    }
    if reset {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.send_reset(Reason::CANCEL);
        return Ok(None);
    }
    let response = response.await.map_err(say)?;
    let mut answer = Answer { status: response.status().as_u16(), ..Answer::default() };
    for (name, value) in response.headers() {
        answer.fields.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let mut body = response.into_body();
    while let Some(piece) = body.data().await {
        let Ok(piece) = piece else { return Ok(Some(answer)) };
        body.flow_control().release_capacity(piece.len()).map_err(say)?;
        answer.body.extend_from_slice(&piece);
    }
    answer.whole = true;
    Ok(Some(answer))
}

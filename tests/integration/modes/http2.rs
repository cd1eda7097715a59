//! The same over HTTP/2, where a broken answer is a stream that is reset.

use std::net::SocketAddr;

use h2::{Reason, RecvStream};
use tokio::{net::TcpStream, time::timeout};

use super::serve;
use crate::harness::{PATIENCE, Server, eventually};

const WAITS: &str = "printf first; until [ -e \"$SCRATCH/go\" ]; do sleep 0.02; done";

/// Header fields of a request.
type Fields = &'static [(&'static str, &'static str)];

/// There is no `Connection` over HTTP/2 (RFC 9113 §8.2.2).
const TRAILERS: Fields = &[("te", "trailers")];

/// The parts of an answer that arrived.
#[derive(Debug, Default)]
struct Came {
    first: Vec<u8>,
    rest: Vec<u8>,
    reset: Option<Reason>,
    trailers: Vec<(String, String)>,
}

/// Asks, gives the sign once the first bytes have come, and takes the rest.
fn ask(server: &Server, fields: Fields) -> Came {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let whole = async {
        let mut body = stream(server.address, fields).await;
        let mut came = Came::default();
        while came.first.len() < b"first".len() {
            came.first.extend_from_slice(&body.data().await.expect("more").expect("readable"));
        }
        server.give("go");
        while let Some(piece) = body.data().await {
            match piece {
                Ok(piece) => came.rest.extend_from_slice(&piece),
                Err(error) => {
                    came.reset = Some(error.reason().expect("a reset"));
                    return came;
                }
            }
        }
        let fields = body.trailers().await.expect("readable").unwrap_or_default();
        let text = |value: &http::HeaderValue| value.to_str().expect("text").to_owned();
        came.trailers = fields.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        came
    };
    runtime.block_on(async { timeout(PATIENCE, whole).await.expect("an answer in time") })
}

async fn stream(address: SocketAddr, fields: Fields) -> RecvStream {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let (client, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::post("http://modes/");
    let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut client = client.ready().await.expect("ready");
    let (response, _) = client.send_request(request.body(()).expect("a request"), true).expect("sent");
    let response = response.await.expect("an answer");
    assert_eq!(response.status(), 200);
    response.into_body()
}

fn value<'a>(came: &'a Came, name: &str) -> Option<&'a str> {
    came.trailers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn over_http_2_the_first_byte_arrives_while_the_function_runs() {
    let server = serve("streaming", &format!("{WAITS}; printf second")).start();
    let came = ask(&server, &[]);
    assert_eq!((came.first.as_slice(), came.rest.as_slice()), (&b"first"[..], &b"second"[..]));
    assert!(came.reset.is_none() && came.trailers.is_empty(), "{came:?}");
    let server = serve("streaming", &format!("{WAITS}; printf second")).start();
    let came = ask(&server, TRAILERS);
    assert_eq!((value(&came, "x-exit-code"), value(&came, "x-bandog-error")), (Some("0"), None), "{came:?}");
}

#[test]
fn over_http_2_a_failure_after_the_first_byte_resets_the_stream_or_is_a_trailer() {
    const ALL: Fields = &[("te", "trailers"), ("x-bandog-trailers", "1")];
    for fields in [&[], TRAILERS, &[("x-bandog-trailers", "1")], ALL] {
        let is_told = fields == ALL;
        let server = serve("streaming", &format!("{WAITS}; exit 3")).start();
        let came = ask(&server, fields);
        assert_eq!(came.first, b"first");
        assert_eq!(came.reset, (!is_told).then_some(Reason::INTERNAL_ERROR), "{came:?}");
        let told = (value(&came, "x-exit-code"), value(&came, "x-bandog-error"));
        assert_eq!(told, if is_told { (Some("3"), Some("function-failed")) } else { (None, None) });
        server.is_clean();
    }
}

#[test]
fn over_http_2_a_reader_that_takes_nothing_is_given_up_and_its_function_ended() {
    let server = serve("streaming", "exec yes").args(["--send-timeout", "1s", "--exec-timeout", "0"]).start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut body = timeout(PATIENCE, stream(server.address, &[])).await.expect("an answer in time");
        let _ = body.data().await.expect("more").expect("readable");
        // Nothing more is released to the other side: the window is used up, and the connection lives.
        eventually("the function to be ended", || server.living().is_empty().then_some(()));
        let ended = timeout(PATIENCE, async {
            loop {
                match body.data().await {
                    Some(Ok(piece)) => body.flow_control().release_capacity(piece.len()).expect("released"),
                    Some(Err(error)) => return error.reason(),
                    None => return None,
                }
            }
        });
        let reason = ended.await.expect("an end in time").expect("the answer is not whole");
        assert!(matches!(reason, Reason::INTERNAL_ERROR | Reason::CANCEL), "{reason:?}");
    });
    server.is_clean();
}

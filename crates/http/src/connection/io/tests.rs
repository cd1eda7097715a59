use std::future::poll_fn;

use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A stream and its other end.
async fn pair(send_timeout: Option<Duration>) -> (Arc<ConnectionState>, ClientIo, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let client = TcpStream::connect(listener.local_addr().expect("address")).await.expect("connected");
    let (socket, _) = listener.accept().await.expect("accepted");
    socket.writable().await.expect("open");
    let state = Arc::new(ConnectionState::new(socket, send_timeout, false));
    let stream = ClientIo::http1(&state);
    (state, stream, client)
}

async fn takes_more(stream: &mut ClientIo) -> bool {
    let piece = [0; 1024];
    poll_fn(|context| Poll::Ready(Pin::new(&mut *stream).poll_write(context, &piece).is_ready())).await
}

#[tokio::test]
async fn it_is_blocked_until_a_slow_reader_reads_on() {
    let (state, mut stream, reader) = pair(None).await;
    assert!(takes_more(&mut stream).await && !state.is_busy());
    while takes_more(&mut stream).await {}
    assert!(state.is_busy());
    let mut taken = vec![0; 1024 * 1024];
    while !takes_more(&mut stream).await {
        let _ = reader.try_read(&mut taken);
        tokio::task::yield_now().await;
    }
    assert!(!state.is_busy());
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_given_up() {
    let (_link, mut stream, _reader) = pair(Some(Duration::from_millis(50))).await;
    while takes_more(&mut stream).await {}
    let piece = [0; 1024];
    let error = loop {
        // A write that still fits into the kernel's buffer does not fail.
        if let Err(error) = poll_fn(|context| Pin::new(&mut stream).poll_write(context, &piece)).await {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_request_is_idle_and_one_that_takes_an_answer_is_not() {
    let limit = Duration::from_secs(30);
    let (state, _stream, _client) = pair(None).await;
    state.enter();
    assert!(tokio::time::timeout(limit * 10, state.unused_for(Some(limit))).await.is_err(), "a request is under way");
    state.leave();
    let begun = tokio::time::Instant::now();
    state.unused_for(Some(limit)).await;
    assert!(begun.elapsed() < limit * 2);
}

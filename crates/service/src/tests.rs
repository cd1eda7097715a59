//! The service from within, for events that no client can cause.

use std::task::{Context as TaskContext, Poll, Waker};

use bandog_runtime::call::ResponseWriter as _;
use bytes::Bytes;
use http_body::Body as _;
use hyper::{HeaderMap, StatusCode};

use super::body::{BrokenBody, Response, ResponseSender};
use crate::{output::BodySink as _, process::Cancel, reply::Head};

#[tokio::test]
async fn hyper_can_write_the_frames_of_a_response_before_it_is_broken_off() {
    let (response, responded) = tokio::sync::oneshot::channel();
    let mut sender = ResponseSender::new(response, &Cancel::new(), None);
    sender.begin(Head { status: StatusCode::OK, headers: HeaderMap::new(), length: None }, true);
    sender.send(Bytes::from_static(b"part")).expect("taken");
    drop(sender);
    let Response { mut body, .. } = responded.await.expect("a response");
    let mut next = || std::pin::Pin::new(&mut body).poll_frame(&mut TaskContext::from_waker(Waker::noop()));
    assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|data| data == "part")));
    assert!(next().is_pending(), "hyper writes when the body has nothing to give");
    assert!(matches!(next(), Poll::Ready(Some(Err(BrokenBody)))));
}

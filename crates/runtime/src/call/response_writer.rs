//! The destination of a response.

use std::{os::fd::BorrowedFd, time::Duration};

use http::HeaderMap;

use crate::{output::BodySink, reply::Head};

/// The destination of a response: first its head, then its body.
pub trait ResponseWriter: BodySink {
    /// Sets the head of the response. It is sent with the first piece of the body at the latest; until then, another
    /// call replaces it. If `live`, every piece is passed on at once.
    fn begin(&mut self, head: Head, live: bool);

    /// Sends trailers after the body, for a client that has asked for them.
    fn send_trailers(&mut self, fields: HeaderMap);

    /// The descriptor that becomes writable when there is room again. Without one,
    /// [`Cancel::wake`](crate::process::Cancel::wake) is called instead.
    fn writable_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// The longest time without room, after which the client counts as gone; `None` for no limit.
    fn stall_limit(&self) -> Option<Duration> {
        None
    }
}

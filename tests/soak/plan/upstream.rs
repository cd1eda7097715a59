//! Requests that are passed on to `fixtures/upstream/server.py`, each path of which does a thing of its own.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

use super::{Maker, Play, http2};
use crate::call::{Call, Wanted};

/// More than one write of the driver's, and less than any socket takes unread: an answer that begins before the end of
/// its request stops a client that sends first and reads later.
const COPIED: usize = 60_000;

/// A server's answer of this status and with this body.
fn passed(kind: Option<&'static str>, body: Vec<u8>) -> Wanted {
    Wanted::Passed { status: 200, kind, body }
}

impl Maker {
    fn for_server(&mut self, target: &str, body: Vec<u8>, wanted: Wanted) -> Call {
        let id = self.next_id();
        let call = Call::to(id, target, body, wanted).with("Content-Type", "application/octet-stream");
        self.framed(call)
    }

    /// The server says what it was sent, or answers with a status of its own.
    pub(super) fn passed_echo(&mut self) -> Call {
        if self.chance.once_in(4) {
            let status = self.chance.pick(&[200, 201, 404, 418, 500, 503]);
            let wanted = Wanted::Passed { status, kind: Some("text/plain"), body: b"short and stout".to_vec() };
            return self.for_server(&format!("/status?code={status}"), Vec::new(), wanted);
        }
        let body = if self.chance.once_in(3) { Vec::new() } else { self.input(4000) };
        let number = self.chance.next();
        let mut call = self.for_server(&format!("/echo/a%2Fb?x={number}&x=%20"), body, Wanted::Echo);
        call.method = self.chance.pick(&["GET", "POST", "PUT", "PATCH", "DELETE"]);
        call
    }

    /// The server counts a body and makes a hash of it.
    pub(super) fn passed_measured(&mut self, most: usize) -> Call {
        let body = self.input(most);
        let hash = digest(&SHA256, &body).as_ref().iter().fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let wanted = passed(Some("text/plain"), format!("{} {hash}", body.len()).into_bytes());
        self.for_server("/measure", body, wanted)
    }

    pub(super) fn passed_copy(&mut self, most: usize) -> Call {
        let body = self.input(most);
        let mut call = self.for_server("/copy", body.clone(), passed(Some("application/octet-stream"), body));
        // A chunk of each piece that was read.
        call.chunks.retain(|size| *size > 500);
        call
    }

    pub(super) fn passed_large(&mut self) -> Call {
        let length = self.chance.between(1, 6 << 20);
        let mut call = self.for_server(&format!("/large?bytes={length}"), Vec::new(), passed(None, vec![b'x'; length]));
        call.method = "GET";
        call
    }

    /// An answer that no buffer holds.
    pub(super) fn passed_endless(&mut self) -> Call {
        let target = self.chance.pick(&["/large?bytes=50000000", "/trickle"]);
        let mut call = self.for_server(target, Vec::new(), passed(None, Vec::new()));
        call.method = "GET";
        call
    }

    /// A body of which the client sends a part.
    pub(super) fn passed_left(&mut self) -> Call {
        let target = self.chance.pick(&["/measure", "/copy", "/echo"]);
        let body = self.input(600_000);
        self.for_server(target, body, Wanted::Page("never seen"))
    }

    pub(super) fn some_passed(&mut self, most: usize) -> Vec<Call> {
        let count = self.chance.between(2, most);
        (0..count)
            .map(|_| match self.chance.below(4) {
                0 => self.passed_measured(100_000),
                1 => self.passed_copy(COPIED),
                _ => self.passed_echo(),
            })
            .collect()
    }

    /// On a connection of its own, or over HTTP/2, where what comes back is taken while the rest is sent.
    pub(super) fn passed_both_ways(&mut self) -> Play {
        if self.chance.once_in(2) {
            return super::one(self.passed_copy(COPIED));
        }
        let copy = self.passed_copy(3 << 20);
        http2::together(http2::whole([copy]))
    }
}

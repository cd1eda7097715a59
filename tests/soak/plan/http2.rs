//! Several calls on one connection of HTTP/2, and how each of them is taken.

use std::time::Duration;

use super::{Maker, Play};
use crate::{
    call::{Call, Wanted},
    h2c::{Stream, Taking},
};

/// Every stream with its call, taken whole.
pub(super) fn whole(calls: impl IntoIterator<Item = Call>) -> Vec<Stream> {
    calls.into_iter().map(|call| Stream { call, taking: Taking::Whole }).collect()
}

/// The connection, with the window that each of its streams begins with.
fn within(window: usize, streams: Vec<Stream>) -> Play {
    Play::Http2 { streams, window: u32::try_from(window).ok() }
}

/// The connection with the window of most clients, which is 65,535 bytes.
pub(super) fn together(streams: Vec<Stream>) -> Play {
    Play::Http2 { streams, window: None }
}

impl Maker {
    /// The last one is reset as soon as it has been sent.
    pub(super) fn reset_at_once(&mut self) -> Play {
        let mut streams = whole(self.some_small(2));
        let call = self.call("sleep 300", Vec::new(), Wanted::Page("never seen"));
        streams.push(Stream { call, taking: Taking::ResetAtOnce });
        together(streams)
    }

    /// One is reset in the middle of its answer; it is more than the window lets through.
    pub(super) fn reset_in_answer(&mut self) -> Play {
        let bytes = self.chance.between(1, 60_000);
        let call = self.raw_between(400_000, 2_000_000);
        let mut streams = vec![Stream { call, taking: Taking::ResetAfter(bytes) }];
        streams.extend(whole(self.some_small(3)));
        together(streams)
    }

    /// One byte of each, and then no more.
    pub(super) fn shut(&mut self) -> Play {
        let count = self.chance.between(1, 3);
        let calls: Vec<Call> = (0..count)
            .map(|_| {
                let most = self.chance.pick(&[3, 2000, 600_000]);
                self.raw_between(2, most)
            })
            .collect();
        within(1, calls.into_iter().map(|call| Stream { call, taking: Taking::Nothing }).collect())
    }

    /// Some are shut, the others get their whole answers through windows as small.
    pub(super) fn partly_shut(&mut self) -> Play {
        let window = self.chance.between(1000, 16_000);
        // Shut streams keep as much of the connection's window as of their own.
        let mut streams = Vec::new();
        for _ in 0..self.chance.between(1, 2) {
            streams.push(Stream { call: self.raw_between(40_000, 600_000), taking: Taking::Nothing });
            streams.extend(whole(self.some_small(2)));
        }
        within(window, streams)
    }

    /// A small window that is opened a piece at a time.
    pub(super) fn slow_window(&mut self) -> Play {
        let window = self.chance.between(2000, 20_000);
        let rest = Duration::from_millis(self.chance.between(1, 15) as u64);
        let count = self.chance.between(1, 2);
        let calls: Vec<Call> = (0..count).map(|_| self.raw_between(20_000, 200_000)).collect();
        within(window, calls.into_iter().map(|call| Stream { call, taking: Taking::Slow(rest) }).collect())
    }

    /// A server's answers, which have no end or a far one, of which nothing is taken.
    pub(super) fn passed_shut(&mut self) -> Play {
        let count = self.chance.between(1, 2);
        let calls: Vec<Call> = (0..count).map(|_| self.passed_endless()).collect();
        within(1, calls.into_iter().map(|call| Stream { call, taking: Taking::Nothing }).collect())
    }

    fn raw_between(&mut self, least: usize, most: usize) -> Call {
        let length = self.chance.between(least, most);
        let input = self.chance.bytes(length);
        self.raw_of(input)
    }
}

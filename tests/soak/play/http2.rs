//! Plays the streams of one connection of HTTP/2.

use std::{fs, time::Duration};

use super::{PATIENCE, Player, Result, Verdict, was_due, wrong};
use crate::{
    bandog::SEND_TIMEOUT,
    call::Call,
    h2c::{self, Ended, Stream, Taking},
    oracle::Answer,
};

impl Player<'_> {
    pub(super) fn http2(&self, streams: &[Stream], window: Option<u32>) -> Vec<Verdict> {
        let tickets: Vec<_> = streams.iter().map(|_| self.crowd.enter()).collect();
        let ended = match h2c::exchange(self.bandog.address, window, streams) {
            Ok(ended) => ended,
            Err(why) => return streams.iter().map(|stream| wrong(&stream.call, &why)).collect(),
        };
        let mut verdicts = Vec::new();
        for ((stream, ticket), ended) in streams.iter().zip(tickets).zip(ended) {
            let Stream { call, taking } = stream;
            let verdict = match ended {
                Ended::Answered(answer) => self.judge(call, Ok(Some(answer)), ticket.answered()),
                Ended::ByServer(answer, after) if *taking == Taking::Nothing => {
                    let crowd = ticket.largest();
                    // It lingers.
                    drop(ticket);
                    self.given_up(call, &answer, after, crowd).unwrap_or_else(|why| wrong(call, &why))
                }
                Ended::ByServer(answer, after) => wrong(call, &format!("reset after {after:?}; came: {answer}")),
                Ended::ByClient => {
                    drop(ticket);
                    Self::is_gone(call).unwrap_or_else(|why| wrong(call, &why))
                }
            };
            verdicts.push(verdict);
        }
        verdicts
    }

    /// A stream of which the client took nothing, and which bandog has reset: in its time, whatever its answer was.
    fn given_up(&self, call: &Call, answer: &Answer, after: Duration, crowd: usize) -> Result<Verdict> {
        let ran = fs::remove_file(self.bandog.sign(&call.id)).is_ok();
        if after < SEND_TIMEOUT || after > SEND_TIMEOUT + PATIENCE {
            return Err(format!("reset after {after:?}, wanted {SEND_TIMEOUT:?}; came: {answer}"));
        }
        match answer.status {
            429 => return was_due(answer, crowd, ran).map(|()| Verdict::TurnedAway),
            500 if self.victims.contain(&call.id) => {}
            200 if answer.field("x-call-id") == Some(&call.id) && ran == call.wanted.runs() => {}
            _ => return Err(format!("came: {answer}")),
        }
        Self::is_gone(call)
    }
}

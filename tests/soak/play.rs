//! Plays a case against bandog and says how each of its calls went.

mod http2;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    bandog::{Bandog, MAX_INFLIGHT, MAX_QUEUE, carriers},
    call::{Call, Problem, Wanted},
    chaos::{Victims, kill_call},
    crowd::Crowd,
    oracle::{Answer, check},
    plan::{Case, Moment, Play, Sending},
    shapes::Shape,
    wire::{Pace, Wire},
};

/// How long a function may take to sign its start or to be gone, on a machine that has other work. The promise is a
/// second.
const PATIENCE: Duration = Duration::from_secs(15);

/// How one call went.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// As wanted.
    Answered,
    /// No place, and rightly so.
    TurnedAway,
    /// The client left, and nothing is left of it.
    Cancelled,
    /// Anything else: what, and what was sent.
    Wrong(String),
}

/// One client of the soak.
pub(crate) struct Player<'p> {
    pub(crate) bandog: &'p Bandog,
    pub(crate) crowd: &'p Crowd,
    pub(crate) victims: &'p Victims,
}

type Result<T> = std::result::Result<T, String>;

impl Player<'_> {
    /// Plays it.
    pub(crate) fn play(&self, case: &Case) -> Vec<Verdict> {
        match &case.play {
            Play::One { call, http10, sending, pace } => {
                let version = if *http10 { "HTTP/1.0" } else { "HTTP/1.1" };
                self.on_own_connection(std::slice::from_ref(call), |wire, call| {
                    send(wire, call, version, *sending)?;
                    wire.answer(*pace)
                })
            }
            Play::KeepAlive(calls) => self.on_own_connection(calls, |wire, call| {
                send(wire, call, "HTTP/1.1", Sending::AtOnce)?;
                wire.answer(Pace::Fast)
            }),
            Play::Pipelined(calls) => self.pipelined(calls),
            Play::Http2 { streams, window } => self.http2(streams, *window),
            Play::Kill(call) => self.on_own_connection(std::slice::from_ref(call), |wire, call| {
                send(wire, call, "HTTP/1.1", Sending::AtOnce)?;
                if self.has_started(wire, &call.id) {
                    // Another player may have killed it before.
                    kill_call(self.bandog, &call.id);
                }
                wire.answer(Pace::Fast)
            }),
            Play::Shape(shape) => vec![self.shape(shape).unwrap_or_else(|why| {
                Verdict::Wrong(format!("{why}; sent: {:?}", String::from_utf8_lossy(&shape.bytes)))
            })],
            Play::Leave { call, when } => vec![self.leave(call, *when).unwrap_or_else(|why| wrong(call, &why))],
        }
    }

    /// Each call in turn on one connection, as long as the connection lasts.
    fn on_own_connection(
        &self,
        calls: &[Call],
        mut ask: impl FnMut(&mut Wire, &Call) -> Result<Option<Answer>>,
    ) -> Vec<Verdict> {
        let mut wire = None;
        let mut verdicts = Vec::new();
        for call in calls {
            let ticket = self.crowd.enter();
            let mut try_ask = || {
                let mut open = match wire.take() {
                    Some(open) => open,
                    None => Wire::connect(self.bandog.address)?,
                };
                let answer = ask(&mut open, call)?;
                // A client that is told that the connection ends opens another one. The server cannot tell where a body
                // ends that it refused unread, and closes the connection without a word (RFC 9112 §9.6).
                let refused = |answer: &Answer| answer.status == 429 && !call.body.is_empty();
                let lasts = |answer: &Answer| answer.field("connection") != Some("close") && !refused(answer);
                let lasts = answer.as_ref().is_some_and(lasts);
                wire = lasts.then_some(open);
                Ok(answer)
            };
            let answer = try_ask();
            let crowd = ticket.answered();
            verdicts.push(self.judge(call, answer, crowd));
        }
        verdicts
    }

    fn pipelined(&self, calls: &[Call]) -> Vec<Verdict> {
        let tickets: Vec<_> = calls.iter().map(|_| self.crowd.enter()).collect();
        let mut all = Vec::new();
        for call in calls {
            all.extend_from_slice(call.head("HTTP/1.1").as_bytes());
            all.extend_from_slice(&call.framed());
        }
        let mut wire = Wire::connect(self.bandog.address).and_then(|mut wire| {
            wire.send(&all)?;
            Ok(wire)
        });
        let mut verdicts = Vec::new();
        let mut closed = false;
        for (call, ticket) in calls.iter().zip(tickets) {
            let answer = match &mut wire {
                Ok(wire) => wire.answer(Pace::Fast),
                Err(why) => Err(why.clone()),
            };
            let crowd = ticket.answered();
            // After an answer that ends the connection the rest was not read, and was said so.
            if closed && matches!(answer, Ok(None)) {
                verdicts.push(Verdict::TurnedAway);
                continue;
            }
            closed |= matches!(&answer, Ok(Some(answer)) if answer.field("connection") == Some("close"));
            verdicts.push(self.judge(call, answer, crowd));
        }
        verdicts
    }

    /// Holds an answer against what was wanted and what chaos allows.
    fn judge(&self, call: &Call, answer: Result<Option<Answer>>, crowd: usize) -> Verdict {
        let answer = match answer {
            Ok(Some(answer)) => answer,
            Ok(None) => return wrong(call, "the connection ended without an answer"),
            Err(why) => return wrong(call, &why),
        };
        let ran = fs::remove_file(self.bandog.sign(&call.id)).is_ok();
        let verdict = check(call, &call.wanted, &answer).and_then(|()| match (call.wanted.runs(), ran) {
            (true, false) => Err("the function did not run".to_owned()),
            (false, true) => Err("the function ran".to_owned()),
            _ => Ok(()),
        });
        let Err(why) = verdict else {
            return match Self::leaves_nothing(call) {
                Ok(()) => Verdict::Answered,
                Err(why) => wrong(call, &why),
            };
        };
        if self.victims.contain(&call.id) && check(call, &killed(&call.wanted), &answer).is_ok() {
            return Verdict::Answered;
        }
        let turned_away = check(call, &Problem::refused(429, "too-many-requests"), &answer);
        if call.needs_place && turned_away.is_ok() {
            return match was_due(&answer, crowd, ran) {
                Ok(()) => Verdict::TurnedAway,
                Err(why) => wrong(call, &format!("{why}; came: {answer}")),
            };
        }
        wrong(call, &format!("{why}; came: {answer}"))
    }

    /// After the whole answer no process of the call is left: looked at where the function tries to leave some.
    fn leaves_nothing(call: &Call) -> Result<()> {
        if !call.fields.iter().any(|(name, value)| *name == "X-Do" && value.starts_with("daemons")) {
            return Ok(());
        }
        let left = carriers(&format!("CALL_ID={}", call.id));
        if left.is_empty() { Ok(()) } else { Err(format!("after the answer its processes {left:?} are left")) }
    }

    /// Waits until the function of a call has begun; false if an answer comes before.
    fn has_started(&self, wire: &Wire, id: &str) -> bool {
        let begun = Instant::now();
        // The second sign, which comes after its first words.
        let sign = self.bandog.sign(&format!("{id}.begun"));
        while begun.elapsed() < PATIENCE {
            if fs::remove_file(&sign).is_ok() {
                return true;
            }
            if wire.has_news(Duration::from_millis(2)) {
                return false;
            }
        }
        false
    }

    fn leave(&self, call: &Call, when: Moment) -> Result<Verdict> {
        let ticket = self.crowd.enter();
        let mut wire = Wire::connect(self.bandog.address)?;
        let (head, body) = (call.head("HTTP/1.1"), call.framed());
        match when {
            Moment::Head => {
                let half = &head.as_bytes()[..head.len() / 2];
                wire.send(half)?;
            }
            Moment::Body => {
                wire.send(head.as_bytes())?;
                wire.send(&body[..body.len() / 2])?;
            }
            Moment::After(pause) => {
                wire.send(head.as_bytes())?;
                wire.send(&body)?;
                thread::sleep(pause);
            }
            Moment::Running => {
                wire.send(head.as_bytes())?;
                wire.send(&body)?;
                if !self.has_started(&wire, &call.id) {
                    let answer = wire.answer(Pace::Fast);
                    return Ok(self.judge(call, answer, ticket.answered()));
                }
            }
            Moment::Answer => {
                wire.send(head.as_bytes())?;
                wire.send(&body)?;
                wire.taste(100_000);
            }
        }
        wire.leave();
        drop(ticket);
        Self::is_gone(call)
    }

    /// Waits until no process of a call that was given up is left.
    fn is_gone(call: &Call) -> Result<Verdict> {
        let begun = Instant::now();
        let mark = format!("CALL_ID={}", call.id);
        loop {
            let left = carriers(&mark);
            if left.is_empty() {
                return Ok(Verdict::Cancelled);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{PATIENCE:?} after the client left its processes {left:?} still run"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// One answer at most, and nothing that was hidden has run.
    fn shape(&self, shape: &Shape) -> Result<Verdict> {
        let ticket = self.crowd.enter();
        let mut wire = Wire::connect(self.bandog.address)?;
        wire.send(&shape.bytes)?;
        let first = wire.answer(Pace::Fast)?;
        let crowd = ticket.answered();
        let name = shape.name;
        let mut may_run = false;
        if let Some(answer) = &first {
            match answer.status {
                400 | 413 | 415 | 501 => {}
                // RFC 9112 §6.3: the chunks count, not the length; and §6.1: the connection ends after that.
                200 if shape.chunks_count && answer.body.is_empty() && answer.whole => {
                    may_run = answer.field("x-call-id") == Some(&shape.id);
                    if answer.field("connection") != Some("close") {
                        return Err(format!("{name}: the connection is kept: {answer}"));
                    }
                }
                500 if shape.chunks_count && self.victims.contain(&shape.id) => may_run = true,
                429 => return was_due(answer, crowd, false).map(|()| Verdict::TurnedAway),
                _ => return Err(format!("{name}: answered: {answer}")),
            }
        }
        wire.is_at_its_end().map_err(|why| format!("{name}: {why}"))?;
        for (id, may_run) in [(&shape.id, may_run), (&shape.hidden, false)] {
            if fs::remove_file(self.bandog.sign(id)).is_ok() && !may_run {
                return Err(format!("{name}: the call {id} ran"));
            }
        }
        Ok(Verdict::Answered)
    }
}

/// The answers allowed for a call whose function was killed.
fn killed(wanted: &Wanted) -> Wanted {
    let problem = Problem { status: 500, slug: "function-killed", signal: Some(9), ..Problem::default() };
    match wanted {
        Wanted::Events { .. } | Wanted::BrokenEvents(_) => Wanted::BrokenEvents(problem),
        _ => Wanted::Problem(problem),
    }
}

/// Whether there were enough others for a 429.
fn was_due(answer: &Answer, crowd: usize, ran: bool) -> Result<()> {
    if ran {
        return Err("turned away, and ran all the same".to_owned());
    }
    if answer.field("retry-after").and_then(|seconds| seconds.parse::<u32>().ok()).is_none_or(|seconds| seconds == 0) {
        return Err("a 429 without Retry-After".to_owned());
    }
    let full = String::from_utf8_lossy(&answer.body).contains("the queue is full");
    let least = if full { MAX_INFLIGHT + MAX_QUEUE + 1 } else { MAX_INFLIGHT + 1 };
    if crowd >= least { Ok(()) } else { Err(format!("a 429 in a crowd of {crowd}, wanted {least} at least")) }
}

fn wrong(call: &Call, why: &str) -> Verdict {
    Verdict::Wrong(format!("{why}; sent: {}", call.shown()))
}

fn send(wire: &mut Wire, call: &Call, version: &str, sending: Sending) -> Result<()> {
    let (head, body) = (call.head(version), call.framed());
    match sending {
        // In one write where it fits in one, as most clients do.
        Sending::AtOnce if body.len() < 16 * 1024 => {
            wire.send(&[head.as_bytes(), &body].concat())?;
        }
        Sending::AtOnce => {
            wire.send(head.as_bytes())?;
            wire.send(&body)?;
        }
        Sending::Dribble(parts, rest) => wire.dribble(&[head.as_bytes(), &body].concat(), parts, rest)?,
        Sending::Stall => {
            wire.send(head.as_bytes())?;
            wire.send(&body[..body.len() / 2])?;
        }
    }
    Ok(())
}

//! Seed and number → one case: what is sent, in which manner, and what must come back.

mod actions;
mod bodies;
mod functions;
mod http2;
mod refusals;
mod upstream;

use std::time::Duration;

use crate::{
    call::{Call, Problem, Wanted},
    chance::Chance,
    h2c::Stream,
    kind::Kind,
    shapes::{self, Shape},
    wire::Pace,
};

/// `--max-body` of the bandog under test.
pub(crate) const MAX_BODY: usize = 40 << 20;

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) index: u64,
    pub(crate) kind: Kind,
    pub(crate) play: Play,
}

/// The way in which the calls of a case are made.
#[derive(Debug)]
pub(crate) enum Play {
    /// One on a connection of its own.
    One { call: Call, http10: bool, sending: Sending, pace: Pace },
    /// One after the other on one connection.
    KeepAlive(Vec<Call>),
    /// All sent before the first answer is read.
    Pipelined(Vec<Call>),
    /// All at once on one connection of HTTP/2, whose streams begin with this window.
    Http2 { streams: Vec<Stream>, window: Option<u32> },
    /// Killed by the driver once it runs.
    Kill(Call),
    /// Bytes that two parsers might read differently.
    Shape(Shape),
    /// The client leaves.
    Leave { call: Call, when: Moment },
}

/// How a request is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sending {
    AtOnce,
    /// In so many parts, with a rest after each.
    Dribble(usize, Duration),
    /// Half of it, and then no more.
    Stall,
}

/// When a client leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    Head,
    Body,
    /// So long after the last byte was sent.
    After(Duration),
    Running,
    Answer,
}

/// The case of this number.
pub(crate) fn case(seed: u64, index: u64) -> Case {
    let mut chance = Chance::of(seed, index);
    // Each kind once, whatever chance says; then by weight.
    let first = usize::try_from(index).ok().and_then(|index| Kind::ALL.get(index));
    let kind = first.map_or_else(|| Kind::of(chance.below(Kind::weights())), |(kind, ..)| *kind);
    let mut maker = Maker { id: format!("{seed:x}.{index}"), made: 0, chance };
    let play = maker.play(kind);
    Case { index, kind, play }
}

/// Makes the calls of one case.
struct Maker {
    id: String,
    made: usize,
    chance: Chance,
}

fn one(call: Call) -> Play {
    Play::One { call, http10: false, sending: Sending::AtOnce, pace: Pace::Fast }
}

impl Maker {
    fn play(&mut self, kind: Kind) -> Play {
        let millis = |chance: &mut Chance, most| Duration::from_millis(chance.below(most) as u64);
        match kind {
            Kind::OneFile => one(self.copy(300_000)),
            Kind::Raw => one(self.raw(300_000)),
            Kind::Zip => one(self.zip()),
            Kind::Logs => one(self.logs(20_000)),
            Kind::LongLogs => one(self.logs(300_000)),
            Kind::Json => one(self.json()),
            Kind::Events => one(self.events()),
            Kind::FailingEvents => one(self.failing_events()),
            Kind::Form => one(self.form()),
            Kind::StorageEvent => one(self.storage_event()),
            Kind::Empty => one(self.empty()),
            Kind::Large => one(self.large()),
            Kind::OwnHeaders => one(self.own_headers()),
            Kind::ExitCode => one(self.exit_code()),
            Kind::Signal => one(self.signal()),
            Kind::RunsTooLong => one(self.too_long("sleep 300")),
            Kind::IgnoresSigterm => one(self.too_long("stubborn")),
            Kind::StopsItself => one(self.too_long("stopped")),
            Kind::Daemons => one(self.copy_by("daemons")),
            Kind::DeepTree => one(self.copy_by("tree")),
            Kind::OddOutput => one(self.odd()),
            Kind::KilledByDriver => Play::Kill(self.killed()),
            Kind::Http2 => http2::together(http2::whole(self.some_small(4))),
            Kind::ResetsHttp2 => self.reset_at_once(),
            Kind::ResetsInAnswer => self.reset_in_answer(),
            Kind::ShutHttp2 => self.shut(),
            Kind::PartlyShutHttp2 => self.partly_shut(),
            Kind::SlowHttp2 => self.slow_window(),
            Kind::Http10 => {
                let mut call = self.small();
                call.chunks.clear();
                Play::One { call, http10: true, sending: Sending::AtOnce, pace: Pace::Fast }
            }
            Kind::KeepAlive => Play::KeepAlive(self.some_small(4)),
            Kind::Pipelined => Play::Pipelined(self.some_small(3)),
            Kind::Probe => one(self.probe()),
            Kind::WrongHead => one(self.wrong_head()),
            Kind::BadBody => one(self.bad_body()),
            Kind::TooLarge => one(self.too_large()),
            Kind::Smuggling => {
                let ids = [self.next_id(), self.next_id()];
                Play::Shape(shapes::pick(&mut self.chance, ids))
            }
            Kind::SlowSender => {
                let sending = Sending::Dribble(
                    self.chance.between(3, 12),
                    Duration::from_millis(10) + millis(&mut self.chance, 60),
                );
                Play::One { call: self.small(), http10: false, sending, pace: Pace::Fast }
            }
            Kind::StalledSender => {
                let mut call = self.raw(100_000);
                call.chunks.clear();
                call.wanted = Problem::refused(400, "body-timeout");
                Play::One { call, http10: false, sending: Sending::Stall, pace: Pace::Fast }
            }
            Kind::SlowReader => {
                let pace = Pace::Slow { every: 1 << 20, rest: Duration::from_millis(20) };
                Play::One { call: self.large(), http10: false, sending: Sending::AtOnce, pace }
            }
            Kind::LeavesInHead => Play::Leave { call: self.small(), when: Moment::Head },
            Kind::LeavesInBody => Play::Leave { call: self.raw(600_000), when: Moment::Body },
            Kind::LeavesAtOnce => {
                let what = self.chance.pick(&["sleep 300", "print", "stubborn"]);
                let when = Moment::After(millis(&mut self.chance, 40));
                Play::Leave { call: self.call(what, b"{}".to_vec(), Wanted::Page("never seen")), when }
            }
            Kind::LeavesRunning => {
                let what = self.chance.pick(&["sleep 300", "stubborn", "stopped"]);
                Play::Leave { call: self.call(what, Vec::new(), Wanted::Page("never seen")), when: Moment::Running }
            }
            Kind::LeavesInAnswer => Play::Leave { call: self.large(), when: Moment::Answer },
            Kind::Passed => one(self.passed_echo()),
            Kind::PassedMeasured => one(self.passed_measured(3 << 20)),
            Kind::PassedCopy => self.passed_both_ways(),
            Kind::PassedLarge => one(self.passed_large()),
            Kind::PassedKept => Play::KeepAlive(self.some_passed(5)),
            Kind::PassedHttp2 => http2::together(http2::whole(self.some_passed(4))),
            Kind::PassedShut => self.passed_shut(),
            Kind::LeavesPassedBody => Play::Leave { call: self.passed_left(), when: Moment::Body },
            Kind::LeavesPassedAnswer => Play::Leave { call: self.passed_endless(), when: Moment::Answer },
            Kind::Action => one(self.right_arguments()),
            Kind::ActionFile => one(self.file_argument()),
            Kind::WrongArguments => one(self.wrong_arguments()),
            Kind::ActionFails => one(self.failing_action(1)),
            Kind::ActionUnavailable => one(self.failing_action(2)),
            Kind::ActionHttp2 => http2::together(http2::whole(self.some_actions(4))),
            Kind::ActionKept => Play::KeepAlive(self.some_actions(4)),
        }
    }

    fn next_id(&mut self) -> String {
        self.made += 1;
        format!("{}.{}", self.id, self.made)
    }

    fn call(&mut self, what: &str, body: Vec<u8>, wanted: Wanted) -> Call {
        let id = self.next_id();
        Call::new(id, what, body, wanted)
    }

    /// Something that is there in milliseconds.
    fn small(&mut self) -> Call {
        match self.chance.below(5) {
            0 => self.logs(2000),
            1 => self.raw(5000),
            2 => self.exit_code(),
            3 => self.empty(),
            _ => self.copy(5000),
        }
    }

    fn some_small(&mut self, most: usize) -> Vec<Call> {
        (0..self.chance.between(2, most)).map(|_| self.small()).collect()
    }
}

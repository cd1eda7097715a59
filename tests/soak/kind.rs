//! The kinds of traffic, and how often each comes.

use crate::bandog::Service;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    OneFile,
    Raw,
    Zip,
    Logs,
    LongLogs,
    Json,
    Events,
    FailingEvents,
    Form,
    StorageEvent,
    Empty,
    Large,
    OwnHeaders,
    ExitCode,
    Signal,
    RunsTooLong,
    IgnoresSigterm,
    StopsItself,
    Daemons,
    DeepTree,
    OddOutput,
    KilledByDriver,
    Http2,
    Http10,
    KeepAlive,
    Pipelined,
    Probe,
    WrongHead,
    BadBody,
    TooLarge,
    Smuggling,
    SlowSender,
    StalledSender,
    SlowReader,
    LeavesInHead,
    LeavesInBody,
    LeavesAtOnce,
    LeavesRunning,
    LeavesInAnswer,
    ResetsHttp2,
    ResetsInAnswer,
    ShutHttp2,
    PartlyShutHttp2,
    SlowHttp2,
    Passed,
    PassedMeasured,
    PassedCopy,
    PassedLarge,
    PassedKept,
    PassedHttp2,
    PassedShut,
    LeavesPassedBody,
    LeavesPassedAnswer,
    Action,
    ActionFile,
    WrongArguments,
    ActionFails,
    ActionUnavailable,
    ActionHttp2,
    ActionKept,
}

impl Kind {
    /// Every kind, with its name and its weight in a thousand or so. Kinds that hold a place for seconds are rare.
    pub(crate) const ALL: [(Self, &'static str, usize); 60] = [
        (Self::OneFile, "one file out, as base64", 150),
        (Self::Raw, "raw in, raw out", 60),
        (Self::Zip, "several files, as a zip", 60),
        (Self::Logs, "logs only", 60),
        (Self::LongLogs, "300 KB of logs", 20),
        (Self::Json, "JSON answer", 40),
        (Self::Events, "event stream", 25),
        (Self::FailingEvents, "event stream of a failure", 10),
        (Self::Form, "form of several parts", 40),
        (Self::StorageEvent, "storage event", 20),
        (Self::Empty, "empty body", 20),
        (Self::Large, "8 to 24 MiB in and out", 6),
        (Self::OwnHeaders, "own status and headers", 20),
        (Self::ExitCode, "exit code", 30),
        (Self::Signal, "ended by a signal of its own", 20),
        (Self::RunsTooLong, "runs too long", 1),
        (Self::IgnoresSigterm, "runs too long, ignores SIGTERM", 1),
        (Self::StopsItself, "stops itself (SIGSTOP)", 1),
        (Self::Daemons, "leaves daemons", 25),
        (Self::DeepTree, "leaves a deep, locked tree", 15),
        (Self::OddOutput, "links and FIFOs in the output", 20),
        (Self::KilledByDriver, "killed while it runs", 15),
        (Self::Http2, "HTTP/2, several at once", 30),
        (Self::Http10, "HTTP/1.0", 20),
        (Self::KeepAlive, "several on one connection", 25),
        (Self::Pipelined, "pipelined", 20),
        (Self::Probe, "probes and pages", 25),
        (Self::WrongHead, "wrong token, method, service, …", 40),
        (Self::BadBody, "bad body", 30),
        (Self::TooLarge, "too large a body", 6),
        (Self::Smuggling, "smuggling shapes", 25),
        (Self::SlowSender, "slow sender", 15),
        (Self::StalledSender, "sender that stalls", 1),
        (Self::SlowReader, "slow reader", 5),
        (Self::LeavesInHead, "leaves in the head", 10),
        (Self::LeavesInBody, "leaves in the body", 15),
        (Self::LeavesAtOnce, "leaves at once or in the queue", 20),
        (Self::LeavesRunning, "leaves while it runs", 15),
        (Self::LeavesInAnswer, "leaves in the answer", 8),
        (Self::ResetsHttp2, "HTTP/2, one of several reset", 15),
        (Self::ResetsInAnswer, "HTTP/2, reset in the answer", 10),
        (Self::ShutHttp2, "HTTP/2, window kept shut", 3),
        (Self::PartlyShutHttp2, "HTTP/2, some windows kept shut", 5),
        (Self::SlowHttp2, "HTTP/2, window opened piece by piece", 12),
        (Self::Passed, "to a server: as it is", 60),
        (Self::PassedMeasured, "to a server: up to 3 MiB in", 25),
        (Self::PassedCopy, "to a server: in and out at once", 25),
        (Self::PassedLarge, "to a server: up to 6 MiB out", 10),
        (Self::PassedKept, "to a server: several on one connection", 25),
        (Self::PassedHttp2, "to a server: HTTP/2, several at once", 20),
        (Self::PassedShut, "to a server: HTTP/2, window kept shut", 3),
        (Self::LeavesPassedBody, "to a server: leaves in the body", 10),
        (Self::LeavesPassedAnswer, "to a server: leaves in the answer", 10),
        (Self::Action, "action: right arguments", 50),
        (Self::ActionFile, "action: a file in and out", 25),
        (Self::WrongArguments, "action: wrong arguments", 30),
        (Self::ActionFails, "action: exit code 1 (422)", 15),
        (Self::ActionUnavailable, "action: exit code 2 (503)", 15),
        (Self::ActionHttp2, "action: HTTP/2, several at once", 15),
        (Self::ActionKept, "action: several on one connection", 15),
    ];

    /// The kind that a number below [`Kind::weights`] falls to.
    pub(crate) fn of(mut number: usize) -> Self {
        for (kind, _, weight) in Self::ALL {
            if number < weight {
                return kind;
            }
            number -= weight;
        }
        Self::OneFile
    }

    /// The bandog that is asked.
    pub(crate) fn service(self) -> Service {
        match self {
            Self::Passed
            | Self::PassedMeasured
            | Self::PassedCopy
            | Self::PassedLarge
            | Self::PassedKept
            | Self::PassedHttp2
            | Self::PassedShut
            | Self::LeavesPassedBody
            | Self::LeavesPassedAnswer => Service::Server,
            Self::Action
            | Self::ActionFile
            | Self::WrongArguments
            | Self::ActionFails
            | Self::ActionUnavailable
            | Self::ActionHttp2
            | Self::ActionKept => Service::Actions,
            _ => Service::Function,
        }
    }

    pub(crate) fn weights() -> usize {
        Self::ALL.iter().map(|(_, _, weight)| weight).sum()
    }

    /// Its row.
    pub(crate) fn row(self) -> usize {
        Self::ALL.iter().position(|(kind, ..)| *kind == self).unwrap_or_default()
    }
}

//! Seed and number → one case: what is sent, in which manner, and what must come back.

use std::{io::Write as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};

use crate::{
    call::{Call, File, Problem, TOKEN, Wanted},
    chance::Chance,
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

/// What is done with the calls of a case.
#[derive(Debug)]
pub(crate) enum Play {
    /// One on a connection of its own.
    One { call: Call, http10: bool, sending: Sending, pace: Pace },
    /// One after the other on one connection.
    KeepAlive(Vec<Call>),
    /// All sent before the first answer is read.
    Pipelined(Vec<Call>),
    /// All at once on one connection of HTTP/2; the last one is reset when it has been sent.
    Http2 { calls: Vec<Call>, reset_last: bool },
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
            Kind::Http2 => Play::Http2 { calls: self.some_small(4), reset_last: false },
            Kind::ResetsHttp2 => {
                let mut calls = self.some_small(2);
                calls.push(self.call("sleep 300", Vec::new(), Wanted::Page("never seen")));
                Play::Http2 { calls, reset_last: true }
            }
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

    fn input(&mut self, most: usize) -> Vec<u8> {
        let length = self.chance.between(16, most);
        self.chance.bytes(length)
    }

    /// The call with `input` as its body, in one of the ways that all arrive as the same input file.
    fn dressed(&mut self, mut call: Call, input: &[u8]) -> Call {
        call.body = input.to_vec();
        call = match self.chance.below(7) {
            0 => {
                call.body = STANDARD.encode(input).into();
                call
            }
            1 => {
                call.body = STANDARD.encode(input).into();
                call.with("Content-Type", "application/json")
            }
            2 => {
                call.body =
                    STANDARD.encode(input).as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect();
                call.with("Content-Type", "application/x-www-form-urlencoded")
            }
            3 => {
                call.body = gzip(input);
                call.with("Content-Type", "image/png").with("Content-Encoding", "gzip")
            }
            4 => {
                call.body = STANDARD.encode(input).into();
                call.with("Content-Type", "image/png").with("Content-Transfer-Encoding", "base64")
            }
            5 => {
                call.body = form(&[("file".to_owned(), Some("in.bin".to_owned()), input.to_vec())]);
                call.with("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}"))
            }
            _ => call.with("Content-Type", "application/octet-stream"),
        };
        self.framed(call)
    }

    /// The call, chunked now and then.
    fn framed(&mut self, mut call: Call) -> Call {
        if self.chance.once_in(3) && !call.body.is_empty() {
            call.chunks = (0..self.chance.between(1, 5)).map(|_| self.chance.between(1, 50_000)).collect();
            // The last one is repeated: small ones would be many.
            call.chunks.push(self.chance.between(1000, 60_000));
        }
        call
    }

    fn copy(&mut self, most: usize) -> Call {
        let input = self.input(most);
        let wanted = Wanted::File { file: ("copy.bin".to_owned(), input.clone()), raw: None };
        let call = self.call("copy copy.bin", Vec::new(), wanted);
        self.dressed(call, &input)
    }

    fn copy_by(&mut self, what: &str) -> Call {
        let mut call = self.copy(3000);
        call.fields.retain(|(name, _)| *name != "X-Do");
        call.with("X-Do", format!("{what} copy.bin"))
    }

    fn raw(&mut self, most: usize) -> Call {
        let input = self.input(most);
        let wanted =
            Wanted::File { file: ("copy.bin".to_owned(), input.clone()), raw: Some("application/octet-stream") };
        let call = self.call("copy copy.bin", input, wanted).with("Content-Type", "application/octet-stream");
        self.framed(call.with("Accept", "application/octet-stream"))
    }

    /// The files that `split` leaves of `input`.
    fn parts(&mut self, input: &[u8]) -> (String, Vec<File>) {
        let size = self.chance.between(input.len().div_ceil(20), input.len());
        let mut files = vec![("parts/.hidden/all".to_owned(), input.to_vec())];
        for (number, part) in input.chunks(size).enumerate() {
            files.push((format!("parts/part-{number:03}"), part.to_vec()));
        }
        (format!("split {size}"), files)
    }

    fn zip(&mut self) -> Call {
        let input = self.input(100_000);
        let (what, files) = self.parts(&input);
        let raw = self.chance.once_in(2);
        let call = self.call(&what, Vec::new(), Wanted::Zip { files, raw });
        let call = self.dressed(call, &input);
        if raw { call.with("Accept", "application/zip") } else { call }
    }

    fn logs(&mut self, length: usize) -> Call {
        let text = self.chance.lines(length).into_bytes();
        let call = self.call("print", Vec::new(), Wanted::Logs(text.clone()));
        self.dressed(call, &text)
    }

    fn json(&mut self) -> Call {
        let input = self.input(20_000);
        let (what, wanted, input) = match self.chance.below(3) {
            0 => {
                let files = vec![("copy.bin".to_owned(), input.clone())];
                ("copy copy.bin".to_owned(), Wanted::Json { files, logs: String::new() }, input)
            }
            1 => {
                let (what, files) = self.parts(&input);
                (what, Wanted::Json { files, logs: String::new() }, input)
            }
            _ => {
                let logs = self.chance.lines(5000);
                ("print".to_owned(), Wanted::Json { files: Vec::new(), logs: logs.clone() }, logs.into_bytes())
            }
        };
        let call = self.call(&what, Vec::new(), wanted);
        self.dressed(call, &input).with("Accept", "application/json")
    }

    fn events(&mut self) -> Call {
        let (what, wanted, input) = if self.chance.once_in(3) {
            let input = self.input(20_000);
            let files = vec![("copy.bin".to_owned(), input.clone())];
            ("copy copy.bin", Wanted::Events { files, logs: String::new() }, input)
        } else {
            let logs = self.chance.lines(600);
            ("tick", Wanted::Events { files: Vec::new(), logs: logs.clone() }, logs.into_bytes())
        };
        let call = self.call(what, Vec::new(), wanted);
        self.dressed(call, &input).with("Accept", "text/event-stream")
    }

    fn failing_events(&mut self) -> Call {
        let mut call = self.exit_code();
        if let Wanted::Problem(problem) = call.wanted {
            call.wanted = Wanted::BrokenEvents(problem);
        }
        call.with("Accept", "text/event-stream")
    }

    fn form(&mut self) -> Call {
        let mut parts: Vec<_> = (0..self.chance.between(2, 6))
            .map(|number| {
                let length = self.chance.between(0, 30_000);
                let content = self.chance.bytes(length);
                ("file".to_owned(), Some(format!("part {number}.bin")), content)
            })
            .collect();
        parts.push(("word".to_owned(), None, b"a field without a file name".to_vec()));
        let body = form(&parts);
        let mut files: Vec<File> =
            parts.into_iter().map(|(field, name, content)| (name.unwrap_or(field), content)).collect();
        files.sort();
        let call = self.call("each", body, Wanted::Zip { files, raw: false });
        self.framed(call.with("Content-Type", format!("multipart/form-data; boundary={BOUNDARY}")))
    }

    fn storage_event(&mut self) -> Call {
        let number = self.chance.next();
        let time = "2026-11-20T14:49:56.867Z";
        let json = format!(
            "{{\"Records\":[{{\"eventSource\":\"minio:s3\",\"eventTime\":\"{time}\",\"s3\":{{\"bucket\":{{\"name\":\"b\"}},\
             \"object\":{{\"key\":\"in/a+%C3%A9+{number}.png\"}}}}}}]}}"
        );
        let printed = format!("in/a é {number}.png|{time}\n{json}");
        let call = self.call("event", json.into_bytes(), Wanted::Logs(printed.into_bytes()));
        self.framed(call)
    }

    fn empty(&mut self) -> Call {
        let wanted = Wanted::File { file: ("copy.bin".to_owned(), Vec::new()), raw: None };
        let mut call = self.call("copy copy.bin", Vec::new(), wanted);
        call.method = self.chance.pick(&["GET", "POST", "PUT", "DELETE", "PATCH"]);
        call
    }

    fn large(&mut self) -> Call {
        let length = self.chance.between(8 << 20, 24 << 20);
        let input = self.chance.bytes(length);
        let raw = self.chance.once_in(2);
        let kind = raw.then_some("application/octet-stream");
        let wanted = Wanted::File { file: ("large.bin".to_owned(), input.clone()), raw: kind };
        let mut call = self.call("move large.bin", input, wanted);
        if raw {
            call = call.with("Accept", "application/octet-stream");
        }
        if self.chance.once_in(2) {
            call.body = STANDARD.encode(&call.body).into();
            return call;
        }
        call.with("Content-Type", "application/octet-stream")
    }

    fn own_headers(&mut self) -> Call {
        let body = self.input(2000);
        let mut call = self.call("headers", body.clone(), Wanted::Page(""));
        let fields = vec![("content-type", "application/x-soak".to_owned()), ("x-soak", call.id.clone())];
        call.wanted = Wanted::Own { status: 201, fields, body };
        call.with("Content-Type", "application/octet-stream")
    }

    fn exit_code(&mut self) -> Call {
        let code = self.chance.pick(&[1, 2, 3, 42, 126, 127, 137, 255]);
        let problem = Problem {
            status: 500,
            slug: "function-failed",
            exit_code: Some(code),
            logs: Some(format!("exit {code}\n")),
            ..Problem::default()
        };
        self.call(&format!("exit {code}"), Vec::new(), Wanted::Problem(problem))
    }

    fn signal(&mut self) -> Call {
        let (name, number) = self.chance.pick(&[("TERM", 15), ("KILL", 9), ("SEGV", 11), ("ABRT", 6), ("PIPE", 13)]);
        let problem = Problem {
            status: 500,
            slug: "function-killed",
            signal: Some(number),
            logs: Some(format!("signal {name}\n")),
            ..Problem::default()
        };
        self.call(&format!("signal {name}"), Vec::new(), Wanted::Problem(problem))
    }

    fn too_long(&mut self, what: &str) -> Call {
        let logs = Some("begun\n".to_owned());
        let problem = Problem { status: 504, slug: "function-timeout", logs, ..Problem::default() };
        self.call(what, Vec::new(), Wanted::Problem(problem))
    }

    /// Beside the one file, links that leave, a link to that file, a FIFO, a directory.
    fn odd(&mut self) -> Call {
        let input = self.input(3000);
        let files = vec![("again".to_owned(), input.clone()), ("copy.bin".to_owned(), input.clone())];
        // What is left out is told at WARNING; here the level is CRITICAL.
        let call = self.call("odd copy.bin", Vec::new(), Wanted::Zip { files, raw: false });
        self.dressed(call, &input)
    }

    fn killed(&mut self) -> Call {
        let problem = Problem {
            status: 500,
            slug: "function-killed",
            signal: Some(9),
            logs: Some("begun\n".to_owned()),
            ..Problem::default()
        };
        self.call("sleep 300", Vec::new(), Wanted::Problem(problem))
    }

    fn probe(&mut self) -> Call {
        let (path, part) = self.chance.pick(&[
            ("/_/health", "OK"),
            ("/_/status", "\"service\":\"soak\""),
            ("/_/metrics", "http_requests_total"),
            ("/_/nothing", ""),
        ]);
        let wanted = if part.is_empty() { Problem::refused(404, "not-found") } else { Wanted::Page(part) };
        let id = self.next_id();
        Call::page(id, path, wanted)
    }

    fn wrong_head(&mut self) -> Call {
        let mut call = self.copy(20_000);
        call.needs_place = false;
        let (status, slug) = match self.chance.below(6) {
            0 => {
                call = call.without("Authorization");
                (401, "unauthorized")
            }
            1 => {
                call = call.without("Authorization").with("X-Bandog-Token", format!("{TOKEN}x"));
                (401, "unauthorized")
            }
            2 => {
                call.method = self.chance.pick(&["OPTIONS", "TRACE", "BREW"]);
                (405, "method-not-allowed")
            }
            3 => {
                call.target.replace_range(.., "/run/other");
                (404, "not-found")
            }
            4 => {
                call = call.without("Content-Encoding").with("Content-Encoding", "br");
                (415, "unsupported-encoding")
            }
            _ => {
                call = call.with("X-Large", "x".repeat(70_000));
                (431, "headers-too-large")
            }
        };
        call.wanted = Problem::refused(status, slug);
        call
    }

    fn bad_body(&mut self) -> Call {
        let wanted = Problem::refused(400, "bad-input");
        let good = STANDARD.encode(self.input(200_000));
        let (kind, body) = match self.chance.below(5) {
            0 => (None, format!("{good}!").into_bytes()),
            1 => (Some("application/vnd.soak+json"), b"{\"a\": 1,}".to_vec()),
            2 => (Some("application/json"), format!("[{}", "[1],".repeat(20_000)).into_bytes()),
            3 => {
                let mut cut = form(&[("a".to_owned(), Some("a".to_owned()), good.into_bytes())]);
                cut.truncate(cut.len() - 8);
                (Some("multipart/form-data; boundary=soak-boundary"), cut)
            }
            _ => (None, b"no base64 at all?".to_vec()),
        };
        let call = self.call("copy x", body, wanted);
        let call = if let Some(kind) = kind { call.with("Content-Type", kind) } else { call };
        self.framed(call)
    }

    fn too_large(&mut self) -> Call {
        let wanted = Problem::refused(413, "body-too-large");
        let mut call = self.call("copy x", Vec::new(), wanted).with("Content-Type", "application/octet-stream");
        match self.chance.below(4) {
            // As sent, one piece over.
            0 => {
                call.body = vec![b'x'; MAX_BODY + 100_000];
                call.chunks = vec![1 << 20];
                call
            }
            // As unpacked.
            1 => {
                call.body = gzip(&vec![0; MAX_BODY + 1]);
                call.with("Content-Encoding", "gzip")
            }
            // As announced: refused for its head, without a place.
            _ => {
                call.needs_place = false;
                call.with("Content-Length", (MAX_BODY + 1).to_string())
            }
        }
    }
}

const BOUNDARY: &str = "soak-boundary";

/// A form of parts: field, file name, content.
fn form(parts: &[(String, Option<String>, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, name, content) in parts {
        let name = name.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"{name}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes it all")
}

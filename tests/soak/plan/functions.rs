//! Calls of the function `fixtures/functions/soak.sh`, each with its whole answer.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Maker,
    bodies::{BOUNDARY, form},
};
use crate::call::{Call, File, Problem, Wanted};

impl Maker {
    pub(super) fn copy(&mut self, most: usize) -> Call {
        let input = self.input(most);
        let wanted = Wanted::File { file: ("copy.bin".to_owned(), input.clone()), raw: None };
        let call = self.call("copy copy.bin", Vec::new(), wanted);
        self.dressed(call, &input)
    }

    pub(super) fn copy_by(&mut self, what: &str) -> Call {
        let mut call = self.copy(3000);
        call.fields.retain(|(name, _)| *name != "X-Do");
        call.with("X-Do", format!("{what} copy.bin"))
    }

    pub(super) fn raw(&mut self, most: usize) -> Call {
        let input = self.input(most);
        self.raw_of(input)
    }

    pub(super) fn raw_of(&mut self, input: Vec<u8>) -> Call {
        let wanted =
            Wanted::File { file: ("copy.bin".to_owned(), input.clone()), raw: Some("application/octet-stream") };
        let call = self.call("copy copy.bin", input, wanted).with("Content-Type", "application/octet-stream");
        self.framed(call.with("Accept", "application/octet-stream"))
    }

    /// The files that `split` leaves of `input`.
    pub(super) fn parts(&mut self, input: &[u8]) -> (String, Vec<File>) {
        let size = self.chance.between(input.len().div_ceil(20), input.len());
        let mut files = vec![("parts/.hidden/all".to_owned(), input.to_vec())];
        for (number, part) in input.chunks(size).enumerate() {
            files.push((format!("parts/part-{number:03}"), part.to_vec()));
        }
        (format!("split {size}"), files)
    }

    pub(super) fn zip(&mut self) -> Call {
        let input = self.input(100_000);
        let (what, files) = self.parts(&input);
        let raw = self.chance.once_in(2);
        let call = self.call(&what, Vec::new(), Wanted::Zip { files, raw });
        let call = self.dressed(call, &input);
        if raw { call.with("Accept", "application/zip") } else { call }
    }

    pub(super) fn logs(&mut self, length: usize) -> Call {
        let text = self.chance.lines(length).into_bytes();
        let call = self.call("print", Vec::new(), Wanted::Logs(text.clone()));
        self.dressed(call, &text)
    }

    pub(super) fn json(&mut self) -> Call {
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

    pub(super) fn events(&mut self) -> Call {
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

    pub(super) fn failing_events(&mut self) -> Call {
        let mut call = self.exit_code();
        if let Wanted::Problem(problem) = call.wanted {
            call.wanted = Wanted::BrokenEvents(problem);
        }
        call.with("Accept", "text/event-stream")
    }

    pub(super) fn form(&mut self) -> Call {
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

    pub(super) fn storage_event(&mut self) -> Call {
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

    pub(super) fn empty(&mut self) -> Call {
        let wanted = Wanted::File { file: ("copy.bin".to_owned(), Vec::new()), raw: None };
        let mut call = self.call("copy copy.bin", Vec::new(), wanted);
        call.method = self.chance.pick(&["GET", "POST", "PUT", "DELETE", "PATCH"]);
        call
    }

    pub(super) fn large(&mut self) -> Call {
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

    pub(super) fn own_headers(&mut self) -> Call {
        let body = self.input(2000);
        let mut call = self.call("headers", body.clone(), Wanted::Page(""));
        let fields = vec![("content-type", "application/x-soak".to_owned()), ("x-soak", call.id.clone())];
        call.wanted = Wanted::Own { status: 201, fields, body };
        call.with("Content-Type", "application/octet-stream")
    }

    pub(super) fn exit_code(&mut self) -> Call {
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

    pub(super) fn signal(&mut self) -> Call {
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

    pub(super) fn too_long(&mut self, what: &str) -> Call {
        let logs = Some("begun\n".to_owned());
        let problem = Problem { status: 504, slug: "function-timeout", logs, ..Problem::default() };
        self.call(what, Vec::new(), Wanted::Problem(problem))
    }

    /// Beside the one file, links that leave, a link to that file, a FIFO, a directory.
    pub(super) fn odd(&mut self) -> Call {
        let input = self.input(3000);
        let files = vec![("again".to_owned(), input.clone()), ("copy.bin".to_owned(), input.clone())];
        // Files left out are reported at WARNING; here the level is CRITICAL.
        let call = self.call("odd copy.bin", Vec::new(), Wanted::Zip { files, raw: false });
        self.dressed(call, &input)
    }

    pub(super) fn killed(&mut self) -> Call {
        let problem = Problem {
            status: 500,
            slug: "function-killed",
            signal: Some(9),
            logs: Some("begun\n".to_owned()),
            ..Problem::default()
        };
        self.call("sleep 300", Vec::new(), Wanted::Problem(problem))
    }
}

//! A request, and what must come back for it.

use std::fmt::Write as _;

/// The token that bandog asks for.
pub(crate) const TOKEN: &str = "s0ak-t0ken";

/// One request to the function, or to a page of bandog's own.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Sent as `X-Call-Id`; also the name of the file in which the function signs its start.
    pub(crate) id: String,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// The sizes of the chunks that the body is sent in, the last one repeated; with none it has a length.
    pub(crate) chunks: Vec<usize>,
    pub(crate) wanted: Wanted,
    /// Whether it needs a place, and may be told that there is none.
    pub(crate) needs_place: bool,
}

impl Call {
    /// A request that has the function do `what`.
    pub(crate) fn new(id: String, what: &str, body: Vec<u8>, wanted: Wanted) -> Self {
        Self::to(id, "/run/soak", body, wanted).with("X-Do", what)
    }

    /// A request that needs a place.
    pub(crate) fn to(id: String, target: &str, body: Vec<u8>, wanted: Wanted) -> Self {
        let mut call = Self::page(id, target, wanted);
        call.method = "POST";
        call.body = body;
        call.needs_place = true;
        call
    }

    /// A request for a page of bandog's own.
    pub(crate) fn page(id: String, target: &str, wanted: Wanted) -> Self {
        let fields = vec![("X-Call-Id", id.clone()), ("Authorization", format!("Bearer {TOKEN}"))];
        let (target, chunks) = (target.to_owned(), Vec::new());
        Self { id, method: "GET", target, fields, body: Vec::new(), chunks, wanted, needs_place: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| *other != name);
        self
    }

    /// Request line and fields.
    pub(crate) fn head(&self, version: &str) -> String {
        let mut head = format!("{} {} {version}\r\nHost: soak\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.fields.iter().any(|(name, _)| *name == "Content-Length") {
            // A promise that the body does not keep.
        } else if !self.chunks.is_empty() {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if !self.body.is_empty() || self.method != "GET" {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        head
    }

    /// The body as it is sent.
    pub(crate) fn framed(&self) -> Vec<u8> {
        if self.chunks.is_empty() {
            return self.body.clone();
        }
        let mut framed = Vec::with_capacity(self.body.len() + 1024);
        let mut sizes = self.chunks.iter().copied();
        let mut size = 1;
        let mut rest = self.body.as_slice();
        while !rest.is_empty() {
            size = sizes.next().unwrap_or(size).min(rest.len());
            framed.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            framed.extend_from_slice(&rest[..size]);
            framed.extend_from_slice(b"\r\n");
            rest = &rest[size..];
        }
        framed.extend_from_slice(b"0\r\n\r\n");
        framed
    }

    /// One line for the reader of a report about a wrong answer.
    pub(crate) fn shown(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let (method, target, length) = (self.method, &self.target, self.body.len());
        format!("{method} {target} ({}; body of {length} bytes, chunks {:?})", fields.join("; "), self.chunks)
    }
}

/// A file of an answer: its path and what is in it.
pub(crate) type File = (String, Vec<u8>);

/// The expected answer.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// One file, in base64, or under this type as it is.
    File { file: File, raw: Option<&'static str> },
    /// Several, sorted by path, as a zip.
    Zip { files: Vec<File>, raw: bool },
    /// The output that was printed.
    Logs(Vec<u8>),
    /// The document.
    Json { files: Vec<File>, logs: String },
    /// The stream.
    Events { files: Vec<File>, logs: String },
    /// The answer as the function itself made it.
    Own { status: u16, fields: Vec<(&'static str, String)>, body: Vec<u8> },
    /// A server's answer, passed on as it is.
    Passed { status: u16, kind: Option<&'static str>, body: Vec<u8> },
    /// The request, as the server saw it.
    Echo,
    /// The result of an action.
    Result { kind: &'static str, body: Vec<u8> },
    /// A page of bandog's own with something of this in it.
    Page(&'static str),
    /// A failure.
    Problem(Problem),
    /// A failure at the end of a stream.
    BrokenEvents(Problem),
}

impl Wanted {
    /// Whether the function or the action must have signed its start.
    pub(crate) fn runs(&self) -> bool {
        match self {
            // A server signs nothing.
            Self::Page(_) | Self::Passed { .. } | Self::Echo => false,
            Self::Problem(problem) | Self::BrokenEvents(problem) => {
                problem.logs.is_some() || problem.traceback.is_some()
            }
            _ => true,
        }
    }
}

/// A failure: its status, its word, and after a run how that ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problem {
    pub(crate) status: u16,
    pub(crate) slug: &'static str,
    pub(crate) exit_code: Option<i64>,
    pub(crate) signal: Option<i64>,
    /// The end of the logs; `None` if nothing was started.
    pub(crate) logs: Option<String>,
    /// The standard error of an action in its only attempt; `None` if nothing was started.
    pub(crate) traceback: Option<String>,
    /// Every wrong argument with its problem, sorted.
    pub(crate) errors: Vec<(&'static str, &'static str)>,
}

impl Problem {
    /// One for which nothing was started.
    pub(crate) fn refused(status: u16, slug: &'static str) -> Wanted {
        Wanted::Problem(Self { status, slug, ..Self::default() })
    }
}

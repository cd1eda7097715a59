//! How the function receives requests.

/// How the function receives requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The request is a file, and so is the response.
    Files,
    /// The body is standard input, and standard output is the response, sent once the function has ended.
    Stdio,
    /// The same, but standard output is sent while the function writes it.
    Streaming,
    /// One long-lived process, which speaks HTTP itself.
    Http,
    /// No function: the files of a directory are served.
    Static,
}

impl Mode {
    /// All modes, by name.
    pub const NAMES: [(&str, Self); 5] = [
        ("files", Self::Files),
        ("stdio", Self::Stdio),
        ("streaming", Self::Streaming),
        ("http", Self::Http),
        ("static", Self::Static),
    ];
}

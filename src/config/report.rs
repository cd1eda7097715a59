//! What a resolution has to say: every value with where it came from, and everything that is wrong.

use std::{ffi::OsStr, fmt, path::PathBuf};

use super::Config;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The flag of the setting's own name.
    Flag,
    /// The command line, without a flag.
    Argument,
    /// This variable.
    Variable(String),
    /// A key of the configuration file (or of what took its place).
    File {
        /// The key.
        key: &'static str,
        /// The file, or the variable that held it.
        file: String,
    },
    /// This file, which is there.
    Path(PathBuf),
    /// A line of the file of actions.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Argument => f.write_str("command line"),
            Self::Variable(name) => f.write_str(name),
            Self::File { key, file } => write!(f, "key {key} of {file}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A line of `bandog check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The setting's flag, or `function`.
    pub name: String,
    /// Its value in words; secrets masked.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// Something that must be put right before bandog can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The flag, variable or file it is about.
    pub name: String,
    /// What was given; `None` if that is a secret, too long, or nothing.
    pub value: Option<String>,
    /// Where it was given.
    pub origin: Origin,
    /// What would have been right, or what to do.
    pub advice: String,
}

impl Mistake {
    pub(super) fn new(name: &str, value: Option<&OsStr>, origin: Origin, advice: impl Into<String>) -> Self {
        let value = value.map(|value| value.to_string_lossy().into_owned());
        Self { name: name.to_owned(), value, origin, advice: advice.into() }
    }
}

/// Characters of a value that a message quotes.
const QUOTED: usize = 200;

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As compilers do, so that an editor finds the line.
        if let Origin::Line { .. } = &self.origin {
            write!(f, "{}", self.origin)?;
            f.write_str(if self.name.is_empty() { "" } else { ": " })?;
        }
        f.write_str(&self.name)?;
        if let Some(value) = &self.value {
            let shown: String = value.chars().take(QUOTED).collect();
            write!(f, ": {shown:?}{}", if shown.len() < value.len() { "…" } else { "" })?;
        }
        match &self.origin {
            Origin::Flag | Origin::Argument | Origin::Default | Origin::Line { .. } => {}
            Origin::Variable(name) if *name == self.name => {}
            origin => write!(f, " (from {origin})")?,
        }
        write!(f, ": {}", self.advice)
    }
}

/// Every mistake of one resolution; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<Mistake>);

/// The whole outcome of reading the configuration.
#[derive(Debug)]
pub struct Resolution {
    /// The configuration, if there was no mistake in it.
    pub config: Option<Config>,
    /// Every setting with its value and origin.
    pub entries: Vec<Entry>,
    /// What is odd but stops nothing.
    pub warnings: Vec<String>,
    /// Everything that is wrong.
    pub mistakes: Vec<Mistake>,
}

impl Resolution {
    /// The configuration, or every mistake.
    pub fn into_config(self) -> Result<Config, Mistakes> {
        match self.config {
            Some(config) if self.mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(self.mistakes)),
        }
    }
}

//! The report of a resolution: every value with its source, every warning, every mistake.

use std::{ffi::OsStr, fmt, path::PathBuf};

use super::Config;

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The flag of the setting.
    Flag,
    /// The command line, without a flag.
    Argument,
    /// This variable.
    Variable(String),
    /// A key of the configuration file, or of the variable that contains it.
    File {
        /// The key.
        key: &'static str,
        /// The file, or the variable that contains it.
        file: String,
    },
    /// An existing file at a default path.
    Path(PathBuf),
    /// A line of the actions file.
    Line {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// No source gives a value.
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
    /// Its value in words, with secrets masked.
    pub value: String,
    /// Its source.
    pub origin: Origin,
}

/// A mistake that must be corrected before bandog can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The flag, variable or file it is about.
    pub name: String,
    /// The given value; `None` if it is secret or missing.
    pub value: Option<String>,
    /// The source of the value.
    pub origin: Origin,
    /// The expected value, or the way to correct the mistake.
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
        // In the form of a compiler's message, which editors can follow to the line.
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

/// The result of reading the configuration.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The configuration, if there was no mistake in it.
    pub config: Option<Config>,
    /// Every setting with its value and its source.
    pub entries: Vec<Entry>,
    /// Oddities that do not prevent a start.
    pub warnings: Vec<String>,
    /// Every mistake.
    pub mistakes: Vec<Mistake>,
}

impl Resolution {
    /// The configuration.
    ///
    /// # Errors
    /// Every mistake.
    pub fn into_config(self) -> Result<Config, Mistakes> {
        match self.config {
            Some(config) if self.mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(self.mistakes)),
        }
    }
}

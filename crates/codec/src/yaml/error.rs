//! Errors of reading YAML, and positions in its text.

/// A position in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
}

/// The reason why a text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlError {
    /// The text is not YAML from this position on.
    NotYaml(LineColumn),
    /// The node that begins here has more than the permitted number of nodes.
    TooLarge(LineColumn),
    /// The node that begins here is nested more deeply than permitted.
    TooDeep(LineColumn),
}

impl YamlError {
    /// The position that it names.
    #[must_use]
    pub fn position(self) -> LineColumn {
        match self {
            Self::NotYaml(position) | Self::TooLarge(position) | Self::TooDeep(position) => position,
        }
    }
}

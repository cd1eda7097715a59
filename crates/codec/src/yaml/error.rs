//! E

/// Where something is in the text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineColumn {
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
}

/// Why a text is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum YamlError {
    /// It is no YAML from here on.
    NotYaml(LineColumn),
    /// What begins here has more nodes than any document may have.
    TooLarge(LineColumn),
    /// What begins here is nested deeper than any document may be.
    TooDeep(LineColumn),
}

impl YamlError {
    /// Where.
    #[must_use]
    pub fn position(self) -> LineColumn {
        match self {
            Self::NotYaml(position) | Self::TooLarge(position) | Self::TooDeep(position) => position,
        }
    }
}

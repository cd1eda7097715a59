//! The locations of arguments in a request.

/// The location of an argument in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The query.
    Query,
    /// The body (`requestBody`).
    Body,
    /// The path.
    Path,
    /// The header field of the argument's name.
    Header,
}

impl Location {
    /// The name in OpenAPI and in the specification.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "requestBody",
            Self::Path => "path",
            Self::Header => "header",
        }
    }

    /// The location as part of a sentence.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Query => "the query",
            Self::Body => "the body",
            Self::Path => "the path",
            Self::Header => "a header field",
        }
    }
}

//! L

/// Where an argument is in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In the query.
    Query,
    /// In the body (`requestBody`).
    Body,
    /// In the path.
    Path,
    /// A header field of the argument's name.
    Header,
}

impl Location {
    /// As OpenAPI and the specification call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Body => "requestBody",
            Self::Path => "path",
            Self::Header => "header",
        }
    }

    /// In a sentence.
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

//! The authentication of callers, as the document states it. The check of tokens is in the HTTP front door.

use serde_json::{Value, json};

/// How callers authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    None,
    /// With the shared token.
    Token,
    /// With a JSON Web Token of the provider.
    Jwt,
}

impl Authentication {
    /// Whether callers must authenticate.
    pub(super) fn is_required(self) -> bool {
        match self {
            Self::None => false,
            Self::Token | Self::Jwt => true,
        }
    }

    /// The security requirement of every operation; one of the alternatives is enough.
    pub(super) fn requirement(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Token => Some(json!([{"bearer": []}, {"token": []}])),
            Self::Jwt => Some(json!([{"bearer": []}])),
        }
    }

    /// The security schemes.
    pub(super) fn schemes(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Token => Some(json!({
                "bearer": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "header", "name": "X-Bandog-Token"},
            })),
            Self::Jwt => Some(json!({
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            })),
        }
    }
}

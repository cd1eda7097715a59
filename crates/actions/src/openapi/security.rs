//! Who may call, as the document says it.

use serde_json::{Value, json};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// Whoever reaches the port.
    None,
    /// Who shows the token.
    Token,
    /// Who shows a JSON Web Token of the provider.
    Jwt,
}

impl Authentication {
    /// Whether some are turned away.
    pub(super) fn is_required(self) -> bool {
        match self {
            Self::None => false,
            Self::Token | Self::Jwt => true,
        }
    }

    /// What every operation asks for; one of the alternatives is enough.
    pub(super) fn requirement(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Token => Some(json!([{"bearer": []}, {"token": []}])),
            Self::Jwt => Some(json!([{"bearer": []}])),
        }
    }

    /// How that is shown.
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

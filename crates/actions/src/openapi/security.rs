//! Who may call, as the document says it.

use serde_json::{Value, json};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Whoever reaches the port.
    Anybody,
    /// Who shows the token.
    TokenHolders,
    /// Who shows a JSON Web Token of the provider.
    WebTokenHolders,
}

impl Callers {
    /// Whether some are turned away.
    pub(super) fn are_asked(self) -> bool {
        match self {
            Self::Anybody => false,
            Self::TokenHolders | Self::WebTokenHolders => true,
        }
    }

    /// What every operation asks for; one of the alternatives is enough.
    pub(super) fn requirement(self) -> Option<Value> {
        match self {
            Self::Anybody => None,
            Self::TokenHolders => Some(json!([{"bearer": []}, {"token": []}])),
            Self::WebTokenHolders => Some(json!([{"bearer": []}])),
        }
    }

    /// How that is shown.
    pub(super) fn schemes(self) -> Option<Value> {
        match self {
            Self::Anybody => None,
            Self::TokenHolders => Some(json!({
                "bearer": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "header", "name": "X-Bandog-Token"},
            })),
            Self::WebTokenHolders => Some(json!({
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            })),
        }
    }
}

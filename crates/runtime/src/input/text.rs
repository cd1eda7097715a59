//! A body that may be JSON, base64 or text: found out while it is stored.
//!
//! The first byte that is no blank decides which of JSON and base64 is tried. Where the other remains possible the
//! bytes are stored as sent, and decoded in place once it is known that they are base64.

use bandog_codec::{
    base64::{self, is_blank},
    json,
};

use super::{InputError, InputKind, store::InputFiles};

/// The prefix of UTF-8 text on some systems. It belongs to no format, so it is dropped.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The formats that a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFormat {
    /// `{`, `[` or `"` begins JSON, everything else base64. The type says nothing.
    JsonOrBase64,
    /// The same; what is neither is the text itself.
    JsonBase64OrText,
    /// JSON of any kind if it is; else base64, unless it begins as only JSON can.
    AnyJsonOrBase64,
    /// Nothing but JSON.
    Json,
    /// Nothing but base64.
    Base64,
}

#[derive(Debug)]
enum TextState {
    /// The byte order mark: how many bytes of it were seen.
    Mark(usize),
    /// Blanks so far, which may be the beginning of anything.
    Blanks(Result<json::Checker, json::JsonError>),
    /// Stored as sent; if it is not JSON, what it is.
    Json(json::Checker, Fallback),
    /// Stored decoded.
    Base64 { decoder: base64::Decoder, not_json: Option<json::JsonError> },
    /// Stored as sent; base64 so far, and if not, text.
    Base64OrText { checker: base64::Decoder, decoded: Vec<u8> },
    /// Stored as sent.
    Text,
}

#[derive(Debug, Clone, Copy)]
enum Fallback {
    Bad,
    Base64,
    Text,
}

/// A push decoder for bodies of text.
#[derive(Debug)]
pub(super) struct TextDetector {
    choice: TextFormat,
    stage: TextState,
    /// Length of the byte order mark that was dropped.
    start: u64,
}

impl TextDetector {
    pub(super) fn new(choice: TextFormat) -> Self {
        Self { choice, stage: TextState::Mark(0), start: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], store: &mut InputFiles<'_>) -> Result<(), InputError> {
        let mut rest = piece;
        while let (TextState::Mark(seen), Some((&byte, after))) = (&mut self.stage, rest.split_first()) {
            if byte != BYTE_ORDER_MARK[*seen] {
                self.end_mark(store)?;
                break;
            }
            rest = after;
            *seen += 1;
            if *seen == BYTE_ORDER_MARK.len() {
                self.start = BYTE_ORDER_MARK.len() as u64;
                self.stage = TextState::Blanks(Ok(json::Checker::new(self.start)));
            }
        }
        if rest.is_empty() { Ok(()) } else { self.content(rest, store) }
    }

    /// There was no byte order mark: what looked like the beginning of one is content.
    fn end_mark(&mut self, store: &mut InputFiles<'_>) -> Result<(), InputError> {
        let TextState::Mark(seen) = self.stage else { return Ok(()) };
        self.stage = TextState::Blanks(Ok(json::Checker::new(0)));
        if seen == 0 { Ok(()) } else { self.content(&BYTE_ORDER_MARK[..seen], store) }
    }

    fn content(&mut self, piece: &[u8], store: &mut InputFiles<'_>) -> Result<(), InputError> {
        if let TextState::Blanks(_) = self.stage {
            match piece.iter().find(|byte| !is_blank(**byte)) {
                Some(&first) => self.decide(first, store)?,
                None => return self.blanks(piece, store),
            }
        }
        match &mut self.stage {
            TextState::Mark(_) | TextState::Blanks(_) => Ok(()),
            TextState::Json(checker, otherwise) => match (checker.push(piece), *otherwise) {
                (Ok(()), _) => store.write(piece).map_err(InputError::Store),
                (Err(error), Fallback::Bad) => Err(InputError::NotJson(error)),
                (Err(error), Fallback::Base64) => {
                    let decoder = self.stored_as_base64(error, store)?;
                    self.stage = TextState::Base64 { decoder, not_json: Some(error) };
                    self.content(piece, store)
                }
                (Err(_), Fallback::Text) => {
                    self.stage = TextState::Text;
                    self.content(piece, store)
                }
            },
            TextState::Base64 { decoder, not_json } => {
                store.decode(decoder, piece).map_err(|error| neither(error, self.choice, *not_json))
            }
            TextState::Base64OrText { checker, decoded } => {
                decoded.clear();
                if checker.push(piece, decoded).is_err() {
                    self.stage = TextState::Text;
                }
                store.write(piece).map_err(InputError::Store)
            }
            TextState::Text => store.write(piece).map_err(InputError::Store),
        }
    }

    /// Stores blanks, because JSON and text keep them.
    fn blanks(&mut self, piece: &[u8], store: &mut InputFiles<'_>) -> Result<(), InputError> {
        if let TextState::Blanks(Ok(checker)) = &mut self.stage
            && let Err(error) = checker.push(piece)
        {
            // A form feed, say: a blank to base64, but not to JSON.
            self.stage = TextState::Blanks(Err(error));
        }
        store.write(piece).map_err(InputError::Store)
    }

    /// Chooses what to try, now that the first byte that is no blank is known.
    fn decide(&mut self, first: u8, store: &mut InputFiles<'_>) -> Result<(), InputError> {
        let opener = matches!(first, b'{' | b'[' | b'"');
        let TextState::Blanks(blanks) = std::mem::replace(&mut self.stage, TextState::Text) else { return Ok(()) };
        let otherwise = match (self.choice, opener) {
            (TextFormat::Json, _) | (TextFormat::JsonOrBase64 | TextFormat::AnyJsonOrBase64, true) => Fallback::Bad,
            (TextFormat::AnyJsonOrBase64, false) => Fallback::Base64,
            (TextFormat::JsonBase64OrText, true) => Fallback::Text,
            (TextFormat::JsonOrBase64 | TextFormat::Base64, _) => {
                let decoder = base64::Decoder::new(self.start + store.len());
                store.clear().map_err(InputError::Store)?;
                self.stage = TextState::Base64 { decoder, not_json: None };
                return Ok(());
            }
            (TextFormat::JsonBase64OrText, false) => {
                let checker = base64::Decoder::new(self.start + store.len());
                self.stage = TextState::Base64OrText { checker, decoded: Vec::new() };
                return Ok(());
            }
        };
        self.stage = match (blanks, otherwise) {
            (Ok(checker), _) => TextState::Json(checker, otherwise),
            (Err(error), Fallback::Bad) => return Err(InputError::NotJson(error)),
            (Err(error), Fallback::Base64) => {
                TextState::Base64 { decoder: self.stored_as_base64(error, store)?, not_json: Some(error) }
            }
            (Err(_), Fallback::Text) => TextState::Text,
        };
        Ok(())
    }

    /// Decodes in place what is stored.
    fn stored_as_base64(
        &self,
        not_json: json::JsonError,
        store: &mut InputFiles<'_>,
    ) -> Result<base64::Decoder, InputError> {
        let mut decoder = base64::Decoder::new(self.start);
        store.recode(&mut decoder).map_err(|error| neither(error, self.choice, Some(not_json)))?;
        Ok(decoder)
    }

    /// Ends the body; the store then has what the function gets.
    pub(super) fn finish(mut self, store: &mut InputFiles<'_>) -> Result<InputKind, InputError> {
        self.end_mark(store)?;
        let choice = self.choice;
        match self.stage {
            TextState::Mark(_) | TextState::Text => Ok(InputKind::Text),
            // Nothing but blanks: no JSON, but without a label base64 of nothing. A text of blanks is one.
            TextState::Blanks(blanks) => match choice {
                TextFormat::Json | TextFormat::AnyJsonOrBase64 => {
                    blanks.and_then(json::Checker::finish).map(|()| InputKind::Json).map_err(InputError::NotJson)
                }
                TextFormat::JsonBase64OrText => Ok(InputKind::Text),
                TextFormat::JsonOrBase64 | TextFormat::Base64 => {
                    store.clear().map_err(InputError::Store)?;
                    Ok(InputKind::Base64)
                }
            },
            TextState::Json(checker, otherwise) => match (checker.finish(), otherwise) {
                (Ok(()), _) => Ok(InputKind::Json),
                (Err(error), Fallback::Bad) => Err(InputError::NotJson(error)),
                (Err(error), Fallback::Base64) => {
                    let mut decoder = base64::Decoder::new(self.start);
                    store
                        .recode(&mut decoder)
                        .and_then(|()| store.decode_end(decoder))
                        .map_err(|wrong| neither(wrong, choice, Some(error)))?;
                    Ok(InputKind::Base64)
                }
                (Err(_), Fallback::Text) => Ok(InputKind::Text),
            },
            TextState::Base64 { decoder, not_json } => {
                store.decode_end(decoder).map_err(|error| neither(error, choice, not_json))?;
                Ok(InputKind::Base64)
            }
            TextState::Base64OrText { checker, mut decoded } => {
                if checker.finish(&mut decoded).is_err() {
                    return Ok(InputKind::Text);
                }
                let mut decoder = base64::Decoder::new(self.start);
                store.recode(&mut decoder)?;
                store.decode_end(decoder)?;
                Ok(InputKind::Base64)
            }
        }
    }
}

/// Says of a body that is not base64 why it is not JSON either, if it could have been. What it looks like is added by
/// the receiver, which knows its head.
fn neither(error: InputError, choice: TextFormat, not_json: Option<json::JsonError>) -> InputError {
    match (error, not_json) {
        (InputError::NotBase64(base64), Some(json)) => InputError::Neither { json, base64, look: String::new() },
        (InputError::NotBase64(base64), None) if choice == TextFormat::JsonOrBase64 => {
            InputError::NeitherBegun { base64, way: String::new() }
        }
        (error, _) => error,
    }
}

//! A body that may be JSON, base64 or text: found out while it is stored.
//!
//! The first byte that is no blank decides which of JSON and base64 is tried. Where the other remains possible the
//! bytes are stored as sent, and decoded in place once it is known that they are base64.

use bandog_codec::{
    base64::{self, is_blank},
    json,
};

use super::{Error, Kind, store::Store};

/// What UTF-8 text on some systems begins with. It belongs to no format, so it is dropped.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
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
enum Stage {
    /// The byte order mark: how many bytes of it were seen.
    Mark(usize),
    /// Blanks so far, which may be the beginning of anything.
    Blanks(Result<json::Checker, json::Error>),
    /// Stored as sent; if it is not JSON, what it is.
    Json(json::Checker, Otherwise),
    /// Stored decoded.
    Base64 { decoder: base64::Decoder, not_json: Option<json::Error> },
    /// Stored as sent; base64 so far, and if not, text.
    Base64OrText { checker: base64::Decoder, decoded: Vec<u8> },
    /// Stored as sent.
    Text,
}

#[derive(Debug, Clone, Copy)]
enum Otherwise {
    Bad,
    Base64,
    Text,
}

/// A push decoder for bodies of text.
#[derive(Debug)]
pub(super) struct Text {
    choice: Choice,
    stage: Stage,
    /// Length of the byte order mark that was dropped.
    start: u64,
}

impl Text {
    pub(super) fn new(choice: Choice) -> Self {
        Self { choice, stage: Stage::Mark(0), start: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], store: &mut Store<'_>) -> Result<(), Error> {
        let mut rest = piece;
        while let (Stage::Mark(seen), Some((&byte, after))) = (&mut self.stage, rest.split_first()) {
            if byte != BYTE_ORDER_MARK[*seen] {
                self.end_mark(store)?;
                break;
            }
            rest = after;
            *seen += 1;
            if *seen == BYTE_ORDER_MARK.len() {
                self.start = BYTE_ORDER_MARK.len() as u64;
                self.stage = Stage::Blanks(Ok(json::Checker::new(self.start)));
            }
        }
        if rest.is_empty() { Ok(()) } else { self.content(rest, store) }
    }

    /// There was no byte order mark: what looked like the beginning of one is content.
    fn end_mark(&mut self, store: &mut Store<'_>) -> Result<(), Error> {
        let Stage::Mark(seen) = self.stage else { return Ok(()) };
        self.stage = Stage::Blanks(Ok(json::Checker::new(0)));
        if seen == 0 { Ok(()) } else { self.content(&BYTE_ORDER_MARK[..seen], store) }
    }

    fn content(&mut self, piece: &[u8], store: &mut Store<'_>) -> Result<(), Error> {
        if let Stage::Blanks(_) = self.stage {
            match piece.iter().find(|byte| !is_blank(**byte)) {
                Some(&first) => self.decide(first, store)?,
                None => return self.blanks(piece, store),
            }
        }
        match &mut self.stage {
            Stage::Mark(_) | Stage::Blanks(_) => Ok(()),
            Stage::Json(checker, otherwise) => match (checker.push(piece), *otherwise) {
                (Ok(()), _) => store.write(piece).map_err(Error::Store),
                (Err(error), Otherwise::Bad) => Err(Error::NotJson(error)),
                (Err(error), Otherwise::Base64) => {
                    let decoder = self.stored_as_base64(error, store)?;
                    self.stage = Stage::Base64 { decoder, not_json: Some(error) };
                    self.content(piece, store)
                }
                (Err(_), Otherwise::Text) => {
                    self.stage = Stage::Text;
                    self.content(piece, store)
                }
            },
            Stage::Base64 { decoder, not_json } => {
                store.decode(decoder, piece).map_err(|error| neither(error, self.choice, *not_json))
            }
            Stage::Base64OrText { checker, decoded } => {
                decoded.clear();
                if checker.push(piece, decoded).is_err() {
                    self.stage = Stage::Text;
                }
                store.write(piece).map_err(Error::Store)
            }
            Stage::Text => store.write(piece).map_err(Error::Store),
        }
    }

    /// Stores blanks, because JSON and text keep them.
    fn blanks(&mut self, piece: &[u8], store: &mut Store<'_>) -> Result<(), Error> {
        if let Stage::Blanks(Ok(checker)) = &mut self.stage
            && let Err(error) = checker.push(piece)
        {
            // A form feed, say: a blank to base64, but not to JSON.
            self.stage = Stage::Blanks(Err(error));
        }
        store.write(piece).map_err(Error::Store)
    }

    /// Chooses what to try, now that the first byte that is no blank is known.
    fn decide(&mut self, first: u8, store: &mut Store<'_>) -> Result<(), Error> {
        let opener = matches!(first, b'{' | b'[' | b'"');
        let Stage::Blanks(blanks) = std::mem::replace(&mut self.stage, Stage::Text) else { return Ok(()) };
        let otherwise = match (self.choice, opener) {
            (Choice::Json, _) | (Choice::JsonOrBase64 | Choice::AnyJsonOrBase64, true) => Otherwise::Bad,
            (Choice::AnyJsonOrBase64, false) => Otherwise::Base64,
            (Choice::JsonBase64OrText, true) => Otherwise::Text,
            (Choice::JsonOrBase64 | Choice::Base64, _) => {
                let decoder = base64::Decoder::new(self.start + store.len());
                store.clear().map_err(Error::Store)?;
                self.stage = Stage::Base64 { decoder, not_json: None };
                return Ok(());
            }
            (Choice::JsonBase64OrText, false) => {
                let checker = base64::Decoder::new(self.start + store.len());
                self.stage = Stage::Base64OrText { checker, decoded: Vec::new() };
                return Ok(());
            }
        };
        self.stage = match (blanks, otherwise) {
            (Ok(checker), _) => Stage::Json(checker, otherwise),
            (Err(error), Otherwise::Bad) => return Err(Error::NotJson(error)),
            (Err(error), Otherwise::Base64) => {
                Stage::Base64 { decoder: self.stored_as_base64(error, store)?, not_json: Some(error) }
            }
            (Err(_), Otherwise::Text) => Stage::Text,
        };
        Ok(())
    }

    /// Decodes in place what is stored.
    fn stored_as_base64(&self, not_json: json::Error, store: &mut Store<'_>) -> Result<base64::Decoder, Error> {
        let mut decoder = base64::Decoder::new(self.start);
        store.recode(&mut decoder).map_err(|error| neither(error, self.choice, Some(not_json)))?;
        Ok(decoder)
    }

    /// Ends the body; the store then has what the function gets.
    pub(super) fn finish(mut self, store: &mut Store<'_>) -> Result<Kind, Error> {
        self.end_mark(store)?;
        let choice = self.choice;
        match self.stage {
            Stage::Mark(_) | Stage::Text => Ok(Kind::Text),
            // Nothing but blanks: no JSON, but base64 of nothing. A text of blanks is one.
            Stage::Blanks(blanks) => match choice {
                Choice::Json => blanks.and_then(json::Checker::finish).map(|()| Kind::Json).map_err(Error::NotJson),
                Choice::JsonBase64OrText => Ok(Kind::Text),
                Choice::JsonOrBase64 | Choice::AnyJsonOrBase64 | Choice::Base64 => {
                    store.clear().map_err(Error::Store)?;
                    Ok(Kind::Base64)
                }
            },
            Stage::Json(checker, otherwise) => match (checker.finish(), otherwise) {
                (Ok(()), _) => Ok(Kind::Json),
                (Err(error), Otherwise::Bad) => Err(Error::NotJson(error)),
                (Err(error), Otherwise::Base64) => {
                    let mut decoder = base64::Decoder::new(self.start);
                    store
                        .recode(&mut decoder)
                        .and_then(|()| store.decode_end(decoder))
                        .map_err(|wrong| neither(wrong, choice, Some(error)))?;
                    Ok(Kind::Base64)
                }
                (Err(_), Otherwise::Text) => Ok(Kind::Text),
            },
            Stage::Base64 { decoder, not_json } => {
                store.decode_end(decoder).map_err(|error| neither(error, choice, not_json))?;
                Ok(Kind::Base64)
            }
            Stage::Base64OrText { checker, mut decoded } => {
                if checker.finish(&mut decoded).is_err() {
                    return Ok(Kind::Text);
                }
                let mut decoder = base64::Decoder::new(self.start);
                store.recode(&mut decoder)?;
                store.decode_end(decoder)?;
                Ok(Kind::Base64)
            }
        }
    }
}

/// Says of a body that is not base64 why it is not JSON either, if it could have been.
fn neither(error: Error, choice: Choice, not_json: Option<json::Error>) -> Error {
    match (error, not_json) {
        (Error::NotBase64(base64), Some(json)) => Error::Neither { json, base64 },
        (Error::NotBase64(base64), None) if choice == Choice::JsonOrBase64 => Error::NeitherBegun { base64 },
        (error, _) => error,
    }
}

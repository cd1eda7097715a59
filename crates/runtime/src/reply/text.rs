//! Bytes → text, while they pass: what is not UTF-8 is replaced, and a character cut in two by a piece is put
//! together again.

/// Turns pieces of bytes into text as [`String::from_utf8_lossy`] would turn the whole.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The beginning of a character whose end has not arrived: at most three bytes.
    cut: Vec<u8>,
}

impl Decoder {
    /// Passes on the text of the next piece, in parts.
    pub(crate) fn push<E>(&mut self, piece: &[u8], text: &mut dyn FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut piece = piece;
        // The cut character grows a byte at a time until it is whole, or can't be.
        while let (false, [first, rest @ ..]) = (self.cut.is_empty(), piece) {
            self.cut.push(*first);
            match std::str::from_utf8(&self.cut) {
                Ok(whole) => {
                    text(whole)?;
                    self.cut.clear();
                    piece = rest;
                }
                Err(error) if error.error_len().is_none() => piece = rest,
                // The byte does not belong to it, and is looked at anew.
                Err(_) => {
                    text(REPLACEMENT)?;
                    self.cut.clear();
                }
            }
        }
        for chunk in piece.utf8_chunks() {
            if !chunk.valid().is_empty() {
                text(chunk.valid())?;
            }
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let is_last = invalid.as_ptr_range().end == piece.as_ptr_range().end;
            if is_last && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) {
                self.cut.extend_from_slice(invalid);
            } else {
                text(REPLACEMENT)?;
            }
        }
        Ok(())
    }

    /// Ends the text: what is cut stays cut.
    pub(crate) fn finish<E>(&mut self, text: &mut dyn FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        if self.cut.is_empty() {
            return Ok(());
        }
        self.cut.clear();
        text(REPLACEMENT)
    }
}

const REPLACEMENT: &str = "\u{FFFD}";

#[cfg(test)]
mod tests;

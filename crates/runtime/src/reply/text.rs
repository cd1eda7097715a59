//! Bytes → text, piece by piece: invalid UTF-8 is replaced, and a character that is split between two pieces is
//! reassembled.

/// Turns pieces of bytes into the text into which [`String::from_utf8_lossy`] would turn the whole.
#[derive(Debug, Default)]
pub(crate) struct TextDecoder {
    /// The beginning of a character whose end has not arrived: at most three bytes.
    cut: Vec<u8>,
}

impl TextDecoder {
    /// Passes the text of the next piece to `text`, in parts.
    pub(crate) fn push<E>(&mut self, piece: &[u8], text: &mut dyn FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut piece = piece;
        // Extends the split character a byte at a time until it is complete or invalid.
        while let (false, [first, rest @ ..]) = (self.cut.is_empty(), piece) {
            self.cut.push(*first);
            match std::str::from_utf8(&self.cut) {
                Ok(whole) => {
                    text(whole)?;
                    self.cut.clear();
                    piece = rest;
                }
                Err(error) if error.error_len().is_none() => piece = rest,
                // The byte does not belong to the character, and is read again.
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

    /// Ends the text. A character that is not complete is replaced.
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

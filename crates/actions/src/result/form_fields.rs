//! The fields of a form that is in memory.

use bandog_codec::multipart::{self, ParseError};

/// The fields: names, and the bytes of those that are not files.
#[derive(Debug, Default)]
pub(super) struct FormFields {
    fields: Vec<(String, Option<Vec<u8>>)>,
}

impl FormFields {
    /// Parses a form; the error is the reason why it is not one.
    pub(super) fn read(form: &[u8], boundary: Option<&[u8]>) -> Result<Vec<(String, Option<String>)>, String> {
        let boundary = boundary.ok_or("it has no boundary, expected a first line of two hyphens and the boundary")?;
        let mut parts = Self::default();
        let mut parser = multipart::Parser::new(boundary);
        parser.push(form, &mut parts).map_err(|error| error.to_string())?;
        parser.finish().map_err(|error| error.to_string())?;
        // Bytes that are not UTF-8 count as a file.
        let text = |text: Option<Vec<u8>>| text.map(String::from_utf8).transpose().unwrap_or_default();
        Ok(parts.fields.into_iter().map(|(name, content)| (name, text(content))).collect())
    }
}

impl multipart::PartSink for FormFields {
    type Error = ParseError;

    fn begin(&mut self, part: multipart::Part) -> Result<(), ParseError> {
        let is_text = part.file_name.is_none() && !part.base64;
        self.fields.push((part.name.unwrap_or_default(), is_text.then(Vec::new)));
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        if let Some((_, Some(text))) = self.fields.last_mut() {
            text.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), ParseError> {
        Ok(())
    }
}

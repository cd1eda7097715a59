//! Receives a request body: undoes its encodings and writes its files.

use std::path::PathBuf;

use bandog_codec::{gzip, multipart};

use super::{
    BodyForm, BodySource, Envelope, Input, InputDir, InputError, InputKind,
    envelope::BodyFormat,
    event, filename,
    form::FormDecoder,
    store::InputFiles,
    text::TextDetector,
    urlencoded::{FormObject, HEAD},
};

/// Reads a body to its end and stores its content in `dir`. Neither the body as sent nor the decompressed body may be
/// longer than `max_body` bytes (0: no limit). After an error `dir` is unchanged.
///
/// An empty body becomes an empty file, whatever its type.
pub fn receive(
    envelope: &Envelope,
    source: &mut dyn BodySource,
    dir: InputDir<'_>,
    max_body: u64,
) -> Result<Input, InputError> {
    let mut body = BodyDecoder::new(envelope, dir);
    let mut sent = SizeLimit { bytes: 0, limit: max_body, form: BodyForm::Sent };
    let mut decompressed = SizeLimit { bytes: 0, limit: max_body, form: BodyForm::Decompressed };
    let mut gunzip = envelope.gzip.then(gzip::Gunzip::new);
    while let Some(chunk) = source.next()? {
        sent.count(&chunk)?;
        match &mut gunzip {
            None => body.push(&chunk)?,
            Some(gunzip) => gunzip.push(&chunk, |plain| {
                decompressed.count(plain)?;
                body.push(plain)
            })?,
        }
    }
    if let Some(gunzip) = gunzip {
        gunzip.finish()?;
    }
    body.finish(envelope, dir)
}

/// Counts bytes against a limit.
struct SizeLimit {
    bytes: u64,
    /// 0 for no limit.
    limit: u64,
    form: BodyForm,
}

impl SizeLimit {
    fn count(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        self.bytes += chunk.len() as u64;
        if self.limit > 0 && self.bytes > self.limit {
            return Err(InputError::TooLarge { limit: self.limit, form: self.form });
        }
        Ok(())
    }
}

/// Decodes a body as it arrives, after its content encoding was undone.
enum BodyDecoder<'a> {
    Text { text: TextDetector, file: SingleFile<'a>, envelope: &'a Envelope, head: Vec<u8> },
    FormObject { form: FormObject, file: SingleFile<'a> },
    Raw { file: SingleFile<'a> },
    Multipart { parser: Box<multipart::Parser>, form: Box<FormDecoder<'a>>, empty: bool },
}

/// The one file that a body is stored in.
struct SingleFile<'a> {
    store: InputFiles<'a>,
    path: PathBuf,
}

impl<'a> BodyDecoder<'a> {
    fn new(envelope: &'a Envelope, dir: InputDir<'a>) -> Self {
        let single = || SingleFile::new(envelope, dir);
        match &envelope.content {
            BodyFormat::Text(choice) => {
                Self::Text { text: TextDetector::new(*choice), file: single(), envelope, head: Vec::new() }
            }
            BodyFormat::FormObject => Self::FormObject { form: FormObject::default(), file: single() },
            BodyFormat::Raw | BodyFormat::Fields => Self::Raw { file: single() },
            BodyFormat::Multipart(boundary) => Self::Multipart {
                parser: Box::new(multipart::Parser::new(boundary)),
                form: Box::new(FormDecoder::new(dir)),
                empty: true,
            },
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<(), InputError> {
        match self {
            Self::Text { text, file, envelope, head } => {
                head.extend_from_slice(&chunk[..chunk.len().min(HEAD - head.len())]);
                text.push(chunk, &mut file.store).map_err(|error| envelope.explained(error, head))
            }
            Self::FormObject { form, .. } => form.push(chunk),
            Self::Raw { file } => file.store.write(chunk).map_err(InputError::Store),
            Self::Multipart { parser, form, empty } => {
                *empty &= chunk.is_empty();
                parser.push(chunk, form.as_mut())
            }
        }
    }

    fn finish(self, envelope: &Envelope, dir: InputDir<'_>) -> Result<Input, InputError> {
        match self {
            Self::Text { file, head, .. } if head.is_empty() => file.finish(InputKind::Empty),
            Self::Text { text, mut file, head, .. } => {
                let kind = text.finish(&mut file.store).map_err(|error| envelope.explained(error, &head))?;
                file.finish(kind)
            }
            Self::FormObject { form, mut file } => {
                let (kind, object) = form.finish()?;
                file.store.write(&object).map_err(InputError::Store)?;
                file.finish(kind)
            }
            Self::Raw { file } => {
                let kind = if file.store.len() == 0 { InputKind::Empty } else { InputKind::Raw };
                file.finish(kind)
            }
            Self::Multipart { empty: true, .. } => SingleFile::new(envelope, dir).finish(InputKind::Empty),
            Self::Multipart { parser, form, empty: false } => {
                parser.finish()?;
                let (path, bytes, parts, store) = form.finish(dir)?;
                store.keep();
                Ok(Input { parts, ..Input::new(path, InputKind::Multipart, bytes) })
            }
        }
    }
}

impl<'a> SingleFile<'a> {
    fn new(envelope: &Envelope, dir: InputDir<'a>) -> Self {
        let name = envelope.name.clone().unwrap_or_else(|| filename::generated(envelope.extension));
        Self { path: dir.path.join(&name), store: InputFiles::new(dir, name) }
    }

    fn finish(mut self, kind: InputKind) -> Result<Input, InputError> {
        let event = match (kind, self.store.in_memory()) {
            (InputKind::Json, Some(json)) => event::recognised(json),
            _ => None,
        };
        let bytes = self.store.end().map_err(InputError::Store)?;
        self.store.keep();
        Ok(Input { event, ..Input::new(self.path, kind, bytes) })
    }
}
